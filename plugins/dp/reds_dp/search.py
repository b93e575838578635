"""What one solve knows: the problem, its best choice, a proven bound, and when to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reds_core.arrays import FloatArray, IntArray
from reds_core.knapsack import Evaluation, KnapsackProblem, largest
from reds_core.knapsack.inference import Ascent, Elimination, Factors, Mask, MaxSum, build_factors, positions

_NEAR = 1e-4
"""Incumbents closer to the bound than this part of their value are left to label setting."""


class NothingBetter(Exception):
    """Proof that no choice is better than the incumbent; without one, that no choice is within the limits."""


class OutOfTime(Exception):
    """The deadline passed."""


class OutOfMemory(Exception):
    """What is to be allocated next would pass the memory limit, or a step keeps more labels than allowed."""


@dataclass(frozen=True)
class SearchLimits:
    """When to stop.

    Attributes:
        deadline: `time.perf_counter()` at which to stop; infinite for never.
        labels: the most labels kept at one step.
        memory: the most bytes that tables and labels may take together; infinite for no limit.
    """

    deadline: float
    labels: int
    memory: float = math.inf

    def check_time(self) -> None:
        """Raises OutOfTime past the deadline."""
        if time.perf_counter() > self.deadline:
            raise OutOfTime

    def check_memory(self, needed: int) -> None:
        """Raises OutOfMemory if `needed` bytes are more than there may be."""
        if needed > self.memory:
            raise OutOfMemory


@dataclass(frozen=True)
class Incumbent:
    """The best choice so far."""

    value: int
    choice: tuple[int, ...]


class DpSearch:
    """State of one solve.

    Args:
        problem: what is solved.
        order: whose buckets hold all factors.
        kept: for each group the options that are possible.
        limits: when to stop.

    Attributes:
        kept: as given.
        incumbent: the best choice so far, or None.
        bound: a proven limit on the value of every choice, or None before the first.
        labels, runs: how many labels were kept in how many runs of label setting.
        held_bytes: memory of the largest tables that are held while others are made of them.
    """

    def __init__(
        self, problem: KnapsackProblem, order: Elimination, kept: tuple[IntArray, ...], limits: SearchLimits
    ) -> None:
        self.problem = problem
        self.limits = limits
        self.room = tuple(r.capacity - r.base for r in problem.sum_resources)
        self.incumbent: Incumbent | None = None
        self.bound: int | None = None
        self.labels = 0
        self.runs = 0
        self._order = order
        self.kept = kept
        self.held_bytes = 0
        tables = [*(g.values for g in problem.groups), *(p.values for p in problem.pairs)]
        self._least = -sum(map(largest, tables)) - 1

    def offer(self, choice: tuple[int, ...]) -> Evaluation:
        """Take `choice` as the incumbent if it is feasible and better."""
        evaluation = self.problem.evaluate(choice)
        if evaluation.feasible and evaluation.value >= self.floor():
            self.incumbent = Incumbent(evaluation.value, choice)
        return evaluation

    def limit(self, bound: int | float) -> None:
        """Take up a proven bound with its margin for float error.

        Raises:
            NothingBetter: if it lies below the value of the incumbent, or of any choice.
        """
        if bound < self.floor():
            raise NothingBetter
        self.bound = min(math.floor(bound), math.floor(bound) if self.bound is None else self.bound)

    def floor(self) -> int:
        """The least value that is of interest."""
        return self._least if self.incumbent is None else self.incumbent.value + 1

    def gap(self) -> float:
        """How far the bound lies above the incumbent; infinite without one."""
        if self.incumbent is None or self.bound is None:
            return math.inf
        return float(self.bound - self.incumbent.value)

    def over(self, problem: KnapsackProblem, kept: tuple[IntArray, ...]) -> DpSearch:
        """A fresh search over some options of another problem with the same groups, pairs and limits."""
        limits = replace(self.limits, memory=self.limits.memory - self.held_bytes)
        return DpSearch(problem, self._order, kept, limits)

    def build(self, masks: Sequence[Mask]) -> Factors:
        """All terms over the kept options, laid out as the buckets need them.

        Raises:
            OutOfTime: past the deadline.
        """
        rank = [0] * len(self.kept)
        for place, g in enumerate(self._order.processing):
            rank[g] = place
        return build_factors(self.problem, self.kept, masks, rank, self.limits.check_time)

    def polish(self, multipliers: FloatArray) -> None:
        """Improve the incumbent by local search where it is far from the bound."""
        if self.incumbent is None or self.gap() <= _NEAR * abs(self.incumbent.value):
            return
        start = positions(self.kept, self.incumbent.choice)
        if start is not None:
            better = Ascent(self.problem, self.kept, self.limits.check_time).improve(start, multipliers)
            if better is not None:
                self.offer(better)

    def buckets(self, factors: Factors) -> MaxSum:
        """Max-sum over `factors` in the order of this search."""
        order = Elimination(self._order.processing, self._order.separators, factors.sizes)
        return MaxSum(factors, order, self.limits.check_time)

    def entries(self, factors: Factors) -> int:
        """Entries of all buckets over `factors`."""
        return sum(Elimination(self._order.processing, self._order.separators, factors.sizes).entries)
