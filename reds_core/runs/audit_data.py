"""The data of an audit: test examples with their classes and groups, and training data for other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray
from reds_core.audit.answers import Answers, answers_of, class_count, true_classes
from reds_core.errors import InputError
from reds_core.framework.data import Arrays, Data, each_batch, joined, sampled
from reds_core.framework.framework import Framework
from reds_core.plan_details import load_details
from reds_core.runs.audited_runs import AuditedRun
from reds_core.runs.dataset import Dataset
from reds_core.runs.folder import VALIDATION
from reds_core.runs.given_data import Splits, read_given
from reds_core.runs.inputs import split_parts
from reds_core.runs.last_exit import to_the_end
from reds_core.system.archive import read_archive

_BATCH_SIZE = 256
_FEW_EXAMPLES = 32
"""Enough to see what kind of labels and outputs there are."""
TEST_GROUPS = "group_test"
"""The array of an .npz file that says to which group each test example belongs."""


@dataclass(frozen=True, eq=False)
class AuditData:
    """The data of an audit.

    Attributes:
        dataset: The data as it was given.
        test: The test data, in the form that the networks take.
        truth: The true class of each example that has one, int64 (N,).
        places: The place of each of them in the test data, int64 (N,).
        names: The names of all classes.
        groups: The group of each of them; None if the data names no groups.
    """

    dataset: Dataset
    test: Data
    truth: IntArray
    places: IntArray
    names: tuple[str, ...]
    groups: tuple[str, ...] | None

    def answers(self, framework: Framework, model: Any, where: Path) -> Answers:
        """Return what a model answers to the examples whose class is known.

        Args:
            framework: The framework of the model.
            model: The model.
            where: Its file, for the message.

        Raises:
            InputError: If it has another number of classes, or if the examples come in another order than before.
        """
        predicted, labels, model = [], [], to_the_end(framework, model)
        for part in each_batch(self.test, _BATCH_SIZE):
            predicted.append(framework.predict(model, part.x))
            labels.append(part.y)
        outputs = np.concatenate(predicted)
        if outputs.ndim != 2 or class_count(outputs) != len(self.names):
            found = f"{class_count(outputs)} classes" if outputs.ndim == 2 else "outputs that are no classes"
            raise InputError(
                f"'{where}' has {found}, where the networks before it have {len(self.names)} classes",
                "audit runs of the same task together",
            )
        self._check_order(true_classes(np.concatenate(labels), len(self.names)), self.places, self.truth)
        return answers_of(outputs[self.places], self.truth)

    def _check_order(self, classes: IntArray, places: IntArray, truth: IntArray) -> None:
        """Refuse test data of which a pass has other classes at some places than the first pass had."""
        if len(classes) <= max(places, default=-1) or not np.array_equal(classes[places], truth):
            raise InputError(
                f"the test data of '{self.dataset.name}' comes in another order in each pass",
                "give test data that is not shuffled, such as the arrays themselves",
            )

    def taken(self, positions: IntArray) -> Arrays:
        """Return some of the examples whose class is known, by their positions in `truth`, in rising order.

        Raises:
            InputError: If the examples come in another order than before.
        """
        places = self.places[positions]
        if isinstance(self.test, Arrays):
            return self.test.take(places)
        parts, start = [], 0
        for batch in each_batch(self.test, _BATCH_SIZE):
            own = places[(places >= start) & (places < start + len(batch))] - start
            if len(own):
                parts.append(batch.take(own))
            start += len(batch)
        found = joined(parts)
        self._check_order(true_classes(found.y, len(self.names)), np.arange(len(positions)), self.truth[positions])
        return found


def read_audit_data(
    source: str | Dataset | Splits,
    groups: Any | None,
    framework: Framework,
    model: Any,
    runs: Sequence[AuditedRun],
) -> AuditData:
    """Read the data of an audit, and check that it is that of the runs and has classes.

    Args:
        source: The data, as `given_data` returns it.
        groups: The group of each test example, (N,) numbers or texts; None to read them from an .npz that has them.
        framework: The framework of the models.
        model: A model that takes the examples.
        runs: The runs.

    Raises:
        InputError: If the data cannot be read, is not that of a run, or has no test data with classes.
    """
    settings = runs[0].settings
    for run in runs:
        if not run.settings.task.is_labelled:
            raise _without_classes(run)
    dataset = read_given(source, None, framework, model, settings)
    for run in runs:
        if run.plan.hashes.data not in (None, dataset.digest):
            raise InputError(
                f"data '{dataset.name}' is not that of the run in '{run.folder}'",
                "give the data that the run was given",
            )
    if dataset.test is None:
        raise InputError(f"data '{dataset.name}' has no test data", "give training and test data")
    test = framework.check_data(model, dataset.test, settings.task, "test data")
    few = sampled(test, _FEW_EXAMPLES, 0)
    if framework.figures(model, few, settings.task).classes is None:
        raise _without_classes(runs[0])
    count = class_count(framework.predict(to_the_end(framework, model), few.x))
    truth = true_classes(np.concatenate([part.y for part in each_batch(test, _BATCH_SIZE)]), count)
    places = np.flatnonzero(truth >= 0)
    if not len(places):
        raise InputError(f"no label of the test data of '{dataset.name}' is a class", "give other data")
    named = _groups(source, groups, len(truth))
    own = None if named is None else tuple(named[place] for place in places)
    return AuditData(dataset, test, truth[places], places, _class_names(runs, count), own)


def _without_classes(run: AuditedRun) -> InputError:
    return InputError(
        f"the networks in '{run.folder}' do not say one class for each example", "audit runs of classifiers"
    )


def training_parts(data: AuditData, framework: Framework, model: Any, run: AuditedRun) -> tuple[Data, Data | None]:
    """Return the training and held-back data of a run, split as the run split them.

    Args:
        data: The data of the audit.
        framework: The framework of the model.
        model: The model that is trained.
        run: The run, whose settings say how many epochs the model is trained for.
    """
    holdout = 0.0 if VALIDATION in run.plan.options else run.settings.holdout
    train, held_back, _ = split_parts(framework, model, data.dataset, replace(run.settings, holdout=holdout))
    return train, held_back


def _class_names(runs: Sequence[AuditedRun], count: int) -> tuple[str, ...]:
    """The names that the run gives its classes, or else their numbers."""
    details = load_details(runs[0].folder)
    if details is not None and len(details.classes) == count:
        return tuple(each.label for each in details.classes)
    return tuple(map(str, range(count)))


def _groups(source: str | Dataset | Splits, given: Any | None, count: int) -> tuple[str, ...] | None:
    """The group of each test example.

    Raises:
        InputError: If groups are neither numbers nor texts, or not as many as there are test examples.
    """
    if given is None and isinstance(source, str) and source != "digits" and Path(source).is_file():
        given = read_archive(Path(source), (TEST_GROUPS,)).get(TEST_GROUPS)
    if given is None:
        return None
    array: npt.NDArray[Any] = np.asarray(given)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    is_named = array.dtype.kind in "biuUS" or (  # a column of a data frame is an array of objects
        array.dtype.kind == "O" and all(isinstance(each, str | int) for each in array.ravel())
    )
    if array.shape != (count,) or not is_named:
        raise InputError(
            f"the groups of the test data have shape {array.shape} and type {array.dtype}",
            f"give one whole number or text for each of the {count} test examples",
        )
    return tuple(each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in array.tolist())
