"""Prepares the weights of one more member of a finished family: trains it by itself, or measures its statistics."""

from __future__ import annotations

import dataclasses
from typing import Any

from reds_core.errors import InputError
from reds_core.framework.epochs import EpochKeeper
from reds_core.framework.family import Family
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.training import Training
from reds_core.run_history import HistoryRow
from reds_core.runs.checkpoint import epochs_file
from reds_core.runs.epoch_store import resumable_trainings
from reds_core.runs.finished_family import FinishedFamily
from reds_core.runs.folder import OPTIMIZER
from reds_core.runs.history import history_rows
from reds_core.runs.member_data import MemberData
from reds_core.runs.planned_member import PlannedMember
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
    family: FinishedFamily, member: PlannedMember, model: Any, data: MemberData, watcher: Watcher
) -> tuple[HistoryRow, ...]:
    """Train a member in place, without the rest of the family.

    It is trained as the run trained a subnetwork by itself. The full network of the family takes the place of the input
    model as the teacher, except for embeddings, whose labels are the outputs of the input model. The finished epochs
    are kept in the folder, so that a training that was stopped is resumed.

    Args:
        family: The family. The epochs of its settings are those of this training.
        member: The member.
        model: Its model.
        data: The data, with training examples.
        watcher: Notified of progress and warnings.

    Returns:
        The training curves.

    Raises:
        InputError: If there are no training examples.
        KeyboardInterrupt: If the user stopped the training; the epoch is finished and kept first.
    """
    settings, optimizer = family.settings, family.plan.options.get(OPTIMIZER)
    if optimizer is not None:
        watcher.warn(
            f"the run was trained with an object of type {optimizer} as the optimizer, which its files do not hold; "
            f"subnetwork '{member.name}' is trained with the optimizer {settings.finetune.optimizer} of the settings "
            "instead"
        )
    place = f"extract-{member.name}"
    make_folder(epochs_file(family.folder, place, 0).parent)
    watcher.stage(f"training subnetwork {member.name}")
    with resumable_trainings(family.folder, place, "this training", watcher, resuming=RESUMING) as slots:
        with slots.next(settings.finetune.epochs) as store:
            _train_alone(family, member, model, data, settings.finetune, watcher, store)
        return history_rows(training_step(member.name), store.figures, (), member.name)


def try_member(
    family: FinishedFamily, member: PlannedMember, model: Any, data: MemberData, epochs: int, watcher: Watcher
) -> None:
    """Train a member in place on a trial basis, as `train_member` does, but for other epochs, of which none is kept.

    Args:
        family: The family.
        member: The member.
        model: Its model.
        data: The data, with training examples.
        epochs: The epochs of the training.
        watcher: Notified of progress.

    Raises:
        InputError: If there are no training examples.
    """
    finetune = dataclasses.replace(family.settings.finetune, epochs=epochs)
    watcher.stage(f"trying subnetwork {member.name} that ends at {member.decision.exit or 'the last output'}")
    _train_alone(family, member, model, data, finetune, watcher, EpochKeeper())


def _train_alone(
    family: FinishedFamily,
    member: PlannedMember,
    model: Any,
    data: MemberData,
    finetune: FinetuneSettings,
    watcher: Watcher,
    keeper: EpochKeeper,
) -> None:
    """Train a member by itself, with the full network of the family or the input model as the teacher."""
    settings = family.settings
    if data.train is None:
        raise InputError("training a member needs training data", "give the data of the run")
    alone = Family(model, (), (), full_settings=member.decision.settings)
    teacher = family.full if data.teacher is None else data.teacher
    how = (finetune.alone(), settings.step_seed(len(family.plan.steps)), watcher.epoch, settings.task, data.validation)
    training = Training(data.train, *how, teacher=teacher, keeper=keeper)
    family.framework.finetune(alone, member.levels.applied_to(training, alone))
