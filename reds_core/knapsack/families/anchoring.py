"""Families of nested choices: one knapsack a budget, each choice within the next.

An anchored family solves one budget freely, then the smaller ones inside its choice and the larger ones around it.
REDS's bottom-up family (arXiv 2311.13349, section 3) is anchored at the smallest budget, the top-down family at the
largest. `reds_core.knapsack.families.joint_family` finds the best family of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from reds_core.errors import InputError, NoChoiceError
from reds_core.knapsack.no_choice import without_choice
from reds_core.knapsack.problem import MAGNITUDE_LIMIT, KnapsackProblem
from reds_core.knapsack.solution import Solution, Status

Solve = Callable[[KnapsackProblem], Solution]


@dataclass(frozen=True)
class MemberSolution:
    """One member of a family.

    Attributes:
        solution: the solution of the problem under the floors and ceilings that nesting imposes.
        choice: the choice of `solution`, one option index for each group.
        value: the value of `choice`.
        bound_independent: a proven upper bound on the value without those floors and ceilings, or None.
    """

    solution: Solution
    choice: tuple[int, ...]
    value: int
    bound_independent: int | None


@dataclass(frozen=True)
class FamilySolution:
    """One choice a budget, smallest budget first, each within the next.

    Attributes:
        members: one a budget.
        weights: of the members' values, whole and above 0.
        bound: proven upper limit on the weighted value of every nested family, or None.
        enumerated: for each budget how many near-optimal choices were compared; empty where none were.
        solves: how many solves were made in branching.
        detail: remarks for the user, one clause each.
    """

    members: tuple[MemberSolution, ...]
    weights: tuple[int, ...]
    bound: int | None
    enumerated: tuple[int, ...] = ()
    solves: int = 0
    detail: tuple[str, ...] = ()

    @property
    def weighted_value(self) -> int:
        """Sum of weight x value over the members."""
        return sum(w * m.value for w, m in zip(self.weights, self.members, strict=True))

    @property
    def optimal(self) -> bool:
        """Whether no nested family has a larger weighted value."""
        return self.bound == self.weighted_value


def choose_above(problem: KnapsackProblem, smaller: Sequence[int] | None, solve: Solve) -> MemberSolution:
    """The best choice of `problem` that contains the choice `smaller` (option indices), and the bound without it.

    This is one step of the bottom-up family: what a smaller subnetwork keeps, every larger one keeps.

    Raises:
        InfeasibleError: if there is none.
        NoChoiceError: if the solver stopped before it found one. That it does so without `smaller` costs no more than
            the bound.
    """
    if smaller is None:
        return _solved(problem, solve)
    return _beside(problem, _unless_stopped(problem, solve), smaller, None, solve)


def bottom_up(
    problems: Sequence[KnapsackProblem], solve: Solve, weights: Sequence[int] | None = None
) -> FamilySolution:
    """The smallest budget first, each larger one around what the smaller ones keep. Arguments: see `anchored`."""
    return anchored(problems, solve, 0, weights)


def top_down(problems: Sequence[KnapsackProblem], solve: Solve, weights: Sequence[int] | None = None) -> FamilySolution:
    """The largest budget first, each smaller one inside what the larger ones keep. Arguments: see `anchored`."""
    return anchored(problems, solve, len(problems) - 1, weights)


def anchored(
    problems: Sequence[KnapsackProblem], solve: Solve, anchor: int, weights: Sequence[int] | None = None
) -> FamilySolution:
    """The family of one budget solved freely, the others inside and around it.

    Args:
        problems: smallest budget first; they differ in their capacities only.
        solve: any solver.
        anchor: index of the budget solved freely.
        weights: of the values, whole and above 0; None for all equal.

    Raises:
        InputError: if the problems are no family, or the weights do not fit them.
        InfeasibleError: if a budget cannot be met. Above the anchor that happens only if the anchor's cannot; below it
            also where costs fall as widths rise, and no choice inside the anchor's is cheap enough.
        NoChoiceError: if the solver stopped before it found a choice.
    """
    return FamilySolver(problems, solve, weights).anchored(anchor)


class FamilySolver:
    """Families of the same budgets, which share the solves of each budget without regard to the others.

    Arguments, and errors of making one: see `anchored`.
    """

    def __init__(self, problems: Sequence[KnapsackProblem], solve: Solve, weights: Sequence[int] | None = None) -> None:
        check_problems(problems)
        self.problems = tuple(problems)
        self.solve = solve
        self.weights = check_weights(problems, weights)
        self._free: dict[int, Solution | None] = {}

    def free(self, budget: int) -> Solution | None:
        """The solution of one budget without regard to the others; None where the solver stopped without."""
        if budget not in self._free:
            self._free[budget] = _unless_stopped(self.problems[budget], self.solve)
        return self._free[budget]

    def anchored(self, anchor: int) -> FamilySolution:
        """As the function of that name."""
        own = self.free(anchor)
        if own is None or own.choice is None:
            members = {anchor: _solved(self.problems[anchor], self.solve)}
            self._free[anchor] = members[anchor].solution
        else:
            members = {anchor: _member(self.problems[anchor], own)}
        for budget in range(anchor + 1, len(self.problems)):
            smaller = members[budget - 1].choice
            members[budget] = _beside(self.problems[budget], self.free(budget), smaller, None, self.solve)
        for budget in reversed(range(anchor)):
            larger = members[budget + 1].choice
            members[budget] = _beside(self.problems[budget], self.free(budget), None, larger, self.solve)
        ordered = tuple(members[budget] for budget in range(len(self.problems)))
        known = [m.bound_independent for m in ordered if m.bound_independent is not None]
        bound = weighted_sum(self.weights, known) if len(known) == len(ordered) else None
        return FamilySolution(ordered, self.weights, bound)


def weighted_sum(weights: Sequence[int], values: Sequence[int]) -> int:
    """The sum of weight x value."""
    return sum(w * v for w, v in zip(weights, values, strict=True))


def _member(problem: KnapsackProblem, solution: Solution) -> MemberSolution:
    """`solution` as a member whose own bound is the independent one.

    Raises:
        InfeasibleError: if `solution` proves that there is no choice.
        NoChoiceError: if the solver stopped without a choice.
    """
    if solution.choice is None or solution.value is None:
        raise without_choice(problem, solution)
    return MemberSolution(solution, solution.choice, solution.value, solution.bound)


def _solved(problem: KnapsackProblem, solve: Solve) -> MemberSolution:
    """Solve `problem` without regard to other members. Errors: see `_member`."""
    return _member(problem, solve(problem))


def _unless_stopped(problem: KnapsackProblem, solve: Solve) -> Solution | None:
    """A solution, or None where the solver stopped and said nothing.

    Raises:
        InfeasibleError: if there is no choice.
    """
    try:
        solution = solve(problem)
    except NoChoiceError:
        return None
    if solution.status is Status.INFEASIBLE:
        raise without_choice(problem, solution)
    return solution


def _beside(
    problem: KnapsackProblem,
    free: Solution | None,
    smaller: Sequence[int] | None,
    larger: Sequence[int] | None,
    solve: Solve,
) -> MemberSolution:
    """The best choice that contains `smaller` and lies within `larger`; `free` is the solution without them."""
    floors = problem.floors if smaller is None else tuple(map(max, problem.floors, smaller))
    ceilings = problem.ceilings if larger is None else tuple(map(min, problem.ceilings, larger))
    bound = None if free is None else free.bound
    if free is not None and free.choice is not None and free.status is Status.OPTIMAL:
        nested = [low <= x <= high for low, x, high in zip(floors, free.choice, ceilings, strict=True)]
        if all(nested):  # the best choice of all is also the best of the nested ones
            return _member(problem, free)
    return replace(_solved(problem.with_bounds(floors, ceilings), solve), bound_independent=bound)


def check_problems(problems: Sequence[KnapsackProblem]) -> None:
    """Refuse problems that do not differ in their capacities only, smallest first.

    Raises:
        InputError: if they differ otherwise. It is the caller's responsibility that their tables are equal.
    """
    if not problems:
        raise InputError("a family of no budgets", "give at least one budget")
    for smaller, larger in pairwise(problems):
        what = f"problems '{smaller.name}' and '{larger.name}' of one family"
        if [(g.name, g.options) for g in smaller.groups] != [(g.name, g.options) for g in larger.groups]:
            raise InputError(f"{what} have different groups", "state the same network for every budget")
        if [r.name for r in smaller.resources] != [r.name for r in larger.resources]:
            raise InputError(f"{what} have different resources", "give every budget the same resources")
        if any(a.capacity > b.capacity for a, b in zip(smaller.resources, larger.resources, strict=True)):
            raise InputError(f"{what} have falling capacities", "order the budgets alike in every resource, rising")


def check_weights(problems: Sequence[KnapsackProblem], weights: Sequence[int] | None) -> tuple[int, ...]:
    """The weights of a family, 1 each where None.

    Raises:
        InputError: if they are not one whole number above 0 a budget, or a weighted sum could pass 2^62.
    """
    found = (1,) * len(problems) if weights is None else tuple(weights)
    if len(found) != len(problems) or any(isinstance(w, bool) or not isinstance(w, int) or w < 1 for w in found):
        raise InputError(f"the weights {list(found)} are not one whole number above 0 a budget", "give one a budget")
    if sum(w * p.magnitude for w, p in zip(found, problems, strict=True)) > MAGNITUDE_LIMIT:
        raise InputError("a weighted sum of values could pass 2^62", "give smaller weights")
    return found
