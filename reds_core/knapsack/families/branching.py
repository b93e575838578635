"""Branch and bound for the best nested family, with a solver for single budgets.

A node gives each budget a set of allowed options. Its bound is the weighted sum of the bounds of its budgets, each
solved on its own. If the choice of a budget has an option that does not lie within that of the next larger budget, the
two conflict: a set of options separates them, such as all options above one between the two. In every nested family,
either the smaller budget stays out of the set, or the larger budget is in it. Each case is a child node, as in
conflict-based search (Sharon et al., Artificial Intelligence 219, 2015). Nodes of the best bound come first, so that
few problems are solved if few channels conflict.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from reds_core.arrays import BoolArray
from reds_core.errors import InfeasibleError, NoChoiceError
from reds_core.knapsack.families.anchoring import FamilySolver, weighted_sum
from reds_core.knapsack.families.limits import GAP_REACHED, FamilyLimits, GivenUp, check_time
from reds_core.knapsack.families.order import FamilyOrder, Separator, limited
from reds_core.knapsack.solution import Limit, Solution, Status, relative_gap


@dataclass(frozen=True)
class Branched:
    """The result of branching.

    Attributes:
        choices: one choice for each budget, of the best nested family found; None if none is better than the known one.
        value: the weighted value of that family, or of the known one.
        bound: a proven upper bound on the weighted value of every nested family.
        stopped: why `bound` was not brought down to `value`, or None if it was.
        solves: number of problems solved.
        limit: the limit that was reached, if one was.
    """

    choices: tuple[tuple[int, ...], ...] | None
    value: int
    bound: int
    stopped: str | None
    solves: int = 0
    limit: Limit | None = None


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


_Allowed = tuple[BoolArray, ...]


@dataclass(frozen=True, order=True)
class _Node:
    """The allowed options of each budget, and the solutions among them. Nodes are sorted by falling bound.

    Attributes:
        allowed: for each budget and each group, which options are allowed, bool (options,).
    """

    rank: tuple[int, int]
    allowed: tuple[_Allowed, ...] = field(compare=False)
    solutions: tuple[_Solved, ...] = field(compare=False)

    @property
    def bound(self) -> int:
        return -self.rank[0]

    @property
    def choices(self) -> tuple[tuple[int, ...], ...]:
        return tuple(s.choice for s in self.solutions)

    def conflict(self, order: FamilyOrder) -> _Conflict | None:
        """The widest conflict between neighbouring budgets; None if all choices are nested."""
        found: _Conflict | None = None
        chosen = self.choices
        for b in range(len(chosen) - 1):
            for g, (inner, outer) in enumerate(zip(chosen[b], chosen[b + 1], strict=True)):
                cut = order.cut(g, inner, outer) if inner != outer else None
                if cut is not None and (found is None or cut.width >= found.cut.width):
                    found = _Conflict(b, g, cut)
        return found


@dataclass(frozen=True)
class _Conflict:
    """A conflict between a budget and the next larger one in one group.

    Attributes:
        budget: index of the smaller budget.
        group: index of the group.
        cut: options among which is that of the smaller budget, but not that of the larger one.
    """

    budget: int
    group: int
    cut: Separator


class _Unsolved(Exception):
    """The solver stopped without a choice or without a bound."""


class Branching:
    """One search.

    Args:
        families: the budgets, and a solver that gives bounds.
        limits: limits on the number of problems to solve, and on the gap.
        deadline: `time.perf_counter()` at which to stop, or None.
    """

    def __init__(self, families: FamilySolver, limits: FamilyLimits, deadline: float | None) -> None:
        self._families = families
        self._problems = families.problems
        self._weights = families.weights
        self._order = families.order
        self._limits = limits
        self._left = limits.solves
        self._deadline = deadline
        self._made = 0

    def run(self, value: int, bound: int) -> Branched:
        """Search for the best nested family worth more than `value`.

        Args:
            value: the weighted value of the best known family.
            bound: a proven upper bound on the weighted value of every nested family.
        """
        try:
            free = [self._families.free(b) for b in range(len(self._problems))]
        except GivenUp as why:
            return Branched(None, value, bound, str(why), limit=why.limit)
        known = [s for s in map(_Solved.of, free) if s is not None]
        if len(known) < len(free):
            return Branched(None, value, bound, "the solver gives no bound")
        nodes = [self._node(self._families.offered, known, bound)]
        best: tuple[tuple[int, ...], ...] | None = None
        unproved = value  # the largest bound of the nodes that the solver left open
        stopped: GivenUp | None = None
        while nodes and nodes[0].bound > value and not self._is_close(value, max(unproved, nodes[0].bound)):
            node = heapq.heappop(nodes)
            try:
                self._check_limits()
                conflict = node.conflict(self._order)
                if conflict is not None:
                    for child in self._children(node, conflict):
                        heapq.heappush(nodes, child)
                    continue
            except _Unsolved:
                unproved = max(unproved, node.bound)
                continue
            except GivenUp as why:
                unproved, stopped = max(unproved, node.bound), why
                break
            reached = weighted_sum(self._weights, [s.value for s in node.solutions])
            if reached > value:
                best, value = node.choices, reached
            if not all(s.optimal for s in node.solutions):
                unproved = max(unproved, node.bound)
        top = max([value, unproved, *(n.bound for n in nodes)])
        solves = self._limits.solves - self._left
        if top == value:
            return Branched(best, value, top, None, solves)
        if stopped is not None:
            return Branched(best, value, top, str(stopped), solves, stopped.limit)
        if self._is_close(value, top):
            return Branched(best, value, top, GAP_REACHED, solves, Limit.GAP)
        return Branched(best, value, top, "the solver did not prove all choices optimal", solves)

    def _is_close(self, value: int, bound: int) -> bool:
        gap = relative_gap(value, bound)
        return gap is not None and 0 < gap <= self._limits.gap

    def _check_limits(self) -> None:
        """Check that there is another solve left, and time.

        Raises:
            GivenUp: if not.
        """
        if self._left <= 0:
            raise GivenUp(f"{self._limits.solves} solves did not resolve all conflicts between budgets")
        check_time(self._deadline)

    def _node(self, allowed: tuple[_Allowed, ...], solutions: Sequence[_Solved], bound: int) -> _Node:
        """A new node, whose families are known to be worth at most `bound`."""
        self._made += 1
        bound = min(bound, weighted_sum(self._weights, [s.bound for s in solutions]))
        return _Node((-bound, self._made), allowed, tuple(solutions))

    def _children(self, node: _Node, conflict: _Conflict) -> list[_Node]:
        """The child nodes of a conflict; those that cannot be met are left out.

        In the first, the smaller budgets stay out of the cut; in the second, the larger ones are in it. If members
        share what the cut decides, all of them stay out of it, or all are in it.

        Raises:
            _Unsolved: if the solver stopped without a choice or a bound.
        """
        group, cut = conflict.group, conflict.cut
        outside, inside = list(node.allowed), list(node.allowed)
        for b in range(len(self._problems)):
            if b <= conflict.budget or cut.is_shared:
                outside[b] = _without(outside[b], group, cut.options)
            if b > conflict.budget or cut.is_shared:
                inside[b] = _without(inside[b], group, ~cut.options)
        children = []
        for allowed in (tuple(outside), tuple(inside)):
            solutions = self._solutions(node, allowed)
            if solutions is not None:
                children.append(self._node(allowed, solutions, node.bound))
        return children

    def _solutions(self, node: _Node, allowed: Sequence[_Allowed]) -> list[_Solved] | None:
        """Solve each budget with fewer allowed options than in `node`; None if one cannot be met.

        Raises:
            _Unsolved: if the solver stopped without a choice or a bound.
        """
        solutions = []
        for problem, masks, known in zip(self._problems, allowed, node.solutions, strict=True):
            if all(mask[x] for mask, x in zip(masks, known.choice, strict=True)):
                solutions.append(known)
                continue
            inside = limited(problem, masks)
            if inside is None:
                return None
            self._left -= 1
            try:
                solution = self._families.solve(inside.problem)
            except InfeasibleError:
                return None
            except NoChoiceError as error:
                raise _Unsolved from error
            if solution.status is Status.INFEASIBLE:
                return None
            solved = _Solved.of(solution)
            if solved is None:
                raise _Unsolved
            solutions.append(replace(solved, choice=inside.outer(solved.choice)))
        return solutions


def _without(masks: _Allowed, group: int, excluded: BoolArray) -> _Allowed:
    return (*masks[:group], masks[group] & ~excluded, *masks[group + 1 :])
