"""Branch and bound for the best nested family, with a solver for single budgets.

A node gives floors and ceilings to each budget. Its bound is the weighted sum of the bounds of its budgets, each solved
on its own. If the choice of a budget has an option above that of the next larger budget, the two conflict: in every
nested family, either the smaller budget stays below an option between the two, or the larger budget reaches it. Each
case is a child node, as in conflict-based search (Sharon et al., Artificial Intelligence 219, 2015). Nodes of the best
bound come first, so that few problems are solved if few channels conflict.
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
    """The result of branching.

    Attributes:
        choices: one choice for each budget, of the best nested family found; None if none is better than the known one.
        value: the weighted value of that family, or of the known one.
        bound: a proven upper bound on the weighted value of every nested family.
        stopped: why `bound` was not brought down to `value`, or None if it was.
        solves: number of problems solved.
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
    """Floors and ceilings of each budget, and the solutions within them. Nodes are sorted by falling bound."""

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
        """The widest conflict as budget, group and option; None if all choices are nested.

        The option lies above the choice of the next larger budget, and not above that of the budget itself. In a nested
        family the budget stays below it, or the larger budget reaches it.
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
        problems: one problem for each budget, smallest first.
        weights: weights of their values.
        solve: any solver that gives bounds.
        solves: the largest number of problems to solve.
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
        """Search for the best nested family worth more than `value`.

        Args:
            free: the solution of each budget on its own, or None if there is none.
            value: the weighted value of the best known family.
            bound: a proven upper bound on the weighted value of every nested family.
        """
        known = [s for s in map(_Solved.of, free) if s is not None]
        if len(known) < len(free):
            return Branched(None, value, bound, "the solver gives no bound")
        floors, ceilings = tuple(p.floors for p in self._problems), tuple(p.ceilings for p in self._problems)
        nodes = [self._node(floors, ceilings, known, bound)]
        best: tuple[tuple[int, ...], ...] | None = None
        unproved = value  # the largest bound of the nodes that the solver left open
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
            stopped = "the solver did not prove all choices optimal"
        return Branched(best, value, top, stopped if top > value else None, self._limit - self._left)

    def _stopped(self) -> str | None:
        if self._left <= 0:
            return f"{self._limit} solves did not resolve all conflicts between budgets"
        if self._deadline is not None and time.perf_counter() > self._deadline:
            return "the time limit was reached"
        return None

    def _node(
        self,
        floors: tuple[tuple[int, ...], ...],
        ceilings: tuple[tuple[int, ...], ...],
        solutions: Sequence[_Solved],
        bound: int,
    ) -> _Node:
        """A new node, whose families are known to be worth at most `bound`."""
        self._made += 1
        bound = min(bound, weighted_sum(self._weights, [s.bound for s in solutions]))
        return _Node((-bound, self._made), floors, ceilings, tuple(solutions))

    def _children(self, node: _Node, budget: int, group: int, option: int) -> list[_Node]:
        """The child nodes of a conflict; those that cannot be met are left out.

        In the first, the budgets up to `budget` stay below `option` in `group`; in the second, larger ones reach it.

        Raises:
            _Unsolved: if the solver stopped without a choice or a bound.
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
        """Solve each budget within tighter floors and ceilings than those of `node`; None if one cannot be met.

        Raises:
            _Unsolved: if the solver stopped without a choice or a bound.
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
