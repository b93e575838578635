"""Labels in their plain form, and their kind."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError
from reds_tensorflow.task import Activation, Labels, Outputs

_WIDENED = {
    Labels.REAL: {Labels.BINARY, Labels.ONE_HOT},
    Labels.BINARY: {Labels.ONE_HOT},
}
"""Kinds of labels, each with the kinds that some of its examples may seem to have."""


def normalise_labels(
    y: npt.NDArray[Any], outputs: Outputs, what: str, ignored: int | None = None
) -> tuple[npt.NDArray[Any], Labels]:
    """Convert labels to their plain form, and determine their kind.

    Args:
        y: the labels of one output.
        outputs: that output.
        what: name of the labels in messages, such as "labels of the test data".
        ignored: a class number that may be outside the range of classes, since the loss ignores it.

    Returns:
        int64 (N, *leading output dimensions) for class numbers and for zeros and ones of an output of width 1;
        float32 (N, *output shape) otherwise.

    Raises:
        InputError: if their shape or their values do not fit the outputs.
    """
    if y.dtype.kind not in "biuf":
        raise InputError(f"the {what} are not numbers but of type {y.dtype}", "give numbers, such as class numbers")
    whole = bool(np.all(y == np.floor(y)))
    width = outputs.shape[-1] if outputs.shape else 1
    if y.ndim == len(outputs.shape) + 1 and width != 1 and y.shape[-1] == 1:
        y = y[..., 0]
    if _fits(y.shape[1:], outputs.shape) and width != 1:
        if np.all((y == 0) | (y == 1)):
            one_hot = bool(np.all(y.sum(axis=-1) == 1))
            return y.astype(np.float32), Labels.ONE_HOT if one_hot else Labels.BINARY
        return _as_real(y, outputs, what)
    if width == 1 and outputs.shape and _fits(y.shape[1:], outputs.shape):
        y = y[..., 0]
    if not _fits(y.shape[1:], outputs.shape[:-1]):
        raise InputError(
            f"the {what} have shape {y.shape[1:]} per example, but the model outputs {outputs.shape}",
            "give one class number per example, or labels of the shape of the outputs",
        )
    if width == 1:
        if whole and np.all((y == 0) | (y == 1)):
            return y.astype(np.int64), Labels.BINARY
        return _as_real(y, outputs, what)
    if not whole:
        raise InputError(
            f"the {what} are not whole numbers, but the model has {width} outputs", "give class numbers from 0"
        )
    counted = y if ignored is None else y[y != ignored]
    lowest, highest = (int(counted.min()), int(counted.max())) if counted.size else (0, 0)
    if lowest < 0 or (width is not None and highest >= width):
        raise InputError(
            f"the {what} run from {lowest} to {highest}, but the model has {width} outputs",
            f"give class numbers from 0 to {width - 1 if width else '...'}",
        )
    return y.astype(np.int64), Labels.CLASSES


def normalise_labels_as(
    kind: Labels, y: npt.NDArray[Any], outputs: Outputs, what: str, ignored: int | None = None
) -> npt.NDArray[Any]:
    """Convert labels to the plain form of a kind that is known from other examples of the same data.

    Raises:
        InputError: if they do not fit the outputs, or are of another kind.
    """
    plain, found = normalise_labels(y, outputs, what, ignored)
    if found is kind:
        return plain
    if found not in _WIDENED.get(kind, ()):
        raise InputError(
            f"the {what} are {kind.value} in the first examples but {found.value} in a later batch",
            "give labels of one kind in all batches",
        )
    return plain.astype(np.float32)


def computed_labels(y: npt.NDArray[Any], outputs: Outputs, what: str) -> npt.NDArray[np.float32]:
    """Return labels that are the outputs of another network, or the inputs, in the shape of the outputs.

    Args:
        y: such labels, with as many numbers for each example as the output has.
        outputs: that output.
        what: name of the labels in messages.

    Returns:
        float32 (N, *output shape).

    Raises:
        InputError: if an example has another number of labels than the output, or the output cannot have such values.
    """
    if _fits(y.shape[1:], outputs.shape):
        return _as_real(y, outputs, what)[0]
    if None in outputs.shape or math.prod(y.shape[1:]) != math.prod(n or 0 for n in outputs.shape):
        raise InputError(
            f"the {what} would have the shape {y.shape[1:]} per example, but the model outputs {outputs.shape}",
            "give a model with such outputs",
        )
    return _as_real(y.reshape(len(y), *(n or 0 for n in outputs.shape)), outputs, what)[0]


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(w in (None, n) for w, n in zip(wanted, shape, strict=True))


def _as_real(y: npt.NDArray[Any], outputs: Outputs, what: str) -> tuple[npt.NDArray[Any], Labels]:
    """Return labels of one real number per output.

    Raises:
        InputError: if the model ends in a sigmoid, whose range does not contain them, such as masks of 0 and 255.
    """
    lowest, highest = float(y.min()), float(y.max())
    if outputs.activation is Activation.SIGMOID and (lowest < 0 or highest > 1):
        two = bool(np.all((y == lowest) | (y == highest))) and lowest < highest
        told = f"are {lowest:g} and {highest:g}" if two else f"run from {lowest:g} to {highest:g}"
        raise InputError(
            f"the {what} {told}, but the model ends in a sigmoid, whose outputs are between 0 and 1",
            f"divide the labels by {highest:g}" if lowest >= 0 else "scale the labels to between 0 and 1",
        )
    return y.astype(np.float32), Labels.REAL
