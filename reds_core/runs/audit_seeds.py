"""Uncompressed networks of an audit: the input model, trained further with several seeds as the runs trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reds_core.errors import InputError, argument
from reds_core.framework.family import Family
from reds_core.framework.framework import Framework
from reds_core.framework.training import Training
from reds_core.runs.audit_data import AuditData, training_parts
from reds_core.runs.audited_runs import AuditedRun
from reds_core.runs.checkpoint import epochs_file, remove_checkpoints
from reds_core.runs.epoch_store import resumable_trainings
from reds_core.runs.folder import OPTIMIZER, VALIDATION
from reds_core.system.files import make_folder, remove_partial_files, write_text
from reds_core.system.records import from_plain, parse_json, to_json, to_plain
from reds_core.watcher import Watcher

SEEDS_FOLDER = "seeds"
_RECORD = "seeds.json"
_RESUMING = "the same command continues from there"


@dataclass(frozen=True)
class SeedsRecord:
    """What the networks in the folder of seeds were trained from, which tells them from those of another audit.

    Attributes:
        model: The digest of the input model.
        data: The digest of the data.
        training: The settings of the training and of what is held back, as text.
    """

    model: str
    data: str
    training: str


def train_seeds(
    count: int,
    run: AuditedRun,
    source: Path,
    model_digest: str,
    framework: Framework,
    data: AuditData,
    first_seed: int,
    folder: Path,
    watcher: Watcher,
) -> tuple[Path, ...]:
    """Train the input model with several seeds, and return the files of the networks.

    Networks that are there already are kept. An interrupted training continues after its last finished epoch.

    Args:
        count: The number of networks.
        run: A run whose settings say how it is trained, and for how many epochs.
        source: The file of the input model.
        model_digest: Its digest.
        framework: The framework of the model.
        data: The data of the audit.
        first_seed: The first seed; the others follow it.
        folder: The folder of the audit.
        watcher: Notified of progress.

    Raises:
        InputError: If there are no epochs, without which all networks would be the same.
        KeyboardInterrupt: If the user stopped a training; the epoch is finished and kept first.
    """
    settings = run.settings
    if not settings.finetune.epochs:
        raise InputError(
            "the runs trained for 0 epochs, in which all seeds would give the same network",
            f"give {argument('epochs')}, or run the audit without {argument('seeds')}",
        )
    place = folder / SEEDS_FOLDER
    how = {"finetune": settings.finetune, "holdout": settings.holdout, "split": settings.seed, "task": settings.task}
    record = SeedsRecord(model_digest, data.dataset.digest, to_json({**how, "weights": settings.class_weight}))
    _prepare(place, record, framework)
    files = []
    for seed in range(first_seed, first_seed + count):
        path = place / framework.file.file_name(f"seed-{seed}")
        if not path.exists():
            watcher.stage(f"training the input model with seed {seed}")
            _train(run, source, framework, data, seed, path, watcher)
        files.append(path)
    remove_checkpoints(place)
    return tuple(files)


def training_notes(runs: Sequence[AuditedRun]) -> list[str]:
    """Sentences that say in what the training of networks with several seeds differs from that of the runs."""
    notes, first = [], runs[0]
    if any(_training_of(run) != _training_of(first) for run in runs):
        notes.append(
            "The runs were not all trained in the same way; the uncompressed networks were trained as the run in "
            f"'{first.folder}'."
        )
    optimizer = first.plan.options.get(OPTIMIZER)
    if optimizer is not None:
        notes.append(
            f"The run in '{first.folder}' was trained with an object of type {optimizer} as the optimizer, which its "
            "files do not hold; the uncompressed networks were trained with the optimizer "
            f"{first.settings.finetune.optimizer} of its settings."
        )
    if VALIDATION in first.plan.options:
        notes.append(
            f"The run in '{first.folder}' was given validation data, which its files do not hold; the uncompressed "
            "networks are those of the last epoch, not of the best."
        )
    return notes


def _training_of(run: AuditedRun) -> tuple[Any, ...]:
    settings, given = run.settings, run.plan.options
    own = (settings.finetune, settings.holdout, settings.task, settings.class_weight)
    return (*own, given.get(OPTIMIZER), VALIDATION in given)


def _prepare(place: Path, record: SeedsRecord, framework: Framework) -> None:
    """Create the folder, and empty it if it holds networks that were trained in another way."""
    make_folder(place)
    remove_partial_files(place)
    path = place / _RECORD
    try:
        is_same = from_plain(SeedsRecord, parse_json(path.read_text(encoding="utf-8"))) == record
    except (OSError, ValueError, TypeError, KeyError):
        is_same = False
    if is_same:
        return
    for old in place.glob(framework.file.file_name("seed-*")):
        old.unlink()
    remove_checkpoints(place)
    write_text(path, to_json(to_plain(record)))


def _train(
    run: AuditedRun, source: Path, framework: Framework, data: AuditData, seed: int, path: Path, watcher: Watcher
) -> None:
    settings = run.settings
    model: Any = framework.load_model(source)
    train, held_back = training_parts(data, framework, model, run)
    name = f"seed-{seed}"
    make_folder(epochs_file(path.parent, name, 0).parent)
    with resumable_trainings(path.parent, name, "this training", watcher, resuming=_RESUMING) as slots:
        finetune = dataclasses.replace(settings.finetune.alone())
        with slots.next(finetune.epochs) as store:
            teacher = framework.load_model(source)
            how = (finetune, seed, watcher.epoch, settings.task, held_back)
            framework.finetune(Family(model, (), ()), Training(train, *how, teacher=teacher, keeper=store))
        framework.save_model(model, path)
