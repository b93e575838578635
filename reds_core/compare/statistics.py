"""Means over seeds and how sure they are: sample deviations, paired differences, Student's interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


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
    """The quantile of Student's distribution that bounds a two-sided interval of the confidence used here.

    Args:
        freedom: degrees of freedom, 1 or more.
    """
    from scipy import stats

    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))
