"""Sample models: the small networks on which the conformance kit tries a framework, or a plugin of layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

BuiltSample = tuple[Any, npt.NDArray[Any], npt.NDArray[Any]]
"""A model of the framework, examples (N, *input shape) and their labels as the model's loss takes them."""


@dataclass(frozen=True)
class SampleModel:
    """A small model with data.

    The conformance kit trains, cuts, saves and exports it, so a few thousand parameters and some 50 examples are
    enough. Its weights must be random but such that its outputs vary over the examples: a network that answers
    everything alike hides every mistake.

    Attributes:
        name: names the model in the report.
        build: makes the model with its data: one input, one output, and the same weights and data at every call.
        loss: as in `Task`; None lets the framework choose by labels and outputs.
        metric: as in `Task`; None means accuracy.
        macs: the multiply-accumulates of one inference, counted by hand; None where nobody counted them.
        warns: whether describing it gives warnings, because some of its channels must stay.
    """

    name: str
    build: Callable[[], BuiltSample]
    loss: str | None = None
    metric: str | None = None
    macs: int | None = None
    warns: bool = False
