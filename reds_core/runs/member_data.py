"""The data of a finished run, read again for one more member of its family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reds_core.errors import InputError, RedsError
from reds_core.framework.data import Arrays, Data
from reds_core.runs.class_weights import ClassWeights
from reds_core.runs.dataset import OBJECTS, Dataset
from reds_core.runs.finished_family import FinishedFamily
from reds_core.runs.folder import VALIDATION
from reds_core.runs.given_data import Splits, read_given
from reds_core.runs.inputs import examples_in_memory
from reds_core.runs.splitting import split_validation
from reds_core.watcher import Watcher


@dataclass(frozen=True, eq=False)
class MemberData:
    """The data for one member.

    Attributes:
        train: Training examples; None if the data of the run cannot be used.
        validation: Examples that are held back from training, or None.
        test: Examples on which accuracies are measured, or None.
    """

    train: Data | None = None
    validation: Data | None = None
    test: Data | None = None

    @property
    def calibration(self) -> Arrays | None:
        """Training examples in memory, on which int8 files are calibrated; None without training data."""
        return None if self.train is None else examples_in_memory(self.train)


def read_member_data(
    family: FinishedFamily, model: Any, given: str | Dataset | Splits | None, watcher: Watcher
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
                return _split(family, model, dataset)
            name = source if isinstance(source, str) else dataset.name
            reason = f"data '{name}' has changed since the run"
    if settings.finetune.epochs:
        raise InputError(f"training a member needs the data of the run, but {reason}", "give the data of the run")
    watcher.warn(f"{reason}, so no accuracy is measured and no int8 file is written")
    return MemberData()


def _split(family: FinishedFamily, model: Any, dataset: Dataset) -> MemberData:
    """The training, validation and test data, checked, and with the weights of classes if it is for training."""
    settings, framework, validation = family.settings, family.framework, dataset.validation
    task, finetune = settings.task, settings.finetune
    train = framework.check_data(model, dataset.train, task, "training data")
    if validation is not None:
        validation = framework.check_data(model, validation, task, "validation data")
    test = None if dataset.test is None else framework.check_data(model, dataset.test, task, "test data")
    if finetune.epochs:
        framework.check_finetuning(model, train, finetune)
        if settings.class_weight is not None:
            weights = ClassWeights(settings.class_weight, train)
            train, validation = weights.applied(train), None if validation is None else weights.applied(validation)
    holds_back = finetune.epochs or VALIDATION not in family.plan.options  # validation data of the run is not at hand
    if validation is None and isinstance(train, Arrays) and settings.holdout and len(train) > 1 and holds_back:
        train, validation = split_validation(train, settings.holdout, settings.seed)
    return MemberData(train, validation, test)
