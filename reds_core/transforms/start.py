"""What is known of a weight when a network starts to compute with a projection of it."""

from __future__ import annotations

from dataclasses import dataclass

from reds_core.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Smaller:
    """The part of a weight that a smaller network of the same family has.

    Attributes:
        level: The level that the smaller network has of the same dimension, which does not leave the layer as it is.
        positions: For each dimension of the weight, the positions that the smaller network has, int64, rising.
    """

    level: int
    positions: tuple[IntArray, ...]


@dataclass(frozen=True, eq=False)
class Start:
    """A weight when a training, a measurement or an extraction starts.

    Attributes:
        values: The values of the weight, float64, in the channels of the network that starts.
        inputs: The second moments E[x x^T] of the channels that the layer reads, over examples and positions, float64
            (channels, channels). None if they are not asked for, or if there is no data.
        smaller: The parts of smaller networks of the family, smallest first, for projections that nest.
    """

    values: FloatArray
    inputs: FloatArray | None = None
    smaller: tuple[Smaller, ...] = ()
