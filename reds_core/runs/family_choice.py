"""Chooses all subnetworks of a family: the best of all nested families, or the best that a limited search finds.

The family that is anchored at the smallest budget comes first. It decides which members have widths in multiples of 4
(`reds_core.runs.alignment`). Then the best of all families in which these members keep multiples of 4 is searched for,
so the value is never below that of the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from reds_core.arrays import BoolArray
from reds_core.errors import InfeasibleError, NoChoiceError
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.families.anchoring import FamilySolution, FamilySolver, MemberSolution, Solve
from reds_core.knapsack.families.joint_family import improved, not_proved
from reds_core.knapsack.families.limits import FamilyLimits, GivenUp, OutOfTime
from reds_core.knapsack.families.order import FamilyOrder, limited
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Solution, Status, relative_gap
from reds_core.runs.alignment import choose, has_multiples, options_of_multiples
from reds_core.runs.search import Search
from reds_core.watcher import LOGGER

LEAST_LIMIT_S = 10.0
"""The search for a better family may always take this many seconds, unless the time limit of each solve is shorter."""
LIMIT_FACTOR = 5.0
"""If this many times the time of the first family is longer, the search may take that long."""
NO_BOUND = "the solver gives no bound, so only the families anchored at the smallest and largest budget were compared"


def choose_family(
    search: Search, problems: Sequence[KnapsackProblem], rules: WidthRules, channels: Mapping[str, int]
) -> FamilySolution:
    """Choose the subnetworks of all budgets together, with the largest sum of values that is found.

    `bound` limits the sum of every family in which the same members have widths in multiples of 4. If the solver gives
    no bounds, only the families that are anchored at the smallest and at the largest budget are compared, since a
    better one would not be the work of that solver.

    Args:
        search: The solver and its limits, which apply to each solve. Its time limit is also the most that the search
            after the first family may take, and that search stops at its gap.
        problems: One problem for each budget, smallest first; they differ only in their capacities.
        rules: The rules for widths.
        channels: The full number of channels of each group.

    Raises:
        InfeasibleError: If a budget cannot be met, or no family is found that is nested.
        NoChoiceError: If the solver stopped before it found a choice.
    """
    started = time.perf_counter()
    choice = _FamilyChoice(search, tuple(problems), rules, channels)
    found = choice.family()
    if found.anchor == 0 and len(problems) == 1:
        return found
    spent_s = time.perf_counter() - started
    LOGGER.debug(
        "family of %d subnetworks in %.3f s: sum of values %s, bound %s%s",
        *(len(problems), spent_s, found.weighted_value, found.bound, "".join(f"; {text}" for text in found.detail)),
    )
    # no solve belongs to one member alone, so each takes an equal share of the time
    share = spent_s / len(problems)
    members = tuple(replace(m, solution=replace(m.solution, wall_s=share)) for m in found.members)
    return replace(found, members=members)


def search_limit_s(first_s: float, time_limit_s: float | None) -> float:
    """How long the search for a better family may take, in seconds.

    Args:
        first_s: The seconds that the first family took.
        time_limit_s: The time limit of each solve, or None.
    """
    limit_s = max(LEAST_LIMIT_S, LIMIT_FACTOR * first_s)
    return limit_s if time_limit_s is None else min(limit_s, time_limit_s)


@dataclass(frozen=True)
class _FamilyChoice:
    """The choice of one family. Attributes: see `choose_family`."""

    search: Search
    problems: tuple[KnapsackProblem, ...]
    rules: WidthRules
    channels: Mapping[str, int]

    def family(self) -> FamilySolution:
        started = time.perf_counter()
        families = FamilySolver(self.problems, self._solver(self.search))
        first = _first_anchored(families)
        gap = self.search.controls.gap or 0.0
        if len(self.problems) == 1 or first.optimal:
            return first
        limit_s = search_limit_s(time.perf_counter() - started, self.search.controls.time_limit_s)
        if first.bound is None:
            return self._better_anchored(first, limit_s)
        found = self._improved(families, first, FamilyLimits(time_limit_s=limit_s, gap=gap))
        return found if found.members is first.members else self._settled(first, found)

    def _solver(self, search: Search) -> Solve:
        """Solves a problem as for a single subnetwork, with multiples of 4 where they cost little."""
        return partial(choose, search, rules=self.rules, channels=self.channels)

    def _better_anchored(self, first: FamilySolution, limit_s: float) -> FamilySolution:
        """The better one of `first` and the family that is anchored at the largest budget."""
        largest = len(self.problems) - 1
        families = FamilySolver(self.problems, _within(self.search, limit_s, self._solver))
        try:
            other = families.anchored(largest)
        except GivenUp as stopped:
            return replace(first, limit=stopped.limit, detail=(not_proved(f"{NO_BOUND}, and {stopped}"),))
        except (InfeasibleError, NoChoiceError):
            other = first
        best = other if other.weighted_value > first.weighted_value else first
        return replace(best, bound=None, detail=(not_proved(NO_BOUND),))

    def _improved(self, families: FamilySolver, first: FamilySolution, limits: FamilyLimits) -> FamilySolution:
        """The best family that a search from `first` finds, in which the same members have multiples of 4."""
        offered = [self._offered(member) for member in first.members]
        solved = {b: families.free(b) for b, masks in enumerate(offered) if all(mask.all() for mask in masks)}
        assert limits.time_limit_s is not None
        solve = _within(self.search, limits.time_limit_s, lambda search: search.choose)
        exact = FamilySolver(self.problems, solve, offered=offered, solved=solved)
        memory = self.search.controls.memory_limit()
        return improved(exact, first, replace(limits, memory_limit_bytes=memory))

    def _offered(self, member: MemberSolution) -> list[BoolArray]:
        """Which options a better family may give the member: those with multiples of 4 if `member` has multiples."""
        if has_multiples(member.solution):
            return options_of_multiples(self.problems[0], self.channels)
        return [np.ones(group.options, np.bool_) for group in self.problems[0].groups]

    def _settled(self, first: FamilySolution, found: FamilySolution) -> FamilySolution:
        """`found` with members that are solved between their neighbours, as those of anchored families are.

        Their bounds then refer to all widths, and a member whose multiples of 4 cost too much there takes any width.
        """
        members = list(found.members)
        for budget, known in enumerate(first.members):
            members[budget] = self._between(budget, members, known)
        settled = replace(found, members=tuple(members))
        if [m.choice for m in members] != [m.choice for m in found.members]:
            settled = replace(settled, anchor=None)
        if settled.bound is not None and settled.weighted_value > settled.bound:
            settled = replace(settled, bound=first.bound)  # the other one holds with the multiples of 4 given up here
        return settled

    def _between(self, budget: int, members: Sequence[MemberSolution], first: MemberSolution) -> MemberSolution:
        """The member of one budget, solved between its neighbours and no worse than before."""
        member, problem = members[budget], self.problems[budget]
        smaller = members[budget - 1].choice if budget else None
        larger = members[budget + 1].choice if budget + 1 < len(members) else None
        aligned = has_multiples(first.solution)
        solution = replace(member.solution, alignment=first.solution.alignment)
        if aligned or solution.status is not Status.OPTIMAL:
            inside = limited(problem, FamilyOrder(problem).around(smaller, larger))
            assert inside is not None  # it contains the choice of the member
            bound = first.bound_independent
            try:
                solved = self._solver(self.search)(inside.problem) if aligned else self.search.choose(inside.problem)
            except NoChoiceError:
                pass
            else:
                bound = solved.bound
                if solved.choice is not None and solved.value is not None and solved.value >= member.value:
                    own = solved.alignment if aligned else first.solution.alignment
                    solution = replace(solved, choice=inside.outer(solved.choice), alignment=own)
            proved = bound == solution.value
            solution = replace(
                solution,
                bound=bound,
                gap=relative_gap(solution.value, bound),
                status=Status.OPTIMAL if proved else Status.FEASIBLE,
            )
        choice, value = solution.choice, solution.value
        assert choice is not None
        assert value is not None
        return MemberSolution(solution, choice, value, first.bound_independent)


def _first_anchored(families: FamilySolver) -> FamilySolution:
    """The family that is anchored at the smallest budget, or else at the first one around which there is a family.

    Raises:
        InfeasibleError, NoChoiceError: if there is none.
    """
    failure: InfeasibleError | NoChoiceError | None = None
    for anchor in range(len(families.problems)):
        try:
            return families.anchored(anchor)
        except (InfeasibleError, NoChoiceError) as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _within(search: Search, seconds: float, make: Callable[[Search], Solve]) -> Solve:
    """A solver that works within the time that is left of `seconds` from now.

    The function that is returned raises OutOfTime if no time is left.

    Args:
        search: The solver and its limits.
        seconds: The time for all solves together.
        make: Turns a search with the limits of one solve into the function that solves.
    """
    deadline = time.perf_counter() + seconds

    def solve(problem: KnapsackProblem) -> Solution:
        left_s = deadline - time.perf_counter()
        if left_s <= 0:
            raise OutOfTime
        controls = search.controls
        limit_s = left_s if controls.time_limit_s is None else min(left_s, controls.time_limit_s)
        return make(replace(search, controls=replace(controls, time_limit_s=limit_s)))(problem)

    return solve
