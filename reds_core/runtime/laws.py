"""The numbers by which the governors `threshold` and `pi` decide, for Python and for the C code on devices alike.

`reds_governor.c` decides by the same numbers. Both use integers only, and divisions round towards zero as in C99.
"""

from __future__ import annotations

from dataclasses import dataclass

LARGEST = 2**62
"""No product or sum of these laws gets larger."""


@dataclass(frozen=True)
class ThresholdLaw:
    """The member follows the charge of the battery, with hysteresis.

    Attributes:
        rungs: The members to choose from, by their indices, from the least energy to the most.
        rising_nJ: The charge from which each rung gives way to the next larger one; one fewer than rungs.
        falling_nJ: The charge below which the larger one gives way again; each less than `rising_nJ`.
    """

    rungs: tuple[int, ...]
    rising_nJ: tuple[int, ...]
    falling_nJ: tuple[int, ...]


@dataclass(frozen=True)
class ProportionalIntegralLaw:
    """The energy of an inference follows the charge of the battery and its history.

    Attributes:
        rungs: The members to choose from, by their indices, from the least energy to the most.
        energies_nJ: The energy of an inference of each of them, in nanojoules.
        target_nJ: The charge that is aimed at, in nanojoules.
        shift: The base-2 logarithm of the number of requests over which an excess of charge is spent.
    """

    rungs: tuple[int, ...]
    energies_nJ: tuple[int, ...]
    target_nJ: int
    shift: int


Law = ThresholdLaw | ProportionalIntegralLaw


def quotient(dividend: int, divisor: int) -> int:
    """The quotient rounded towards zero, as C divides."""
    size = abs(dividend) // divisor
    return size if dividend >= 0 else -size
