"""Levels that are offered for layers, and what the measurements of their losses have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.framework.projection import has_second_moments
from reds_core.framework.second_moments import second_moments
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.transforms.transform import Transform


class LevelsOffered(Protocol):
    """The levels that a transform offers for one layer."""

    @property
    def site(self) -> str:
        """The name of the layer."""

    @property
    def transform(self) -> Transform:
        """The transform."""

    @property
    def levels(self) -> IntArray:
        """The levels in rising order, int64 (levels,). The last leaves the layer as it is."""


def moments_of_sites(measuring: LossMeasurement, sites: Sequence[str]) -> Mapping[str, FloatArray]:
    """Measure the second moments of what some layers read, by the name of the layer; empty if they cannot be."""
    reads = {layer.name: layer.inputs[0] for layer in reversed(measuring.network.layers) if layer.name in sites}
    tensors = [index for index in reads.values() if has_second_moments(measuring.network, index)]
    by_tensor = second_moments(measuring.framework, measuring.model, measuring.network, tensors, measuring.examples.x)
    return {site: by_tensor[tensor] for site, tensor in reads.items() if tensor in by_tensor}


def falling(values: FloatArray) -> FloatArray:
    """Return the isotonic regression of some values: the nearest values by least squares that never rise.

    Args:
        values: float64 (n,).
    """
    blocks: list[tuple[float, int]] = []  # mean and length of stretches that are pooled
    for value in values:
        mean, length = float(value), 1
        while blocks and blocks[-1][0] < mean:
            before, count = blocks.pop()
            mean, length = (before * count + mean * length) / (count + length), count + length
        blocks.append((mean, length))
    return np.repeat([mean for mean, _ in blocks], [length for _, length in blocks]).astype(np.float64)
