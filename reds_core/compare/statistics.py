"""Means over seeds and how sure they are: sample deviations, paired differences, Student's interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
# Student's t at 97.5 %, by degrees of freedom 1 to 30
_CRITICAL = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL = 1.959964


@dataclass(frozen=True)
class Spread:
    """A figure over seeds.

    Attributes:
        deviation: sample standard deviation (n - 1); None for one seed.
        n: seeds.
    """

    mean: float
    deviation: float | None
    n: int


def spread(figures: Sequence[float]) -> Spread | None:
    """Mean and deviation of figures; None where there are none."""
    if not figures:
        return None
    deviation = statistics.stdev(figures) if len(figures) > 1 else None
    return Spread(statistics.fmean(figures), deviation, len(figures))


@dataclass(frozen=True)
class Difference:
    """How far one contender is above another, paired by seed: both saw the same draws.

    Attributes:
        mean: of the differences at each seed that both have.
        error: standard error of that mean: sample deviation of the differences / sqrt(n); None for one seed.
        n: seeds that both have.
    """

    mean: float
    error: float | None
    n: int

    @property
    def exceeds_spread(self) -> bool | None:
        """Whether zero lies outside Student's two-sided 95 % interval of the mean; None where one seed cannot tell."""
        if self.error is None:
            return None
        return abs(self.mean) > critical_t(self.n - 1) * self.error


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """How far `first` is above `second`, both by seed; None where no seed has both."""
    differences = [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]
    found = spread(differences)
    if found is None:
        return None
    error = None if found.deviation is None else found.deviation / math.sqrt(found.n)
    return Difference(found.mean, error, found.n)


def critical_t(freedom: int) -> float:
    """Student's t at 97.5 % with so many degrees of freedom, 1 or more, to three digits behind the point.

    Above the table the expansion of Fisher (Abramowitz and Stegun, 26.7.5).
    """
    if freedom <= len(_CRITICAL):
        return _CRITICAL[freedom - 1]
    z = _NORMAL
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
