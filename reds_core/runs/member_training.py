"""Prepares the weights of one more member of a finished family: trains it by itself, or measures its statistics."""

from __future__ import annotations

import dataclasses
from typing import Any

from reds_core.errors import InputError
from reds_core.framework.family import Family
from reds_core.framework.training import Training
from reds_core.knapsack.levels import LevelSettings
from reds_core.run_history import HistoryRow
from reds_core.runs.checkpoint import epochs_file
from reds_core.runs.epoch_store import resumable_trainings
from reds_core.runs.finished_family import FinishedFamily
from reds_core.runs.folder import OPTIMIZER
from reds_core.runs.history import history_rows
from reds_core.runs.member_data import MemberData
from reds_core.system.files import make_folder
from reds_core.watcher import Watcher

RESUMING = "the same command continues from there"


def training_step(name: str) -> str:
    """The name of the training of a member in the training curves of the run."""
    return f"extract {name}"


def recalibrate_member(family: FinishedFamily, name: str, model: Any, data: MemberData, watcher: Watcher) -> None:
    """Measure the batch-norm statistics of a member on training data, in place, if the settings of the run ask for it.

    A network that was cut from a larger one computes other activations than the one whose statistics it has, which
    costs most of its accuracy. Its weights do not change. Without training data, nothing does.

    Args:
        family: The family.
        name: The name of the member.
        model: The model of the member.
        data: The data of the run.
        watcher: Notified of progress.
    """
    settings, framework = family.settings, family.framework
    if data.train is None or not settings.finetune.recalibrate:
        return
    watcher.stage(f"measuring the statistics of subnetwork {name}")
    own = Family(model, (model,), (framework.inspect(model).channels,))  # 0 epochs: statistics only
    finetune, seed = dataclasses.replace(settings.finetune, epochs=0), settings.step_seed(len(family.plan.steps))
    framework.finetune(own, Training(data.train, finetune, seed, watcher.epoch, settings.task, data.validation))


def train_member(
    family: FinishedFamily, name: str, model: Any, levels: LevelSettings, data: MemberData, watcher: Watcher
) -> tuple[HistoryRow, ...]:
    """Train a member in place, without the rest of the family.

    It is trained as the run trained a subnetwork by itself. The full network of the family takes the place of the input
    model as the teacher, except for embeddings, whose labels are the outputs of the input model. The finished epochs
    are kept in the folder, so that a training that was stopped is resumed.

    Args:
        family: The family. The epochs of its settings are those of this training.
        name: The name of the member.
        model: The model of the member.
        levels: The levels of its layers.
        data: The data, with training examples.
        watcher: Notified of progress and warnings.

    Returns:
        The training curves.

    Raises:
        InputError: If there are no training examples.
        KeyboardInterrupt: If the user stopped the training; the epoch is finished and kept first.
    """
    settings, optimizer = family.settings, family.plan.options.get(OPTIMIZER)
    if data.train is None:
        raise InputError("training a member needs training data", "give the data of the run")
    if optimizer is not None:
        watcher.warn(
            f"the run was trained with an object of type {optimizer} as the optimizer, which its files do not hold; "
            f"subnetwork '{name}' is trained with the optimizer {settings.finetune.optimizer} of the settings instead"
        )
    place = f"extract-{name}"
    make_folder(epochs_file(family.folder, place, 0).parent)
    watcher.stage(f"training subnetwork {name}")
    with resumable_trainings(family.folder, place, "this training", watcher, resuming=RESUMING) as slots:
        finetune, seed = settings.finetune.alone(), settings.step_seed(len(family.plan.steps))
        with slots.next(finetune.epochs) as store:
            how = (finetune, seed, watcher.epoch, settings.task, data.validation)
            alone = Family(model, (), (), full_settings=levels)
            teacher = family.full if data.teacher is None else data.teacher
            training = Training(data.train, *how, teacher=teacher, keeper=store)
            family.framework.finetune(alone, family.levels.applied_to(training, alone))
        return history_rows(training_step(name), store.figures, (), name)
