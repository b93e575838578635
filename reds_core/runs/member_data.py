"""The data of a finished run, read again for one more member of its family."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from reds_core.errors import InputError, RedsError
from reds_core.framework.data import Arrays, Data
from reds_core.framework.framework import Framework
from reds_core.framework.task import TaskKind
from reds_core.plan import Plan
from reds_core.runs.calibration import calibration_of
from reds_core.runs.dataset import OBJECTS, Dataset, Reading
from reds_core.runs.folder import VALIDATION
from reds_core.runs.given_data import Splits, read_given
from reds_core.runs.input_model import input_model
from reds_core.runs.inputs import examples_in_memory, split_parts
from reds_core.runs.settings import RunSettings
from reds_core.watcher import Watcher


class FinishedRun(Protocol):
    """A finished run, as far as its data is read again."""

    @property
    def folder(self) -> Path:
        """Its folder."""

    @property
    def plan(self) -> Plan:
        """Its plan."""

    @property
    def settings(self) -> RunSettings:
        """Its settings."""

    @property
    def framework(self) -> Framework:
        """The framework of its models."""


@dataclass(frozen=True, eq=False)
class MemberData:
    """The data for one member.

    Attributes:
        train: Training examples; None if the data of the run cannot be used.
        validation: Examples that are held back from training, or None.
        test: Examples on which accuracies are measured, or None.
        teacher: The input model of the run, if its outputs are the labels.
    """

    train: Data | None = None
    validation: Data | None = None
    test: Data | None = None
    teacher: Any | None = None

    @property
    def examples(self) -> Arrays | None:
        """Training examples in memory, on which statistics of the network are measured; None without training data."""
        return None if self.train is None else examples_in_memory(self.train)


def read_member_data(
    family: FinishedRun, model: Any, given: str | Dataset | Splits | None, watcher: Watcher
) -> MemberData:
    """Read the data of the run again, split as in the run.

    Without the data the result is empty, and the watcher gets a warning that says why.

    Args:
        family: The family. The epochs of its settings are those for which the new member is trained.
        model: The model that takes the examples.
        given: The data, if the caller gives it again; None to read it from where the run did.
        watcher: Notified of data that cannot be used.

    Raises:
        InputError: If data that is given cannot be read, or if the data is needed for training and cannot be used.
    """
    plan, settings, framework = family.plan, family.settings, family.framework
    source = plan.options.get("data") if given is None else given
    reason = ""
    if source is None:
        if not settings.finetune.epochs:
            return MemberData()
        reason = "the run had no data"
    elif isinstance(source, str) and source in OBJECTS:
        reason = "the data of the run was given as objects in Python and is not given now"
    else:
        try:
            dataset = read_given(source, None, framework, model, settings)
        except RedsError as error:
            if given is not None:
                raise
            reason = f"the data of the run cannot be read ({error})"
        else:
            if dataset.digest == plan.hashes.data:
                try:
                    is_taught = settings.task.kind is TaskKind.EMBEDDING
                    teacher = input_model(family.folder, plan, framework) if is_taught else None
                except RedsError as error:
                    reason = f"the labels of the data cannot be computed ({error})"
                else:
                    return _split(family, model, dataset, teacher)
            else:
                name = source if isinstance(source, str) else dataset.name
                reason = f"data '{name}' has changed since the run"
    if settings.finetune.epochs:
        raise InputError(f"training a member needs the data of the run, but {reason}", "give the data of the run")
    watcher.warn(f"{reason}, so no accuracy is measured and no int8 file is written")
    return MemberData()


def member_calibration(family: FinishedRun, model: Any, data: MemberData, given: Any | None) -> Arrays | None:
    """Return the examples on which files of one more member are calibrated; None if there are none.

    Args:
        family: The family, whose settings say what files are calibrated on.
        model: The model that takes the examples.
        data: The data of the run.
        given: The calibration data if it is given as an object in Python.

    Raises:
        InputError: If calibration data cannot be read or does not fit the model.
    """
    settings = family.settings
    reading = Reading(family.framework, model, settings.finetune.batch_size, settings.seed, settings.stream)
    return calibration_of(settings.calibration, given, data.train, reading).examples


def _split(family: FinishedRun, model: Any, dataset: Dataset, teacher: Any | None) -> MemberData:
    settings = family.settings
    if not settings.finetune.epochs:
        # weights of classes are for training, and nothing was held back if the run had validation data
        holdout = 0.0 if VALIDATION in family.plan.options else settings.holdout
        settings = replace(settings, class_weight=None, holdout=holdout)
    return MemberData(*split_parts(family.framework, model, dataset, settings, teacher=teacher), teacher)
