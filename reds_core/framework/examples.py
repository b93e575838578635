"""Conversion of what users give as examples, labels and weights to arrays, with the checks that need no model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError
from reds_core.framework.data import Arrays, as_examples, columns, each, no_labels

NUMBERS = "biuf"
"""The kinds of NumPy types that examples and labels may have."""


def is_array(value: Any) -> bool:
    """Whether `value` is an array, a tensor or a table of some library, told by its attributes."""
    return hasattr(value, "shape") and (hasattr(value, "dtype") or hasattr(value, "__array__"))


def is_columns(value: Any) -> bool:
    """Whether `value` is a dict, or a list or tuple of arrays, with one array for each input or output."""
    if isinstance(value, Mapping):
        return True
    return isinstance(value, list | tuple) and bool(value) and all(map(is_array, value))


def examples_of(x: Any, y: Any = None, weights: Any = None, *, what: str = "data") -> Arrays:
    """Convert examples, labels and weights to arrays, and check everything that needs no model.

    Args:
        x: an array (N, ...), or a list, tuple or dict of them for models of several inputs. Arrays may be those of
            NumPy, TensorFlow or PyTorch.
        y: labels (N, ...) in the same forms. None if there are none.
        weights: one number for each example, or None.
        what: name of the data in messages, such as "training data".

    Raises:
        InputError: if something is not an array of numbers, is empty or not finite, or the numbers of examples differ.
    """
    x = _converted(x, "examples", what, _examples)
    y = no_labels(len(columns(x)[0])) if y is None else _converted(y, "labels", what, _labels)
    _check_counts(x, y, what)
    data = Arrays(x, y)
    return data if weights is None else Arrays(x, y, _weights(weights, len(data), what))


def _converted(values: Any, role: str, what: str, convert: Any) -> Any:
    """Convert one array, or each of a nest. A list becomes a tuple, and a nest of a single array that array."""
    if not is_columns(values):
        name = what if role == "examples" else f"{role} of the {what}"
        return convert(array_of(values, name), name)
    items = values.items() if isinstance(values, Mapping) else enumerate(values)
    if not values:
        raise InputError(f"the {role} of the {what} are an empty dict", "give an array for each input and output")
    found = {}
    for key, value in items:
        name = f"{role} '{key}' of the {what}" if isinstance(key, str) else f"{role} number {key + 1} of the {what}"
        if is_columns(value):
            raise InputError(f"the {name} are a {type(value).__name__} of arrays", "give one array for each name")
        found[key] = convert(array_of(value, name), name)
    if isinstance(values, Mapping):
        return found
    return tuple(found.values()) if len(found) > 1 else found[0]


def array_of(value: Any, what: str) -> npt.NDArray[Any]:
    """Convert numbers, lists of numbers, or a tensor of a library to an array of NumPy, without a copy if possible.

    Raises:
        InputError: if that is not possible.
    """
    if hasattr(value, "detach"):  # a tensor of PyTorch, which may need gradients or be on another device
        value = value.detach().cpu()
    try:
        array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = "their shapes differ" if "inhomogeneous" in str(error) else type(value).__name__
        raise InputError(f"the {what} cannot become one array ({reason})", "give arrays of numbers") from error
    return array


def _check_counts(x: Any, y: Any, what: str) -> None:
    counts = {len(array) for array in (*columns(x), *columns(y))}
    if len(counts) == 1:
        return
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        raise InputError(f"the {what} has {len(x)} examples and {len(y)} labels", "give one label per example")
    raise InputError(
        f"the arrays of the {what} have different numbers of examples: {_counted(x)} with labels {_counted(y)}",
        "give the same number of each",
    )


def _counted(values: Any) -> str:
    if isinstance(values, Mapping):
        return ", ".join(f"'{name}' {len(array)}" for name, array in values.items())
    return ", ".join(str(len(array)) for array in columns(values))


def layout(data: Arrays) -> str:
    """The names, types and shapes of the arrays, without the number of examples, as text."""

    def one(array: npt.NDArray[Any]) -> str:
        return f"{array.dtype.str}{array.shape[1:]}"

    return repr((each(one, data.x), each(one, data.y), data.weights is not None))


def _finite(array: npt.NDArray[Any], what: str) -> None:
    # checking the extremes needs no array of booleans, and a NaN anywhere makes both NaN
    if not (np.isfinite(array.min()) and np.isfinite(array.max())):
        raise InputError(f"the {what} hold NaN or infinite numbers", "remove or replace them")


def _examples(x: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    if x.dtype.kind not in NUMBERS:
        raise InputError(f"the {what} are of type {x.dtype}, not numbers", "save them as numbers")
    if x.ndim == 0 or x.size == 0:
        raise InputError(f"the {what} are empty (shape {x.shape})", "give at least one example of at least one number")
    with np.errstate(over="ignore"):
        examples = as_examples(x)
    _finite(examples, what)
    return examples


def _labels(y: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    """Labels as int64 (N,) if they are one-dimensional integers, else as float32 or int64 (N, ...)."""
    if y.dtype.kind not in NUMBERS:
        raise InputError(f"the {what} are of type {y.dtype}, not numbers", "give class numbers from 0, or one-hot rows")
    if y.ndim == 0 or y.size == 0:
        raise InputError(f"the {what} are empty", "give one label per example")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind == "f":
        with np.errstate(over="ignore"):
            labels = y.astype(np.float32, copy=False)
        _finite(labels, what)
        return labels
    return y.astype(np.int64, copy=False) if y.ndim != 2 else y.astype(np.float32)


def _weights(weights: Any, count: int, what: str) -> npt.NDArray[np.float32]:
    if is_columns(weights):
        raise InputError(
            f"the sample weights of the {what} are a {type(weights).__name__}", "give one weight for each example"
        )
    found = array_of(weights, f"sample weights of the {what}")
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.shape != (count,) or found.dtype.kind not in NUMBERS:
        raise InputError(
            f"the sample weights of the {what} have shape {found.shape} and type {found.dtype}",
            f"give one number for each of the {count} examples",
        )
    found = found.astype(np.float32)
    _finite(found, f"sample weights of the {what}")
    if found.min() < 0:
        raise InputError(f"the sample weights of the {what} are not all 0 or more", "give weights of 0 or more")
    return found
