"""The state of a run on disk, so that the run can be resumed after the last finished step or epoch.

A checkpoint is a folder that is written under a temporary name and then renamed. The previous checkpoint and the saved
epochs of the finished step are removed afterwards. Nothing is pickled.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError, argument
from reds_core.framework.family import Family
from reds_core.framework.framework import Framework
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plan import StepRecord
from reds_core.pruning.pruner import Decision, PruningState
from reds_core.run_history import HistoryRow
from reds_core.scoring.scorer import ScoreTable
from reds_core.search_records import FamilyRecord
from reds_core.system.archive import ArchiveError, read_archive, write_archive
from reds_core.system.files import cannot_write, given_path, make_folder, write_text
from reds_core.system.records import from_plain, parse_json, to_json
from reds_core.transforms.joining import RealisedGroup

FOLDER = ".checkpoint"
_PREFIX = "step-"
_EPOCHS = "epochs-"
_TRIALS = "max-drop"
_PENDING = "pending"
_STATE, _SCORES, _ORDER = "state.json", "scores.npz", "order.npz"
_FULL, _MEMBER = "full", "member-"
_GROUP, _CURVE, _LEVELS, _LEVEL_PAIRS, _SKIPPED = "group/", "curve/", "levels", "level_pairs", "skipped/"


@dataclass(frozen=True)
class _SavedState:
    """The content of state.json. `files` lists the files beside it, so that a missing file is noticed.

    `passes` and `history` are as in `Checkpoint`.
    """

    choices: tuple[Decision, ...]
    steps: tuple[StepRecord, ...]
    members: int
    bounds: tuple[int | None, ...] = ()
    sequence: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    passes: int = 0
    family_record: FamilyRecord | None = None
    history: tuple[HistoryRow, ...] = ()
    realised: tuple[Mapping[str, RealisedGroup], ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """A state and the records of the steps that led to it. The decisions of the last step are only in its record.

    Attributes:
        state: The state.
        steps: The records of the steps.
        passes: The number of epochs of all trainings so far, which are passes over the training data.
        history: The training curves of these trainings.
    """

    state: PruningState
    steps: tuple[StepRecord, ...]
    passes: int = 0
    history: tuple[HistoryRow, ...] = ()


def _load_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        return read_archive(path)
    except (FileNotFoundError, ArchiveError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception | str) -> InputError:
    reason = error.reason if isinstance(error, ArchiveError) else type(error).__name__
    reason = error if isinstance(error, str) else reason
    state = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged ({reason})"
    return InputError(f"'{path}' {state}", f"start the run over with {argument('mode', 'overwrite')}")


def _named_pairs(text: npt.NDArray[Any]) -> tuple[tuple[str, str], ...]:
    found: tuple[tuple[str, str], ...] = from_plain(tuple[tuple[str, str], ...], parse_json(str(text[()])))
    return found


def _named_triples(text: npt.NDArray[Any]) -> tuple[tuple[str, str, str], ...]:
    found: tuple[tuple[str, str, str], ...] = from_plain(tuple[tuple[str, str, str], ...], parse_json(str(text[()])))
    return found


def save_scores(path: Path, scores: ScoreTable) -> None:
    """Write a ScoreTable as .npz, keys `group/NAME`, `curve/NAME`, `kernel/K`, and the pairs of names in `header`.

    If there are values of levels, their keys are `level/K`, and the layers and what is decided are in `levels`; those
    of two levels together are `level_pair/K` and in `level_pairs`. Values of groups without channels are
    `skipped/NAME`.
    """
    pairs, levels, level_pairs = list(scores.pairs), list(scores.level_values), list(scores.level_pair_values)
    arrays: dict[str, npt.NDArray[Any]] = {"header": np.array(json.dumps(pairs))}
    if levels:
        arrays[_LEVELS] = np.array(json.dumps(levels))
        arrays |= {f"level/{k}": scores.level_values[each] for k, each in enumerate(levels)}
    if level_pairs:
        arrays[_LEVEL_PAIRS] = np.array(json.dumps(level_pairs))
        arrays |= {f"level_pair/{k}": scores.level_pair_values[each] for k, each in enumerate(level_pairs)}
    arrays |= {f"{_GROUP}{g}": s for g, s in scores.channels.items()}
    arrays |= {f"{_CURVE}{g}": curve for g, curve in scores.curves.items()}
    arrays |= {f"{_SKIPPED}{g}": np.array(value) for g, value in scores.skipped.items()}
    arrays |= {f"kernel/{k}": scores.pairs[pair] for k, pair in enumerate(pairs)}
    write_archive(path, arrays)


def load_scores(path: str | PathLike[str]) -> ScoreTable:
    """Read a file that `save_scores` wrote.

    Raises:
        InputError: If the file is missing or damaged.
    """
    path = given_path(path, "path")
    arrays = _load_arrays(path)
    try:
        pairs = _named_pairs(arrays.pop("header"))
        levels = _named_pairs(arrays.pop(_LEVELS)) if _LEVELS in arrays else ()
        level_pairs = _named_triples(arrays.pop(_LEVEL_PAIRS)) if _LEVEL_PAIRS in arrays else ()
        return ScoreTable(
            {key.removeprefix(_GROUP): array for key, array in arrays.items() if key.startswith(_GROUP)},
            {pair: arrays[f"kernel/{k}"] for k, pair in enumerate(pairs)},
            {key.removeprefix(_CURVE): array for key, array in arrays.items() if key.startswith(_CURVE)},
            {each: arrays[f"level/{k}"] for k, each in enumerate(levels)},
            {key.removeprefix(_SKIPPED): float(array) for key, array in arrays.items() if key.startswith(_SKIPPED)},
            {each: arrays[f"level_pair/{k}"] for k, each in enumerate(level_pairs)},
        )
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def save_order(path: Path, order: Kept) -> None:
    """Write the order of the channels of each group as .npz, with keys `group/NAME`."""
    write_archive(path, {f"{_GROUP}{g}": np.asarray(o, np.int64) for g, o in order.items()})


def load_order(path: Path) -> Kept:
    """Read a file that `save_order` wrote.

    Raises:
        InputError: If the file is missing or damaged.
    """
    order = {key.removeprefix(_GROUP): array for key, array in _load_arrays(path).items()}
    for group, channels in order.items():
        if not np.array_equal(np.sort(channels, axis=None), np.arange(channels.size)) or channels.ndim != 1:
            raise _damaged(path, ValueError(f"no order of the channels of '{group}'"))
    return order


def scores_fit(scores: ScoreTable, channels: Mapping[str, int]) -> bool:
    """Whether the scores are those of the groups of a network, in the right shapes.

    Args:
        scores: The scores.
        channels: The number of channels of each group of the network.
    """
    own = {group: scores.channels[group].shape for group in scores.channels}
    return (
        own == {group: (count,) for group, count in channels.items()}
        and all(curve.shape == own.get(group) for group, curve in scores.curves.items())
        and all(kernel.shape == (channels.get(a), channels.get(b)) for (a, b), kernel in scores.pairs.items())
    )


def order_fits(order: Kept, channels: Mapping[str, int]) -> bool:
    """Whether `order` contains exactly the channels of the groups of a network.

    Args:
        order: The order of the channels of each group.
        channels: The number of channels of each group of the network.
    """
    return {group: len(ranking) for group, ranking in order.items()} == dict(channels)


def save_checkpoint(folder: Path, checkpoint: Checkpoint, framework: Framework, initial: PruningState) -> None:
    """Write a checkpoint to FOLDER/.checkpoint and remove the previous one.

    Args:
        folder: The folder of the run.
        checkpoint: The state to save.
        framework: Writes the models.
        initial: The state before the first step. Parts that have not changed since are not saved.

    Raises:
        InputError: If it cannot be written.
    """
    state = checkpoint.state
    target = folder / FOLDER / f"{_PREFIX}{len(checkpoint.steps):04d}"
    partial = target.with_name(f"partial-{target.name}")
    shutil.rmtree(partial, ignore_errors=True)
    make_folder(partial)
    if state.scores is not initial.scores:
        save_scores(partial / _SCORES, state.scores)
    if state.order is not initial.order:
        save_order(partial / _ORDER, state.order)
    models = 0
    if state.family is not initial.family:
        framework.save_model(state.family.full, partial / framework.file.file_name(_FULL))
        models = len(state.family.members)
        for i, member in enumerate(state.family.members):
            framework.save_model(member, partial / _member_file(i, framework))
    files = tuple(sorted(path.name for path in partial.iterdir()))
    saved = _SavedState(
        choices=state.choices,
        steps=checkpoint.steps,
        members=models,
        bounds=state.bounds,
        sequence=state.sequence,
        files=files,
        passes=checkpoint.passes,
        family_record=state.family_record,
        history=checkpoint.history,
        realised=state.family.realised,
    )
    write_text(partial / _STATE, to_json(saved))
    shutil.rmtree(target, ignore_errors=True)
    try:
        partial.rename(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    for other in (folder / FOLDER).glob(f"{_PREFIX}*"):
        if other != target:
            shutil.rmtree(other, ignore_errors=True)
    remove_epochs(folder)


def has_checkpoint(folder: Path) -> bool:
    """Whether FOLDER holds the checkpoint of a finished step."""
    return any((folder / FOLDER).glob(f"{_PREFIX}*"))


def has_progress(folder: Path) -> bool:
    """Whether FOLDER holds a finished step, epoch or part of a search from which a run can be resumed."""
    in_search = trials_folder(folder).rglob("*")
    is_begun = has_checkpoint(folder) or any((folder / FOLDER).glob(f"{_EPOCHS}*"))
    return is_begun or any(p.is_file() for p in in_search) or pending_folder(folder).exists()


def trials_folder(folder: Path) -> Path:
    """The folder of the networks that a search for the smallest network in FOLDER tries, until the run is finished."""
    return folder / FOLDER / _TRIALS


def pending_folder(folder: Path) -> Path:
    """The folder of what is written after the plan in FOLDER, until it is written."""
    return folder / FOLDER / _PENDING


def load_checkpoint(
    folder: Path, framework: Framework, initial: PruningState, networks: Mapping[str | None, Network]
) -> Checkpoint | None:
    """Read the latest checkpoint in FOLDER/.checkpoint, or return None if there is none.

    Args:
        folder: The folder of the run.
        framework: Reads the models.
        initial: The state before the first step, from which the parts that were not saved are taken.
        networks: The description of the network that ends at each exit, with None for the last one.

    Raises:
        InputError: If the checkpoint is damaged.
    """
    found = sorted((folder / FOLDER).glob(f"{_PREFIX}*"))
    if not found:
        return None
    source = found[-1]
    try:
        saved: _SavedState = from_plain(_SavedState, parse_json((source / _STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _damaged(source / _STATE, error) from error
    for name in saved.files:
        if not (source / name).exists():
            raise _damaged(source / name, FileNotFoundError(name))
    channels = {group: len(ranking) for group, ranking in initial.order.items()}
    if not _is_sound(saved, channels, networks):
        raise _damaged(source / _STATE, "what it holds does not fit the network")
    scores, order, family = initial.scores, initial.order, initial.family
    if (source / _SCORES).exists():
        scores = load_scores(source / _SCORES)
        if not scores_fit(scores, channels):
            raise _damaged(source / _SCORES, "it does not hold the scores of all channels")
    if (source / _ORDER).exists():
        order = load_order(source / _ORDER)
        if not order_fits(order, channels):
            raise _damaged(source / _ORDER, "it does not hold the order of all channels")
    full = source / framework.file.file_name(_FULL)
    if full.exists():
        members = tuple(framework.load_model(source / _member_file(i, framework)) for i in range(saved.members))
        choices = saved.choices[: saved.members]
        settings = tuple(choice.settings for choice in choices) if any(c.settings for c in choices) else ()
        widths = tuple(choice.widths for choice in choices)
        family = Family(framework.load_model(full), members, widths, settings, realised=saved.realised)
    state = PruningState(
        scores,
        order,
        saved.choices,
        family,
        bounds=saved.bounds,
        sequence=saved.sequence,
        family_record=saved.family_record,
    )
    return Checkpoint(state, saved.steps, saved.passes, saved.history)


def _is_sound(saved: _SavedState, channels: Mapping[str, int], networks: Mapping[str | None, Network]) -> bool:
    """Whether every choice has a valid width for each group that its exit needs, and every member has a choice."""

    def is_valid(choice: Decision) -> bool:
        network = networks.get(choice.exit)
        return (
            network is not None
            and choice.widths.keys() == network.channels.keys()
            and all(
                (0 if group in network.skippable else 1) <= width <= network.channels[group]
                for group, width in choice.widths.items()
            )
        )

    return (
        0 <= saved.members <= len(saved.choices)
        and all(map(is_valid, saved.choices))
        and all(group in channels for group in saved.sequence)
        and len(saved.realised) in (0, saved.members)
        and all(each.keys() == channels.keys() for each in saved.realised)
    )


def epochs_file(folder: Path, place: str, training: int) -> Path:
    """The file that holds the finished epochs of a training until the result of its step is saved.

    Args:
        folder: The folder of the run.
        place: The number of the step, or the name of a part of the run before the steps.
        training: The number of the training in that step, from 0.
    """
    return folder / FOLDER / f"{_EPOCHS}{place}-{training}.npz"


def remove_epochs(folder: Path) -> None:
    """Remove the saved epochs of trainings, once their result is saved."""
    for path in (folder / FOLDER).glob(f"{_EPOCHS}*"):
        path.unlink(missing_ok=True)


def remove_checkpoints(folder: Path) -> None:
    """Remove FOLDER/.checkpoint."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def _member_file(index: int, framework: Framework) -> str:
    return framework.file.file_name(f"{_MEMBER}{index}")
