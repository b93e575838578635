"""Measures of solver comparisons, computed on plain numbers. The time of an unsolved problem is infinite."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

CLOCK_S = 1e-6
"""Resolution of the clock in seconds; shorter times are rounded up to it."""


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
    """The geometric mean of one or more numbers plus `shift`, less `shift`: tiny numbers do not dominate it."""
    return geometric_mean([number + shift for number in numbers]) - shift


@dataclass(frozen=True)
class Ratios:
    """Time ratios of two solvers over the problems that both solved.

    Attributes:
        count: number of these problems.
        mean: geometric mean of the ratios.
        least, most: smallest and largest ratio.
        least_on, most_on: names of the problems with the smallest and the largest ratio.
    """

    count: int
    mean: float
    least: float
    most: float
    least_on: str
    most_on: str


def time_ratios(reference: Mapping[str, float], other: Mapping[str, float]) -> Ratios | None:
    """Ratios other / reference of the times by problem; None if no problem was solved by both."""
    ratios = {
        problem: max(time, CLOCK_S) / max(reference[problem], CLOCK_S)
        for problem, time in other.items()
        if math.isfinite(time) and math.isfinite(reference.get(problem, math.inf))
    }
    if not ratios:
        return None
    least, most = min(ratios, key=lambda p: ratios[p]), max(ratios, key=lambda p: ratios[p])
    mean = geometric_mean(list(ratios.values()))
    return Ratios(len(ratios), mean, ratios[least], ratios[most], least, most)


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
