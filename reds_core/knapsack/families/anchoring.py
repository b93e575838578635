"""Families of nested choices: one choice for each budget, each contained in the next larger one.

An anchored family first solves one budget without restriction, and then the smaller budgets within its choice and the
larger budgets around it. The bottom-up family of REDS (arXiv 2311.13349, section 3) is anchored at the smallest budget,
the top-down family at the largest. `reds_core.knapsack.families.joint_family` finds the best of all families.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from reds_core.arrays import BoolArray
from reds_core.errors import InfeasibleError, InputError, NoChoiceError
from reds_core.knapsack.families.order import FamilyOrder, limited
from reds_core.knapsack.no_choice import without_choice
from reds_core.knapsack.problem import MAGNITUDE_LIMIT, KnapsackProblem, Restricted
from reds_core.knapsack.solution import Limit, Solution, Status, relative_gap

Solve = Callable[[KnapsackProblem], Solution]


@dataclass(frozen=True)
class MemberSolution:
    """One member of a family.

    Attributes:
        solution: the solution of the problem with the options that nesting leaves. Its choice refers to all options.
        choice: the choice of `solution`, one option index for each group.
        value: the value of `choice`.
        bound_independent: a proven upper bound on the value with all options, or None.
    """

    solution: Solution
    choice: tuple[int, ...]
    value: int
    bound_independent: int | None


@dataclass(frozen=True)
class FamilySolution:
    """A nested family: one choice for each budget, each contained in the next.

    Attributes:
        members: one for each budget, smallest budget first.
        weights: weights of the members' values, integers above 0.
        bound: a proven upper bound on the weighted value of every nested family, or None.
        enumerated: for each budget, the number of near-optimal choices that were compared; empty if none were.
        solves: number of problems solved during branching.
        detail: remarks for the user, one clause each.
        anchor: index of the budget at which the family is anchored; None if its members were chosen together.
        limit: why the search for a better family stopped before `bound` was reached; None if there was no search, or it
            ended by itself.
    """

    members: tuple[MemberSolution, ...]
    weights: tuple[int, ...]
    bound: int | None
    enumerated: tuple[int, ...] = ()
    solves: int = 0
    detail: tuple[str, ...] = ()
    anchor: int | None = None
    limit: Limit | None = None

    @property
    def weighted_value(self) -> int:
        """The sum of weight x value over the members."""
        return sum(w * m.value for w, m in zip(self.weights, self.members, strict=True))

    @property
    def optimal(self) -> bool:
        """Whether it is proven that no nested family has a larger weighted value."""
        return self.bound == self.weighted_value

    def is_within(self, gap: float) -> bool:
        """Whether it is proven that no nested family is better by more than a relative gap."""
        found = relative_gap(self.weighted_value, self.bound)
        return found is not None and found <= gap


def choose_above(problem: KnapsackProblem, smaller: Sequence[int] | None, solve: Solve) -> MemberSolution:
    """The best choice of `problem` that contains the choice `smaller`, and the bound without that restriction.

    This is one step of the bottom-up family, in which every larger subnetwork keeps what a smaller one keeps.

    Args:
        problem: the problem.
        smaller: option indices, or None for no restriction.
        solve: any solver.

    Raises:
        InfeasibleError: if there is no such choice. Costs that fall as widths rise can be a reason, and levels that all
            members must share, such as the bits of weights, if the problem of `smaller` had other costs or capacities.
        NoChoiceError: if the solver stopped before it found one. If it only stops so without the restriction, the
            member has no independent bound.
    """
    if smaller is None:
        return _solved(problem, solve)
    return choose_among(problem, FamilyOrder(problem).around(smaller, None), solve)


def choose_among(problem: KnapsackProblem, allowed: Sequence[BoolArray], solve: Solve) -> MemberSolution:
    """The best choice of `problem` among some options, and the bound without that restriction.

    Args:
        problem: the problem.
        allowed: which options each group may have, bool (options,).
        solve: any solver.

    Raises:
        InfeasibleError: if there is no such choice.
        NoChoiceError: if the solver stopped before it found one. If it only stops so without the restriction, the
            member has no independent bound.
    """
    return _among(problem, allowed, _unless_stopped(problem, solve), solve)


def bottom_up(
    problems: Sequence[KnapsackProblem], solve: Solve, weights: Sequence[int] | None = None
) -> FamilySolution:
    """The family anchored at the smallest budget. Arguments and errors: see `anchored`."""
    return anchored(problems, solve, 0, weights)


def top_down(problems: Sequence[KnapsackProblem], solve: Solve, weights: Sequence[int] | None = None) -> FamilySolution:
    """The family anchored at the largest budget. Arguments and errors: see `anchored`."""
    return anchored(problems, solve, len(problems) - 1, weights)


def anchored(
    problems: Sequence[KnapsackProblem], solve: Solve, anchor: int, weights: Sequence[int] | None = None
) -> FamilySolution:
    """The family in which one budget is solved without restriction, and the others within and around its choice.

    Args:
        problems: one problem for each budget, smallest first; they differ only in their capacities.
        solve: any solver.
        anchor: index of the budget that is solved without restriction.
        weights: weights of the values, integers above 0; None for equal weights.

    Raises:
        InputError: if the problems do not form a family, or the weights do not fit them.
        InfeasibleError: if a budget cannot be met. Budgets above the anchor can be met if the anchor can. Budgets
            below it may fail if costs fall as widths rise, so that no choice within that of the anchor is cheap enough,
            or if all members must share levels that the anchor chose too high.
        NoChoiceError: if the solver stopped before it found a choice.
    """
    return FamilySolver(problems, solve, weights).anchored(anchor)


class FamilySolver:
    """Computes several families of the same budgets, and solves each budget without regard to the others only once.

    Other arguments and errors: see `anchored`.

    Args:
        offered: for each budget and each group, which options the member may have, bool (options,). At least one of
            each group must be within the floors and ceilings. None offers all options to all members.
        solved: the solutions of budgets by themselves that are known already, by the index of the budget.
    """

    def __init__(
        self,
        problems: Sequence[KnapsackProblem],
        solve: Solve,
        weights: Sequence[int] | None = None,
        offered: Sequence[Sequence[BoolArray]] | None = None,
        solved: Mapping[int, Solution | None] | None = None,
    ) -> None:
        check_problems(problems)
        self.problems = tuple(problems)
        self.solve = solve
        self.weights = check_weights(problems, weights)
        self.order = FamilyOrder(problems[0])
        everything = tuple(np.ones(g.options, np.bool_) for g in problems[0].groups)
        self.offered = (everything,) * len(problems) if offered is None else tuple(map(tuple, offered))
        self._free: dict[int, Solution | None] = dict(solved or {})

    def free(self, budget: int) -> Solution | None:
        """The solution of one budget by itself, or None if the solver stopped without a solution."""
        if budget not in self._free:
            self._free[budget] = self._alone(budget)
        return self._free[budget]

    def bound(self) -> int | None:
        """The weighted sum of the bounds of all budgets by themselves, or None if one has no bound."""
        found = [self.free(budget) for budget in range(len(self.problems))]
        known = [solution.bound for solution in found if solution is not None and solution.bound is not None]
        return weighted_sum(self.weights, known) if len(known) == len(found) else None

    def _alone(self, budget: int) -> Solution | None:
        inside = self._inside(budget)
        solution = _unless_stopped(inside.problem, self.solve)
        if solution is None or solution.choice is None:
            return solution
        return replace(solution, choice=inside.outer(solution.choice))

    def _inside(self, budget: int) -> Restricted:
        """The problem of a budget with the options that are offered to it."""
        problem, offered = self.problems[budget], self.offered[budget]
        if all(mask.all() for mask in offered):
            return Restricted(problem, tuple(np.arange(g.options) for g in problem.groups))
        inside = limited(problem, offered)
        if inside is None:
            raise InfeasibleError(f"problem '{problem.name}' has a group without options", "offer it an option")
        return inside

    def anchored(self, anchor: int) -> FamilySolution:
        """The family anchored at one budget; see the function of the same name."""
        own = self.free(anchor)
        if own is None or own.choice is None:
            inside = self._inside(anchor)
            members = {anchor: _solved(inside.problem, self.solve, inside)}
            self._free[anchor] = members[anchor].solution
        else:
            members = {anchor: _member(self.problems[anchor], own)}
        for budget in range(anchor + 1, len(self.problems)):
            smaller = members[budget - 1].choice
            members[budget] = self._beside(budget, smaller, None)
        for budget in reversed(range(anchor)):
            larger = members[budget + 1].choice
            members[budget] = self._beside(budget, None, larger)
        ordered = tuple(members[budget] for budget in range(len(self.problems)))
        known = [m.bound_independent for m in ordered if m.bound_independent is not None]
        bound = weighted_sum(self.weights, known) if len(known) == len(ordered) else None
        return FamilySolution(ordered, self.weights, bound, anchor=anchor)

    def _beside(self, budget: int, smaller: Sequence[int] | None, larger: Sequence[int] | None) -> MemberSolution:
        allowed = self.order.around(smaller, larger)
        for mask, offered in zip(allowed, self.offered[budget], strict=True):
            mask &= offered
        return _among(self.problems[budget], allowed, self.free(budget), self.solve)


def weighted_sum(weights: Sequence[int], values: Sequence[int]) -> int:
    """The sum of weight x value."""
    return sum(w * v for w, v in zip(weights, values, strict=True))


def _member(problem: KnapsackProblem, solution: Solution, inside: Restricted | None = None) -> MemberSolution:
    """`solution` as a member whose own bound is the independent one.

    Args:
        problem: the problem that was solved.
        solution: its solution.
        inside: how options of `problem` are numbered in the problem of the member, if it is a restriction of it.

    Raises:
        InfeasibleError: if `solution` proves that there is no choice.
        NoChoiceError: if the solver stopped without a choice.
    """
    if solution.choice is None or solution.value is None:
        raise without_choice(problem, solution)
    choice = solution.choice if inside is None else inside.outer(solution.choice)
    return MemberSolution(replace(solution, choice=choice), choice, solution.value, solution.bound)


def _solved(problem: KnapsackProblem, solve: Solve, inside: Restricted | None = None) -> MemberSolution:
    """Solve `problem` without regard to other members. Arguments and errors: see `_member`."""
    return _member(problem, solve(problem), inside)


def _unless_stopped(problem: KnapsackProblem, solve: Solve) -> Solution | None:
    """The solution of `problem`, or None if the solver stopped without one.

    Raises:
        InfeasibleError: if it is proven that there is no choice.
    """
    try:
        solution = solve(problem)
    except NoChoiceError:
        return None
    if solution.status is Status.INFEASIBLE:
        raise without_choice(problem, solution)
    return solution


def _among(
    problem: KnapsackProblem, allowed: Sequence[BoolArray], free: Solution | None, solve: Solve
) -> MemberSolution:
    """The best choice among the options that the other members and the offer allow.

    Args:
        problem: the problem.
        allowed: which options each group may have, bool (options,).
        free: the solution of `problem` without regard to the other members, or None if there is none.
        solve: any solver.
    """
    bound = None if free is None else free.bound
    if free is not None and free.choice is not None and free.status is Status.OPTIMAL:
        nested = [mask[x] for mask, x in zip(allowed, free.choice, strict=True)]
        if all(nested):  # the best choice of all is also the best of the nested ones
            return _member(problem, free)
    inside = limited(problem, allowed)
    if inside is None:
        raise InfeasibleError(
            f"no choice of problem '{problem.name}' is nested with the members decided before",
            "anchor the family at another budget, or raise the budget",
        )
    try:
        return replace(_solved(inside.problem, solve, inside), bound_independent=bound)
    except InfeasibleError as error:
        if not problem.has_levels:
            raise
        raise InfeasibleError(f"{error.what} at the levels that the members decided before share", error.fix) from error


def check_problems(problems: Sequence[KnapsackProblem]) -> None:
    """Check that problems differ only in their capacities, and that these do not fall.

    It is the caller's responsibility that their tables are equal.

    Raises:
        InputError: if there are none, their groups or resources differ, or a capacity falls.
    """
    if not problems:
        raise InputError("the family has no budgets", "give at least one budget")
    for smaller, larger in pairwise(problems):
        what = f"problems '{smaller.name}' and '{larger.name}' of one family"
        parts = [[(g.name, g.options, g.dimensions) for g in problem.groups] for problem in (smaller, larger)]
        if parts[0] != parts[1] or smaller.nesting != larger.nesting:
            raise InputError(f"{what} have different groups", "state the same network for every budget")
        if [r.name for r in smaller.resources] != [r.name for r in larger.resources]:
            raise InputError(f"{what} have different resources", "give every budget the same resources")
        if any(a.capacity > b.capacity for a, b in zip(smaller.resources, larger.resources, strict=True)):
            raise InputError(f"{what} have falling capacities", "order the budgets so that every capacity rises")


def check_weights(problems: Sequence[KnapsackProblem], weights: Sequence[int] | None) -> tuple[int, ...]:
    """The weights of a family; all 1 if `weights` is None.

    Raises:
        InputError: if they are not one integer above 0 for each budget, or a weighted sum could exceed 2^62.
    """
    found = (1,) * len(problems) if weights is None else tuple(weights)
    if len(found) != len(problems) or any(isinstance(w, bool) or not isinstance(w, int) or w < 1 for w in found):
        raise InputError(f"the weights {list(found)} are not one integer above 0 for each budget", "give one for each")
    if sum(w * p.magnitude for w, p in zip(found, problems, strict=True)) > MAGNITUDE_LIMIT:
        raise InputError("a weighted sum of values could pass 2^62", "give smaller weights")
    return found
