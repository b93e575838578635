"""Means over seeds and how sure they are: sample deviations, and paired differences with Student's test."""

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
        mean: the mean.
        deviation: the sample standard deviation (n - 1); None for one seed.
        n: the number of seeds.
    """

    mean: float
    deviation: float | None
    n: int


def spread(figures: Sequence[float]) -> Spread | None:
    """Return mean and deviation of figures, or None if there are none."""
    if not figures:
        return None
    deviation = statistics.stdev(figures) if len(figures) > 1 else None
    return Spread(statistics.fmean(figures), deviation, len(figures))


@dataclass(frozen=True)
class Difference:
    """How far one contender is above another, paired by seed, since both saw the same draws.

    Attributes:
        mean: the mean of the differences at each seed that both have.
        error: the standard error of that mean: sample deviation of the differences / sqrt(n); None for one seed.
        n: the number of seeds that both have.
        p_value: of the paired two-sided t-test, whose hypothesis is that the mean difference is 0; None for one seed,
            and if all differences are equal, for which the test is not defined.
        detectable: the smallest mean difference that the test would have called significant with this deviation and
            this number of seeds: half of the confidence interval of the mean; None without a test.
    """

    mean: float
    error: float | None
    n: int
    p_value: float | None
    detectable: float | None

    @property
    def is_significant(self) -> bool | None:
        """Whether 0 lies outside the confidence interval of the mean; None without a test."""
        return None if self.p_value is None else self.p_value < 1 - CONFIDENCE


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """How far `first` is above `second`, both by seed; None if no seed has both."""
    seeds = sorted(first.keys() & second.keys())
    found = spread([first[seed] - second[seed] for seed in seeds])
    if found is None:
        return None
    if found.deviation is None:
        return Difference(found.mean, None, found.n, None, None)
    error = found.deviation / math.sqrt(found.n)
    if math.isclose(abs(found.mean) + found.deviation, abs(found.mean), rel_tol=1e-9):
        # rounding alone makes the differences unequal, which a t-test cannot divide by
        return Difference(found.mean, error, found.n, None, None)
    from scipy import stats

    test = stats.ttest_rel([first[seed] for seed in seeds], [second[seed] for seed in seeds])
    interval = test.confidence_interval(CONFIDENCE)
    return Difference(found.mean, error, found.n, float(test.pvalue), float(interval.high - interval.low) / 2)
