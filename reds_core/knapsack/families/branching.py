"""The best nested family by branching where budgets disagree, with the run's solver for every bound.

A node gives each budget floors and ceilings and is bounded by its budgets solved without regard to each other. Where a
smaller budget's choice has an option above the next larger's, every nested family has the smaller's at or below some
option between the two, or the larger's above it: two nodes (the scheme of conflict-based search; Sharon et al.,
Artificial Intelligence 219, 2015). Best bound first, so that few solves are made where few channels are in dispute.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from reds_core.errors import InfeasibleError, NoChoiceError
from reds_core.knapsack.families.anchoring import Solve, weighted_sum
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Solution, Status


@dataclass(frozen=True)
class Branched:
    """What branching found.

    Attributes:
        choices: one a budget, of the best nested family found that is worth more than what was known; None if none is.
        value: weighted value of it, or what was known.
        bound: proven upper limit on the weighted value of every nested family.
        stopped: why that is not proved to be the value, or None.
        solves: how many were made.
    """

    choices: tuple[tuple[int, ...], ...] | None
    value: int
    bound: int
    stopped: str | None
    solves: int = 0


@dataclass(frozen=True)
class _Solved:
    """A solution that has a choice and a bound.

    Attributes:
        choice: one option index for each group.
        value: the value of `choice`.
        bound: a proven upper bound on the value.
        optimal: whether the solver proved `choice` optimal.
    """

    choice: tuple[int, ...]
    value: int
    bound: int
    optimal: bool

    @classmethod
    def of(cls, solution: Solution | None) -> _Solved | None:
        """`solution` as a record; None if it has no choice or no bound."""
        if solution is None or solution.choice is None or solution.value is None or solution.bound is None:
            return None
        return cls(solution.choice, solution.value, solution.bound, solution.status is Status.OPTIMAL)


@dataclass(frozen=True, order=True)
class _Node:
    """Floors and ceilings of each budget, and each budget solved within them; sorted by falling bound."""

    rank: tuple[int, int]
    floors: tuple[tuple[int, ...], ...] = field(compare=False)
    ceilings: tuple[tuple[int, ...], ...] = field(compare=False)
    solutions: tuple[_Solved, ...] = field(compare=False)

    @property
    def bound(self) -> int:
        return -self.rank[0]

    @property
    def choices(self) -> tuple[tuple[int, ...], ...]:
        return tuple(s.choice for s in self.solutions)

    @property
    def conflict(self) -> tuple[int, int, int] | None:
        """The widest conflict: budget, group, and an option that the budget should stay below or the larger reach.

        It lies above the larger budget's choice and not above the budget's. None where all choices are nested.
        """
        chosen = self.choices
        found = [
            (inner - outer, b, g, (inner + outer + 1) // 2)
            for b in range(len(chosen) - 1)
            for g, (inner, outer) in enumerate(zip(chosen[b], chosen[b + 1], strict=True))
            if inner > outer
        ]
        return max(found)[1:] if found else None


class _Unsolved(Exception):
    """The solver stopped without a choice or without a bound."""


class Branching:
    """One search.

    Args:
        problems: smallest budget first.
        weights: of their values.
        solve: any solver that gives bounds.
        solves: the most it may be asked.
        deadline: `time.perf_counter()` at which to stop, or None.
    """

    def __init__(
        self,
        problems: Sequence[KnapsackProblem],
        weights: Sequence[int],
        solve: Solve,
        solves: int,
        deadline: float | None,
    ) -> None:
        self._problems = problems
        self._weights = weights
        self._solve = solve
        self._left = solves
        self._limit = solves
        self._deadline = deadline
        self._made = 0

    def run(self, free: Sequence[Solution | None], value: int, bound: int) -> Branched:
        """The best nested family worth more than `value`.

        Args:
            free: each budget solved without regard to the others.
            value: of the best family known.
            bound: proven upper limit on the weighted value of every nested family.
        """
        known = [s for s in map(_Solved.of, free) if s is not None]
        if len(known) < len(free):
            return Branched(None, value, bound, "the solver gives no bound")
        floors, ceilings = tuple(p.floors for p in self._problems), tuple(p.ceilings for p in self._problems)
        nodes = [self._node(floors, ceilings, known, bound)]
        best: tuple[tuple[int, ...], ...] | None = None
        unproved = value  # the largest bound of nodes that the solver did not settle
        stopped: str | None = None
        while nodes and nodes[0].bound > value and stopped is None:
            stopped = self._stopped()
            if stopped is not None:
                break
            node = heapq.heappop(nodes)
            conflict = node.conflict
            if conflict is not None:
                try:
                    children = self._children(node, *conflict)
                except _Unsolved:
                    unproved = max(unproved, node.bound)
                    continue
                for child in children:
                    heapq.heappush(nodes, child)
                continue
            reached = weighted_sum(self._weights, [s.value for s in node.solutions])
            if reached > value:
                best, value = node.choices, reached
            if not all(s.optimal for s in node.solutions):
                unproved = max(unproved, node.bound)
        top = max([value, unproved, *(n.bound for n in nodes)])
        if stopped is None and top > value:
            stopped = "the solver left choices unproved"
        return Branched(best, value, top, stopped if top > value else None, self._limit - self._left)

    def _stopped(self) -> str | None:
        if self._left <= 0:
            return f"{self._limit} solves did not settle where the budgets disagree"
        if self._deadline is not None and time.perf_counter() > self._deadline:
            return "the time limit struck"
        return None

    def _node(
        self,
        floors: tuple[tuple[int, ...], ...],
        ceilings: tuple[tuple[int, ...], ...],
        solutions: Sequence[_Solved],
        bound: int,
    ) -> _Node:
        """A node that is known to be worth `bound` at most."""
        self._made += 1
        bound = min(bound, weighted_sum(self._weights, [s.bound for s in solutions]))
        return _Node((-bound, self._made), floors, ceilings, tuple(solutions))

    def _children(self, node: _Node, budget: int, group: int, option: int) -> list[_Node]:
        """Families whose smaller budgets, `budget` included, stay below `option`; those whose larger ones do not.

        Raises:
            _Unsolved: if the solver does not answer one of them.
        """
        below, above = list(node.ceilings), list(node.floors)
        for b in range(len(self._problems)):
            if b <= budget:
                below[b] = _with(below[b], group, min(below[b][group], option - 1))
            else:
                above[b] = _with(above[b], group, max(above[b][group], option))
        children = []
        for floors, ceilings in ((node.floors, tuple(below)), (tuple(above), node.ceilings)):
            solutions = self._solutions(node, floors, ceilings)
            if solutions is not None:
                children.append(self._node(floors, ceilings, solutions, node.bound))
        return children

    def _solutions(
        self, node: _Node, floors: Sequence[tuple[int, ...]], ceilings: Sequence[tuple[int, ...]]
    ) -> list[_Solved] | None:
        """Each budget within tighter floors and ceilings than `node`'s; None where one cannot be met.

        Raises:
            _Unsolved: if the solver does not answer.
        """
        solutions = []
        for problem, low, high, known in zip(self._problems, floors, ceilings, node.solutions, strict=True):
            if all(a <= x <= b for a, x, b in zip(low, known.choice, high, strict=True)):
                solutions.append(known)
                continue
            if any(a > b for a, b in zip(low, high, strict=True)):
                return None
            self._left -= 1
            try:
                solution = self._solve(problem.with_bounds(low, high))
            except InfeasibleError:
                return None
            except NoChoiceError as error:
                raise _Unsolved from error
            if solution.status is Status.INFEASIBLE:
                return None
            solved = _Solved.of(solution)
            if solved is None:
                raise _Unsolved
            solutions.append(solved)
        return solutions


def _with(options: tuple[int, ...], group: int, option: int) -> tuple[int, ...]:
    return (*options[:group], option, *options[group + 1 :])
