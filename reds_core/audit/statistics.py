"""Intervals and tests: how sure a share is, whether two populations differ, and corrections for many tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from reds_core.arrays import FloatArray

CONFIDENCE = 0.95
SIGNIFICANCE = 0.05
Interval = tuple[float, float]
_DECIMALS = 12
"""To how many decimals standard deviations of shares are rounded, so that those of equal shares are 0."""


def wilson_interval(count: int, total: int) -> Interval | None:
    """Return the 95 % score interval of Wilson (1927) of a share of `count` in `total`; None if `total` is 0."""
    from scipy.stats import binomtest

    if not total:
        return None
    found = binomtest(count, total).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def mean_interval(values: FloatArray, least: float = -math.inf, most: float = math.inf) -> Interval | None:
    """Return Student's 95 % interval of the mean of a population.

    Args:
        values: one for each network.
        least: the least that the mean can be.
        most: the most that it can be.

    Returns:
        None for fewer than two values, or if none differs from the others, since then nothing says how much they vary.
    """
    from scipy.stats import t

    spread = _spread(values)
    if not spread:
        return None
    reach = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * spread / math.sqrt(len(values))
    middle = float(np.mean(values))
    return max(middle - reach, least), min(middle + reach, most)


def _spread(values: FloatArray) -> float:
    """Return the standard deviation over a population; 0 for fewer than two values."""
    return float(np.round(np.std(values, ddof=1), _DECIMALS)) if len(values) > 1 else 0.0


def share_interval(shares: FloatArray, total: int) -> Interval | None:
    """Return the 95 % interval of a share: Wilson's for one network, Student's over several.

    Args:
        shares: the share that each network reaches, from 0 to 1.
        total: the number of examples that it is a share of.
    """
    if len(shares) == 1:
        return wilson_interval(round(float(shares[0]) * total), total)
    return mean_interval(shares, 0.0, 1.0)


def welch(first: FloatArray, second: FloatArray) -> float | None:
    """Return the two-sided p-value of Welch's t-test (1947) that two populations have the same mean.

    Args:
        first: the values of one population.
        second: those of the other.

    Returns:
        None for fewer than two values in a population, or if no value differs from the others of its population, since
        then nothing says how much they vary.
    """
    from scipy.stats import ttest_ind_from_stats

    if min(len(first), len(second)) < 2:
        return None
    spreads = [_spread(first), _spread(second)]
    if not any(spreads):
        return None
    found = ttest_ind_from_stats(
        float(first.mean()), spreads[0], len(first), float(second.mean()), spreads[1], len(second), equal_var=False
    )
    return float(found.pvalue)


def mcnemar(lost: Sequence[int], won: Sequence[int]) -> float:
    """Return the two-sided p-value of McNemar's test (1947) in its exact form, by the binomial distribution.

    Of several pairs of networks, it is twice the median of the p-values in the direction of the mean change, which is
    valid however the pairs depend on each other (Meinshausen, Meier and Buehlmann, 2009).

    Args:
        lost: the number of examples that only the first network of each pair recognises.
        won: the number of those that only the second recognises.
    """
    from scipy.stats import binom

    fewer, more = (won, lost) if sum(lost) > sum(won) else (lost, won)
    tails = [float(binom.cdf(a, a + b, 0.5)) for a, b in zip(fewer, more, strict=True)]
    return min(1.0, 2 * (2 if len(tails) > 1 else 1) * float(np.median(tails)))


def adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted by Benjamini and Hochberg (1995), which limits the share of false findings.

    Args:
        p_values: those of all tests; None for a test that could not be made, which does not count.
    """
    from scipy.stats import false_discovery_control

    known = [p for p in p_values if p is not None]
    corrected = iter(false_discovery_control(known).tolist() if known else [])
    return [None if p is None else float(next(corrected)) for p in p_values]
