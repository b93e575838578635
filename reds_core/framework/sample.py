"""Sample models: small networks with which the conformance kit tests frameworks and layer plugins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

BuiltSample = tuple[Any, npt.NDArray[Any], npt.NDArray[Any]]
"""A model of the framework, examples (N, *input shape), and labels in a form that the model's loss takes."""


@dataclass(frozen=True)
class SampleModel:
    """A small model with data.

    The conformance kit trains, extracts, saves and exports it, so a few thousand parameters and some 50 examples are
    enough. Its weights must be random, and its outputs must vary over the examples, since a constant output would hide
    errors.

    Attributes:
        name: name of the model in the report.
        build: returns the model, which has one input and one output, with its data. Every call must return the same
            weights and data.
        loss: the loss, as in `Task`; None lets the framework choose it by labels and outputs.
        metric: the metric, as in `Task`; None means accuracy.
        macs: multiply-accumulates of one inference, counted by hand, or None.
        warns: whether describing the model gives warnings, because some of its channels cannot be pruned.
    """

    name: str
    build: Callable[[], BuiltSample]
    loss: str | None = None
    metric: str | None = None
    macs: int | None = None
    warns: bool = False
