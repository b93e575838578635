"""What networks are trained for and measured by: a loss and a metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """How outputs are compared with labels.

    From Python, losses and metrics may also be functions or objects of the framework and, for models of several
    outputs, lists in the order of the outputs or dicts by name of the output.

    Attributes:
        loss: The name of a loss of the framework, with arguments in brackets if it needs any. None means the
            crossentropy that fits the labels and the last activation. A last softmax means probabilities, any other
            activation logits.
        metric: The name of a metric of the framework, with arguments in brackets if it needs any. None means accuracy.
        loss_weights: The weight of the loss of each output in the total loss, in the order of the outputs or by their
            names. None means 1 for all.
    """

    loss: Any = None
    metric: Any = None
    loss_weights: Any = None

    def described(self) -> Task:
        """Return the same task with texts in place of objects, for records."""
        return Task(_as_text(self.loss), _as_text(self.metric), _as_text(self.loss_weights))


def _as_text(value: Any) -> Any:
    """Return None, a text or a number as it is, and the names of all other objects."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_as_text(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(_as_text(one)) for one in value)
    return str(getattr(value, "__name__", None) or getattr(value, "name", None) or type(value).__name__)
