"""The measures of solver comparisons, on plain numbers. A time that does not exist is infinite."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

CLOCK_S = 1e-6
"""Times below this, in seconds, count as this: no clock tells them apart."""


@dataclass(frozen=True)
class Steps:
    """A share that rises in steps.

    Attributes:
        places: where it rises; strictly rising, finite.
        shares: the share from each place on, 0..1.
    """

    places: tuple[float, ...]
    shares: tuple[float, ...]

    def at(self, place: float) -> float:
        """The share at a place."""
        index = bisect_right(self.places, place)
        return self.shares[index - 1] if index else 0.0

    @property
    def end(self) -> float:
        """The share in the end."""
        return self.shares[-1] if self.shares else 0.0


def cumulative(numbers: Iterable[float]) -> Steps:
    """The share of `numbers` that are at most x, for each finite x among them."""
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
        times: by solver and problem the seconds to solve it, infinite where it did not; problems that a solver was not
            given are left out of its mapping, and of its shares.

    Returns:
        By solver the share of its problems against the factor, from 1; it ends at the share solved.
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
    """The geometric mean of positive numbers, of which there is at least one."""
    return math.exp(math.fsum(map(math.log, numbers)) / len(numbers))


@dataclass(frozen=True)
class Ratios:
    """How many times as long another takes, over the problems that both solved.

    Attributes:
        count: such problems.
        mean: the geometric mean.
        least, most: the range.
        least_on, most_on: the problems of the range's ends.
    """

    count: int
    mean: float
    least: float
    most: float
    least_on: str
    most_on: str


def time_ratios(reference: Mapping[str, float], other: Mapping[str, float]) -> Ratios | None:
    """other / reference, by problem; None where no problem was solved by both."""
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
    """(best - value) / |best|: 0 where equal, infinite where the best is 0 and not reached."""
    if value == best:
        return 0.0
    return (best - value) / abs(best) if best else math.inf


@dataclass(frozen=True)
class Typical:
    """The middle and the worst of figures that are better when smaller.

    Attributes:
        count: figures.
        median, worst: of them.
        worst_on: the problem of the worst.
    """

    count: int
    median: float
    worst: float
    worst_on: str


def spread(figures: Mapping[str, float]) -> Typical | None:
    """The spread of figures by problem; None where there is none."""
    if not figures:
        return None
    worst = max(figures, key=lambda p: figures[p])
    return Typical(len(figures), statistics.median(figures.values()), figures[worst], worst)
