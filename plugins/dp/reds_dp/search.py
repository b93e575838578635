"""The state of one solve: the problem, the incumbent, a proven bound, and the limits."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NoReturn

from reds_core.arrays import FloatArray, IntArray
from reds_core.knapsack import Evaluation, KnapsackProblem, largest
from reds_core.knapsack.inference import Ascent, Elimination, Factors, Mask, MaxSum, build_factors, positions

_NEAR = 1e-6
"""Local search improves only incumbents whose gap to the bound is larger than this share of their value."""


class NothingBetter(Exception):
    """It is proven that no choice is worth the floor of the search: the incumbent is close enough to the optimum.

    Without an incumbent, it is proven that no choice is feasible.
    """


class OutOfTime(Exception):
    """The deadline has passed."""


class OutOfMemory(Exception):
    """The next allocation would exceed the memory limit, or a step keeps more labels than allowed."""


@dataclass(frozen=True)
class SearchLimits:
    """Limits of a search.

    Attributes:
        deadline: `time.perf_counter()` at which to stop; infinite for no time limit.
        labels: the largest number of labels to keep at one step.
        memory: the most memory that tables and labels may take together, in bytes; infinite for no limit.
        gap: the relative gap between bound and incumbent at which the search may stop.
    """

    deadline: float
    labels: int
    memory: float = math.inf
    gap: float = 0.0

    def check_time(self) -> None:
        """Raise OutOfTime if the deadline has passed."""
        if time.perf_counter() > self.deadline:
            raise OutOfTime

    def check_memory(self, needed: int) -> None:
        """Raise OutOfMemory if `needed` bytes exceed the limit."""
        if needed > self.memory:
            raise OutOfMemory


@dataclass(frozen=True)
class Incumbent:
    """The best feasible choice so far."""

    value: int
    choice: tuple[int, ...]


class DpSearch:
    """The state of one solve.

    Args:
        problem: the problem.
        order: an elimination order whose buckets hold all factors.
        kept: for each group, the possible option indices, int64 (positions,).
        limits: when to stop.
        bound: an upper bound on the value of every feasible choice that is already proven, or None.

    Attributes:
        kept: see above.
        incumbent: the best feasible choice so far, or None.
        near: an infeasible choice that is thought to be near a good one, or None.
        bound: a proven upper bound on the value of every choice, or None if there is none yet.
        labels: number of labels kept in all runs of label setting.
        runs: number of runs of label setting.
        held_bytes: memory of the largest tables that are held while smaller ones are derived from them.
    """

    def __init__(
        self,
        problem: KnapsackProblem,
        order: Elimination,
        kept: tuple[IntArray, ...],
        limits: SearchLimits,
        bound: int | None = None,
    ) -> None:
        self.problem = problem
        self.limits = limits
        self.room = tuple(r.capacity - r.base for r in problem.sum_resources)
        self.incumbent: Incumbent | None = None
        self.near: tuple[int, ...] | None = None
        self.bound = bound
        self.labels = 0
        self.runs = 0
        self._order = order
        self.kept = kept
        self.held_bytes = 0
        tables = [*(g.values for g in problem.groups), *(p.values for p in problem.pairs)]
        self._least = -sum(map(largest, tables)) - 1

    def offer(self, choice: tuple[int, ...]) -> Evaluation:
        """Make `choice` the incumbent if it is feasible and better. Returns its evaluation.

        Raises:
            NothingBetter: if the bound proves that no choice is worth the floor now.
        """
        evaluation = self.record(choice)
        if self.incumbent is not None and self.bound is not None and self.bound < self.floor():
            raise NothingBetter
        return evaluation

    def record(self, choice: tuple[int, ...]) -> Evaluation:
        """Do the same as `offer`, but never raise NothingBetter."""
        evaluation = self.problem.evaluate(choice)
        if evaluation.feasible and (self.incumbent is None or evaluation.value > self.incumbent.value):
            self.incumbent = Incumbent(evaluation.value, choice)
        return evaluation

    def limit(self, bound: int | float) -> None:
        """Record a proven upper bound on every choice worth the floor, including the margin for rounding errors.

        Raises:
            NothingBetter: if it proves that no choice is worth the floor.
        """
        floor = self.floor()
        if bound < floor or (self.bound is not None and self.bound < floor):
            raise NothingBetter
        self.bound = math.floor(bound) if self.bound is None else min(math.floor(bound), self.bound)

    def close(self) -> NoReturn:
        """Record that no choice is better than the incumbent.

        Raises:
            NothingBetter: always.
        """
        assert self.incumbent is not None
        self.bound = self.incumbent.value
        raise NothingBetter

    def floor(self) -> int:
        """The smallest value of interest: the first one outside the gap above the incumbent, or of any choice.

        It never falls when the incumbent improves, so that options that were once excluded stay excluded.
        """
        if self.incumbent is None:
            return self._least
        value = self.incumbent.value
        # a negative value is the nearer to 0 the better: a gap above 1 would let the floor fall
        gap = self.limits.gap if value >= 0 else min(self.limits.gap, 1.0)
        return value + 1 + (math.floor(Fraction(gap) * abs(value)) if gap else 0)

    def proven_bound(self) -> int | None:
        """The bound after NothingBetter was raised; None if it proves that no choice is feasible."""
        if self.incumbent is None:
            return None
        # no choice is worth more than the largest entries of all tables
        most = -self._least - 1 if self.bound is None else self.bound
        reached = min(self.floor() - 1, most)
        return max(reached, self.incumbent.value)

    def gap(self) -> float:
        """The difference between bound and incumbent; infinite if one is missing."""
        if self.incumbent is None or self.bound is None:
            return math.inf
        return float(self.bound - self.incumbent.value)

    def is_far(self) -> bool:
        """Whether there is no incumbent yet, or one so far from the bound that local search is worth its time."""
        return self.incumbent is None or self.gap() > _NEAR * abs(self.incumbent.value)

    def over(self, problem: KnapsackProblem, kept: tuple[IntArray, ...]) -> DpSearch:
        """A new search over another problem with the same groups and pairs, within the remaining limits."""
        limits = replace(self.limits, memory=self.limits.memory - self.held_bytes, gap=0.0)
        return DpSearch(problem, self._order, kept, limits)

    def build(self, masks: Sequence[Mask]) -> Factors:
        """All terms over the kept options, with the axes in the order of the buckets.

        Raises:
            OutOfTime: if the deadline has passed.
        """
        rank = [0] * len(self.kept)
        for place, g in enumerate(self._order.processing):
            rank[g] = place
        return build_factors(self.problem, self.kept, masks, rank, self.limits.check_time)

    def polish(self, multipliers: FloatArray, start: tuple[int, ...] | None = None) -> None:
        """Improve the incumbent by local search if it is far from the bound.

        Args:
            multipliers: prices of the sum resources, float64 (sum resources,).
            start: where to start instead of at the incumbent; need not be feasible.
        """
        if not self.is_far():
            return
        if start is None and self.incumbent is not None:
            start = self.incumbent.choice
        places = None if start is None else positions(self.kept, start)
        if places is not None:
            better = Ascent(self.problem, self.kept, self.limits.check_time).improve(places, multipliers)
            if better is not None:
                self.offer(better)

    def buckets(self, factors: Factors) -> MaxSum:
        """Max-sum over `factors` in the order of this search."""
        order = self._order.with_sizes(factors.sizes)
        return MaxSum(factors, order, self.limits.check_time)

    def entries(self, factors: Factors) -> int:
        """The number of entries of all buckets over `factors`."""
        return sum(self._order.with_sizes(factors.sizes).entries)
