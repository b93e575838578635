"""Second moments of what layers read, which transforms may ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reds_core.arrays import FloatArray
from reds_core.framework.framework import Framework
from reds_core.network.description import Network

_BATCH_SIZE = 256


def second_moments(
    framework: Framework, model: Any, network: Network, tensors: Iterable[int], x: Any
) -> Mapping[int, FloatArray]:
    """Measure E[x x^T] of the channels of some tensors of a model.

    Args:
        framework: The framework of the model.
        model: The model.
        network: The description of the model.
        tensors: Indices into `network.tensors`, in any order and any number of times.
        x: The examples, as `Framework.second_moments` takes them.

    Returns:
        float64 (channels, channels) for each tensor by its index; empty if the framework does not measure them.
    """
    asked = sorted(set(tensors))
    measured = framework.second_moments(model, network, asked, x, _BATCH_SIZE) if asked else None
    return {} if measured is None else dict(zip(asked, measured, strict=True))
