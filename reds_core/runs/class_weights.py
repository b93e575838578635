"""Weights of classes, which become weights of examples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError
from reds_core.framework.data import Arrays, Data, Stream

BALANCED = "balanced"
_FIX = "give CLASS=WEIGHT[,CLASS=WEIGHT...] such as 0=1,1=5, a dict such as {0: 1.0, 1: 5.0}, or balanced"


def class_weight_text(given: str | Mapping[Any, Any]) -> str:
    """Write the weights of classes as the settings hold them.

    Args:
        given: A dict from the number of a class to its weight, or a text, which is returned as it is.

    Raises:
        InputError: If a class is not a whole number from 0, or a weight not a number.
    """
    if isinstance(given, str):
        return given
    try:
        return ",".join(f"{_class(label)}={float(weight)!r}" for label, weight in given.items())
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"the class weights {given!r} are not weights of numbered classes", _FIX) from error


def _class(label: Any) -> int:
    number = int(label)
    if number != label and str(number) != label:
        raise ValueError(label)
    return number


def parse_class_weight(text: str) -> Mapping[int, float] | None:
    """Read the weights of classes.

    Returns:
        The weight of each class that is named, or None if classes are to be balanced.

    Raises:
        InputError: If the text is malformed, a class is named twice, or a weight is negative or not finite.
    """
    if text == BALANCED:
        return None
    weights: dict[int, float] = {}
    for part in text.split(","):
        label, equals, weight = part.partition("=")
        try:
            number, value = int(label), float(weight)
        except ValueError:
            number, value = -1, math.nan
        if not equals or number < 0 or number in weights or not 0 <= value < math.inf:
            raise InputError(f"the class weight '{part}' is not valid", _FIX)
        weights[number] = value
    return weights


class ClassWeights:
    """The weight of each class, by which the weights of its examples are multiplied."""

    def __init__(self, text: str, train: Data) -> None:
        """Find the weights. For the word balanced, the classes of a stream are counted in one reading of it.

        Args:
            text: The weights, or the word balanced.
            train: The training data, whose labels have the form that `check_data` gives them.

        Raises:
            InputError: If labels are not classes, or a class is named that the training data lacks.
        """
        weights = parse_class_weight(text)
        if weights is None:
            batches: Iterable[Arrays] = train.survey() if isinstance(train, Stream) else (train,)
            counts = _counts(batches)
            present = counts > 0
            self._table = np.ones(len(counts), np.float32)
            self._table[present] = counts.sum() / (present.sum() * counts[present])
            return
        self._table = np.ones(max(weights) + 1, np.float32)
        self._table[list(weights)] = list(weights.values())
        if isinstance(train, Arrays):
            absent = set(weights) - set(np.unique(classes_of(train.y)).tolist())
            if absent:
                raise InputError(
                    f"class {min(absent)} has a weight, but no training example is of that class",
                    "give weights of the classes that occur",
                )

    def weighted(self, data: Arrays) -> Arrays:
        """`data` with weights that include those of the classes."""
        classes = classes_of(data.y)
        factors = np.ones(len(classes), np.float32)
        known = classes < len(self._table)
        factors[known] = self._table[classes[known]]
        return Arrays(data.x, data.y, factors if data.weights is None else data.weights * factors)

    def applied(self, data: Data) -> Data:
        """`data` with such weights, in memory or batch by batch."""
        return data.mapped(self.weighted) if isinstance(data, Stream) else self.weighted(data)


def classes_of(y: Any) -> npt.NDArray[np.int64]:
    """The class of each example, int64 (N,).

    Raises:
        InputError: If labels are not class numbers or one-hot rows, or there are several outputs.
    """
    if isinstance(y, np.ndarray):
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.ndim == 2 and bool(np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1)):
            return np.asarray(y.argmax(axis=1), np.int64)
        if y.ndim == 1 and bool(np.all(y >= 0) and np.all(y == np.floor(y))):
            return np.asarray(y, np.int64)
    what = "has several outputs" if isinstance(y, tuple | Mapping) else "has labels that are not classes"
    raise InputError(
        f"class weights are given, but the data {what}",
        "give sample weights instead: ((x, y, sample_weight), (x, y))",
    )


def _counts(batches: Iterable[Arrays]) -> npt.NDArray[np.int64]:
    """How many examples of each class there are."""
    counts = np.zeros(0, np.int64)
    for batch in batches:
        found = np.bincount(classes_of(batch.y), minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    return counts
