"""Masks of a network of a family that contain the masks of its smaller networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.network import Weight
from reds_sparsity.patterns import Pattern, magnitude_mask


@dataclass(frozen=True, eq=False)
class SmallerMask:
    """The part of a weight that a smaller network has, and how much of it stays there.

    Attributes:
        positions: For each dimension of the weight, the positions that the smaller network has.
        density_percent: The percentage of its weights that stay.
    """

    positions: tuple[IntArray, ...]
    density_percent: int


def nested_mask(
    values: FloatArray, of: Weight, pattern: Pattern, density_percent: int, smaller: Sequence[SmallerMask]
) -> BoolArray:
    """Return which weights stay: those of the smaller networks, filled up with the largest of the others.

    Args:
        values: The weights of the network.
        of: Their description.
        pattern: Which weights may stay.
        density_percent: The percentage of them that stay.
        smaller: The smaller networks, smallest first. Each has a part of the weights of the next.
    """
    forced = np.zeros(values.shape, np.bool_)
    for each in smaller:
        part = np.ix_(*each.positions)
        forced[part] |= magnitude_mask(values[part], of, pattern, each.density_percent, forced[part])
    return magnitude_mask(values, of, pattern, density_percent, forced)
