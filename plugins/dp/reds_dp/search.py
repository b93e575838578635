"""What one solve knows: the problem, its best choice, a proven bound, and when to stop."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from reds_core.inference.ascent import Ascent
from reds_core.inference.elimination import Elimination
from reds_core.inference.factors import Factors, FloatArray
from reds_core.inference.maxsum import MaxSum, positions
from reds_core.problem import Evaluation, KnapsackProblem

_NEAR = 1e-4
"""Incumbents closer to the bound than this part of their value are left to label setting."""


class NothingBetter(Exception):
    """Proof that no choice is better than the incumbent; without one, that no choice is within the limits."""


class OutOfTime(Exception):
    """The deadline passed."""


class OutOfLabels(Exception):
    """A step keeps more labels than allowed."""


@dataclass(frozen=True)
class Limits:
    """When to stop.

    Attributes:
        deadline: `time.perf_counter()` at which to stop; infinite for never.
        labels: the most labels kept at one step.
    """

    deadline: float
    labels: int

    def check_time(self) -> None:
        """Raises OutOfTime past the deadline."""
        if time.perf_counter() > self.deadline:
            raise OutOfTime


@dataclass(frozen=True)
class Incumbent:
    """The best choice so far."""

    value: int
    choice: tuple[int, ...]


class Search:
    """State of one solve.

    Args:
        problem: what is solved.
        order: whose buckets hold all factors.
        factors: terms over all options that are possible.
        limits: when to stop.

    Attributes:
        incumbent: the best choice so far, or None.
        bound: a proven limit on the value of every choice, or None before the first.
        labels, runs: how many labels were kept in how many runs of label setting.
    """

    def __init__(self, problem: KnapsackProblem, order: Elimination, factors: Factors, limits: Limits) -> None:
        self.problem = problem
        self.limits = limits
        self.room = tuple(r.capacity - r.base for r in problem.sum_resources)
        self.incumbent: Incumbent | None = None
        self.bound: int | None = None
        self.labels = 0
        self.runs = 0
        self._order = order
        self._factors = factors
        self._least = -math.ceil(float(factors.magnitudes[0]) * (1 + 1e-9)) - 1

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

    def over(self, problem: KnapsackProblem, factors: Factors) -> Search:
        """A fresh search over another problem with the same groups, pairs and limits."""
        return Search(problem, self._order, factors, self.limits)

    def polish(self, multipliers: FloatArray) -> None:
        """Improve the incumbent by local search where it is far from the bound."""
        if self.incumbent is None or self.gap() <= _NEAR * abs(self.incumbent.value):
            return
        start = positions(self._factors, self.incumbent.choice)
        if start is not None:
            better = Ascent(self.problem, self._factors.kept, self.limits.check_time).improve(start, multipliers)
            if better is not None:
                self.offer(better)

    def buckets(self, factors: Factors) -> MaxSum:
        """Max-sum over `factors` in the order of this search."""
        return MaxSum(factors, Elimination(self._order.processing, self._order.separators, factors.sizes))

    def entries(self, factors: Factors) -> int:
        """Entries of all buckets over `factors`."""
        return sum(Elimination(self._order.processing, self._order.separators, factors.sizes).entries)


def trivial_bound(problem: KnapsackProblem) -> int:
    """The sum of the largest entry of every value table."""
    total = sum(int(np.max(g.values)) for g in problem.groups)
    return total + sum(int(np.max(p.values)) for p in problem.pairs if p.values is not None)
