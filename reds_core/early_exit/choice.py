"""The choice of thresholds on held-back examples: the most right answers within a cost, or the least cost.

Where an example leaves depends on all thresholds before, so the choice does not decompose into one per exit. All
combinations of some levels of thresholds are counted instead, at once, from cumulative histograms. On N examples, every
threshold is as good as one of N + 1 levels. Where all of these fit, as for one early exit and, up to about a thousand
examples, for two, the choice is optimal among all policies of thresholds. Otherwise levels are quantiles, and what is
chosen is improved pair by pair with all levels, or as many as fit, until no pair improves it: then no policy that
differs in two thresholds of these levels is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.early_exit.policy import NEVER, ExitAnswers

MOST_POLICIES = 2**21
"""How many policies are counted at once."""
Numbers = IntArray | FloatArray
_TOLERANCE = 1e-9
"""By what share a cost may be above a limit, because sums of costs are rounded."""


@dataclass(frozen=True)
class Choice:
    """Thresholds, and what they reach on the examples on which they were chosen.

    Attributes:
        thresholds: One for each exit but the last.
        right: The number of right answers.
        cost: The mean cost.
        is_optimal: Whether no other thresholds are better on these examples. Otherwise none are that differ in one or
            two exits.
    """

    thresholds: tuple[float, ...]
    right: int
    cost: float
    is_optimal: bool


@dataclass(frozen=True, eq=False)
class Policies:
    """All combinations of some levels of thresholds.

    Attributes:
        levels: The levels of each exit but the last, rising.
        right: The number of right answers of each combination, int64 (levels of the first exit, of the second, ...).
        cost: Its mean cost, float64 of the same shape.
        is_complete: Whether every threshold is as good as one of the levels.
    """

    levels: tuple[FloatArray, ...]
    right: IntArray
    cost: FloatArray
    is_complete: bool

    def front(self) -> tuple[Choice, ...]:
        """Return the policies that no other one beats in right answers and cost, the cheapest first."""
        right, cost = self.right.ravel(), self.cost.ravel()
        order = np.lexsort((-right, cost))
        most = np.maximum.accumulate(right[order])
        is_better = np.concatenate([[True], most[1:] > most[:-1]])
        return tuple(self._choice(int(place)) for place in order[is_better])

    def most_accurate(self, limit: float) -> Choice | None:
        """Return the policy with the most right answers whose mean cost is at most `limit`, the cheapest of these."""
        return self._best(-self.right.ravel(), self.cost.ravel(), self.cost.ravel() <= limit)

    def cheapest(self, least_right: int) -> Choice | None:
        """Return the policy of the lowest mean cost with at least so many right answers, the most accurate of these."""
        return self._best(self.cost.ravel(), -self.right.ravel(), self.right.ravel() >= least_right)

    def _best(self, first: Numbers, second: Numbers, allowed: BoolArray) -> Choice | None:
        """Return the allowed policy with the lowest first number, and of these with the lowest second one."""
        places = np.flatnonzero(allowed)
        if not len(places):
            return None
        places = places[first[places] == first[places].min()]
        return self._choice(int(places[second[places].argmin()]))

    def _choice(self, place: int) -> Choice:
        levels = np.unravel_index(place, self.right.shape)
        thresholds = tuple(float(each[level]) for each, level in zip(self.levels, levels, strict=True))
        return Choice(thresholds, int(self.right.flat[place]), float(self.cost.flat[place]), self.is_complete)


def levels_of(confidences: FloatArray, most: int, *, is_integer: bool = False, never: float = NEVER) -> FloatArray:
    """Return thresholds of an exit: 0, between confidences of neighbouring examples, and one above all confidences.

    Args:
        confidences: Those of the exit on all examples, (N,).
        most: The largest number of thresholds, at least 2. If there are more confidences, they are quantiles.
        is_integer: Whether thresholds are whole numbers, as confidences then are.
        never: The last threshold.
    """
    values = np.unique(confidences)
    if len(values) + 1 > most:
        places = np.linspace(0, len(confidences) - 1, most - 1).astype(np.int64)
        values = np.unique(np.sort(confidences)[places])
    between = (values[:-1] + values[1:]) / 2
    if is_integer:
        between = np.ceil(between)
    between = np.where(between > values[:-1], between, values[1:])
    return np.concatenate([[0.0], between, [never]])


def count_policies(answers: ExitAnswers, levels: Sequence[FloatArray]) -> Policies:
    """Count the right answers and the cost of all combinations of thresholds.

    Args:
        answers: What the exits answer.
        levels: The thresholds of each exit but the last, rising.
    """
    shape = tuple(len(each) for each in levels)
    bins = tuple(size + 1 for size in shape)
    reached = [np.searchsorted(own, c, side="right") for own, c in zip(levels, answers.confidences, strict=True)]
    right, cost = np.zeros(shape, np.int64), np.zeros(shape)
    for exit_, (own_right, own_cost) in enumerate(zip(answers.right, answers.costs, strict=True)):
        is_early = exit_ < len(shape)
        read = bins[: exit_ + 1] if is_early else bins
        places = np.ravel_multi_index(tuple(reached[: len(read)]), read)
        padding = (1,) * (len(bins) - len(read))
        for chosen, total, each in ((places[own_right], right, 1), (places, cost, own_cost / answers.examples)):
            counts = _leaving(np.bincount(chosen, minlength=math.prod(read)).reshape(read), is_early)
            total += (counts * each).reshape(counts.shape + padding)
    is_complete = all(
        len(np.unique(own_reached)) == len(np.unique(own))
        for own_reached, own in zip(reached, answers.confidences, strict=True)
    )
    return Policies(tuple(levels), right, cost, is_complete)


def _leaving(counts: npt.NDArray[np.int_], is_early: bool) -> npt.NDArray[np.signedinteger[Any]]:
    """Return how many examples leave at an exit for each combination of levels, given how many there are in each bin.

    The bin of an example at an exit is the number of levels that it reaches. It leaves there at each of these levels,
    and goes on at each higher one.

    Args:
        counts: The number of examples in each bin of the exits up to this one, or of all early ones for the last exit.
        is_early: Whether the last axis is that of the exit itself.
    """
    counts = counts.astype(np.int32)  # half as much to move through memory, which is what takes the time
    for axis in range(counts.ndim - is_early):
        np.cumsum(counts, axis=axis, out=counts)
    if is_early:
        total = counts.sum(axis=-1, keepdims=True)
        np.subtract(total, np.cumsum(counts, axis=-1, out=counts), out=counts)
    return counts[(slice(-1),) * counts.ndim]


_Best = Callable[[Policies], Choice | None]
_Rank = Callable[[Choice], tuple[float, float]]


@dataclass(frozen=True, eq=False)
class ThresholdSearch:
    """Looks for thresholds on held-back examples.

    Attributes:
        answers: What the exits answer to these examples.
        is_integer: Whether confidences and thresholds are whole numbers.
        never: A threshold above all confidences.
        most_policies: How many policies are counted at once.
    """

    answers: ExitAnswers
    is_integer: bool = False
    never: float = NEVER
    most_policies: int = MOST_POLICIES

    @cached_property
    def _first(self) -> Policies:
        """All combinations of as many levels of each exit as can be counted at once."""
        count = self.answers.exits - 1
        most = max(int(self.most_policies ** (1 / count)), 2)
        return count_policies(self.answers, [self._levels(place, most) for place in range(count)])

    @cached_property
    def front(self) -> tuple[Choice, ...]:
        """The policies of the first count that no other one beats in right answers and cost, the cheapest first."""
        return self._first.front()

    def most_accurate(self, highest_cost: float) -> Choice | None:
        """Return the thresholds with the most right answers within a mean cost, the cheapest of them.

        Returns:
            None if no policy is as cheap, because the first exit already costs more.
        """
        limit = highest_cost * (1 + _TOLERANCE)
        return self._improved(lambda found: found.most_accurate(limit), lambda found: (found.right, -found.cost))

    def cheapest(self, least_right: int) -> Choice | None:
        """Return the thresholds of the lowest mean cost with at least so many right answers.

        Returns:
            None if no policy has as many.
        """
        return self._improved(lambda found: found.cheapest(least_right), lambda found: (-found.cost, found.right))

    def _levels(self, place: int, most: int) -> FloatArray:
        own = self.answers.confidences[place]
        return levels_of(own, most, is_integer=self.is_integer, never=self.never)

    def _improved(self, best: _Best, rank: _Rank) -> Choice | None:
        """Return the best policy of the first count, improved pair by pair unless it is optimal."""
        found = best(self._first)
        if found is None or found.is_optimal:
            return found
        pairs = list(combinations(range(self.answers.exits - 1), min(2, self.answers.exits - 1)))
        most = max(int(self.most_policies ** (1 / len(pairs[0]))), 2)
        is_improved = len(found.thresholds) > 2  # all pairs of two thresholds are already counted
        while is_improved:
            is_improved = False
            for pair in pairs:
                other = best(count_policies(self.answers, self._around(found, pair, most)))
                if other is not None and rank(other) > rank(found):
                    found, is_improved = replace(other, is_optimal=False), True
        return found

    def _around(self, found: Choice, free: Sequence[int], most: int) -> list[FloatArray]:
        """Return the levels of a count in which only some thresholds are free."""
        return [
            self._levels(place, most) if place in free else np.array([threshold])
            for place, threshold in enumerate(found.thresholds)
        ]
