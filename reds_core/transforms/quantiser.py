"""Uniform symmetric quantisation of weights, one scale for each output channel."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UniformQuantiser:
    """Rounds weights to integers of `bits` bits times one scale for each output channel.

    The integers range from -(2^(bits - 1) - 1) to 2^(bits - 1) - 1, so that 0 is exact and the range is symmetric.

    Attributes:
        bits: The number of bits, 2 to 8.
    """

    bits: int
