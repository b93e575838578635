"""Measures of solver comparisons, computed on plain numbers. The time of an unsolved problem is infinite."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CLOCK_S = 1e-6
"""Resolution of the clock in seconds; shorter times are rounded up to it."""

SHIFT_S = 0.01
"""Shift of shifted geometric means of times, in seconds."""

CONFIDENCE = 0.95
"""Confidence of the intervals of ratios."""

LEAST_FOR_INTERVAL = 5
"""Smallest number of problems from which an interval is computed; fewer hardly vary when they are drawn again."""

_RESAMPLES = 2000


@dataclass(frozen=True)
class Steps:
    """A step function that rises from 0 to at most 1.

    Attributes:
        places: positions of the steps, finite and strictly increasing.
        shares: value of the function from each step on.
    """

    places: tuple[float, ...]
    shares: tuple[float, ...]

    def at(self, place: float) -> float:
        """The value at a position."""
        index = bisect_right(self.places, place)
        return self.shares[index - 1] if index else 0.0

    @property
    def end(self) -> float:
        """The value after the last step."""
        return self.shares[-1] if self.shares else 0.0


def cumulative(numbers: Iterable[float]) -> Steps:
    """The empirical distribution function of `numbers`, of which infinite ones are never reached."""
    every = sorted(numbers)
    count: dict[float, int] = {}
    for rank, number in enumerate(every, start=1):
        if math.isfinite(number):
            count[number] = rank
    return Steps(tuple(count), tuple(rank / len(every) for rank in count.values()))


def performance_profiles(times: Mapping[str, Mapping[str, float]]) -> dict[str, Steps]:
    """Performance profiles: the share of problems that a solver solves within a factor of the fastest solver's time.

    Dolan and Moré, "Benchmarking optimization software with performance profiles", Math. Program. 91 (2002), eq. 1-2.

    Args:
        times: seconds to solve each problem, by solver and problem; infinite if it was not solved. Problems that a
            solver was not run on are missing from its mapping and do not count in its profile.

    Returns:
        By solver, the share of its problems as a function of the factor, from 1; it ends at the share solved.
    """
    fastest: dict[str, float] = {}
    for own in times.values():
        for problem, time in own.items():
            fastest[problem] = min(fastest.get(problem, math.inf), max(time, CLOCK_S))
    return {
        solver: cumulative(max(t, CLOCK_S) / fastest[p] if math.isfinite(t) else math.inf for p, t in own.items())
        for solver, own in times.items()
    }


def geometric_mean(numbers: Sequence[float]) -> float:
    """The geometric mean of one or more positive numbers."""
    return math.exp(math.fsum(map(math.log, numbers)) / len(numbers))


def shifted_geometric_mean(numbers: Sequence[float], shift: float) -> float:
    """The geometric mean of one or more numbers plus `shift`, less `shift`: tiny numbers do not dominate it.

    With the shift of 10 ms that reports use, problems that take far less than that hardly count, as in Mittelmann's
    benchmarks and in Achterberg, "Constraint integer programming" (2007), which shift times of larger problems further.
    """
    return geometric_mean([number + shift for number in numbers]) - shift


@dataclass(frozen=True)
class Ratios:
    """Times of two solvers over the problems that both solved, as multiples of those of the first.

    Attributes:
        count: number of these problems.
        mean: ratio of the shifted geometric means of both.
        interval: bootstrap interval of `mean` over problems, of the level CONFIDENCE; None for fewer problems than
            LEAST_FOR_INTERVAL.
        least, most: smallest and largest ratio.
        least_on, most_on: names of the problems with the smallest and the largest ratio.
    """

    count: int
    mean: float
    interval: tuple[float, float] | None
    least: float
    most: float
    least_on: str
    most_on: str


def time_ratios(reference: Mapping[str, float], other: Mapping[str, float]) -> Ratios | None:
    """Ratios other / reference of the times by problem; None if no problem was solved by both."""
    pairs = {
        problem: (max(reference[problem], CLOCK_S), max(time, CLOCK_S))
        for problem, time in other.items()
        if math.isfinite(time) and math.isfinite(reference.get(problem, math.inf))
    }
    if not pairs:
        return None
    ratios = {problem: second / first for problem, (first, second) in pairs.items()}
    least, most = min(ratios, key=lambda p: ratios[p]), max(ratios, key=lambda p: ratios[p])
    firsts, seconds = ([pair[side] for pair in pairs.values()] for side in (0, 1))
    mean = shifted_geometric_mean(seconds, SHIFT_S) / shifted_geometric_mean(firsts, SHIFT_S)
    return Ratios(len(ratios), mean, _interval(firsts, seconds), ratios[least], ratios[most], least, most)


def _interval(firsts: Sequence[float], seconds: Sequence[float]) -> tuple[float, float] | None:
    """The percentile bootstrap interval of the ratio of shifted geometric means, over pairs drawn with replacement."""
    if len(firsts) < LEAST_FOR_INTERVAL:
        return None
    import numpy as np
    from scipy import stats

    def ratio(own: Any, others: Any, axis: int = -1) -> Any:
        means = (np.exp(np.log(times + SHIFT_S).mean(axis=axis)) - SHIFT_S for times in (own, others))
        first, second = (np.maximum(mean, CLOCK_S) for mean in means)
        return second / first

    found = stats.bootstrap(
        (np.array(firsts), np.array(seconds)), ratio, paired=True, vectorized=True, n_resamples=_RESAMPLES,
        confidence_level=CONFIDENCE, method="percentile", random_state=np.random.default_rng(0),
    )  # fmt: skip
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def relative_loss(best: int, value: int) -> float:
    """(best - value) / |best|; 0 if both are equal, and infinite if the best is 0 and was not reached."""
    if value == best:
        return 0.0
    return (best - value) / abs(best) if best else math.inf


@dataclass(frozen=True)
class Typical:
    """Median and maximum of values by problem, of which smaller ones are better.

    Attributes:
        count: number of values.
        median, worst: median and maximum.
        worst_on: name of the problem with the maximum.
    """

    count: int
    median: float
    worst: float
    worst_on: str


def spread(figures: Mapping[str, float]) -> Typical | None:
    """Median and maximum of values by problem; None if there are no values."""
    if not figures:
        return None
    worst = max(figures, key=lambda p: figures[p])
    return Typical(len(figures), statistics.median(figures.values()), figures[worst], worst)
