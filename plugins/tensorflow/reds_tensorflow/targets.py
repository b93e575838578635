"""Labels in the forms that losses and metrics take."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from enum import Enum
from typing import Any

import keras
import numpy as np

from reds_tensorflow.task import Labels, Outputs


class Form(Enum):
    """The form of labels that a loss or a metric takes."""

    SPARSE = "class numbers"
    DENSE = "the shape of the outputs"
    PLAIN = "as they are"


@dataclass(frozen=True)
class TakesLabels:
    """What a loss and a metric have in common.

    Attributes:
        name: its name in messages.
        form: the form of labels that it takes.
        ignored: class number that it ignores, or None.
    """

    name: str
    form: Form
    ignored: int | None


def form_for(given: Any, found: Any) -> Form:
    """Return the form that a loss or a metric takes.

    What Keras provides and what is given by its name takes class numbers if its name says so, otherwise labels of the
    shape of the outputs. The user's own functions and objects take labels as they are, as with `compile`.

    Args:
        given: what the user gives: a name, a function, a class or an object.
        found: the function or the object.
    """
    sparse = getattr(found, "sparse_y_true", None)
    if isinstance(sparse, bool):
        return Form.SPARSE if sparse else Form.DENSE
    if isinstance(given, str):
        return Form.SPARSE if "sparse" in given.lower() else Form.DENSE
    inner = getattr(found, "_fn", found)  # that of an object which wraps a function
    named = inner if inspect.isfunction(inner) else type(inner)
    if named.__module__.partition(".")[0] != "keras":
        return Form.PLAIN
    return Form.SPARSE if "sparse" in named.__name__.lower() else Form.DENSE


def converted(y: Any, labels: Labels, form: Form, outputs: Outputs) -> Any:
    """Convert plain labels, an array or a tensor, to a form."""
    classes = outputs.shape[-1] if outputs.shape else None
    if labels is Labels.CLASSES:
        return y if form is not Form.DENSE or classes is None else _one_hot(y, classes)
    if labels is Labels.ONE_HOT and form is Form.SPARSE:
        if isinstance(y, np.ndarray):
            return y.argmax(axis=-1).astype(np.int64)
        return keras.ops.cast(keras.ops.argmax(y, axis=-1), "int64")
    if classes == 1 and len(y.shape) == len(outputs.shape):
        widened = y[..., None]
        return widened.astype(np.float32) if isinstance(y, np.ndarray) else keras.ops.cast(widened, "float32")
    return y


def _one_hot(y: Any, classes: int) -> Any:
    """Return one-hot rows, which are zero for numbers that are no class."""
    if isinstance(y, np.ndarray):
        return (y[..., None] == np.arange(classes)).astype(np.float32)
    return keras.ops.one_hot(y, classes, dtype="float32")
