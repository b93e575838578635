"""Bottom-up families against brute force over all families."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_plugins import BruteSolver

from reds_core.errors import NoChoiceError
from reds_core.knapsack.families.anchoring import bottom_up, choose_above
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Solution
from reds_core.knapsack.solver import Feature, solve
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import random_problem


def exact(problem: KnapsackProblem) -> Solution:
    return solve(problem, BruteSolver())


def rising_budgets(seed: int) -> list[KnapsackProblem]:
    """Three problems with ever more room, each feasible; costs of either sign."""
    problem = random_problem(seed, Feature.PAIR_TERMS, groups=3, options=4, low=0.3, high=0.6)
    capacity = problem.resources[0].capacity
    name = problem.resources[0].name
    return [problem.with_capacities({name: capacity + extra}) for extra in (0, 15, 40)]


@given(st.integers(0, 2**16))
@settings(max_examples=50, deadline=None)
def test_every_member_is_the_best_above_the_one_before(seed: int) -> None:
    problems = rising_budgets(seed)
    if brute_force(problems[0]).value is None:
        return
    members = bottom_up(problems, exact).members
    for before, member in itertools.pairwise(members):
        assert all(a <= b for a, b in zip(before.solution.choice, member.solution.choice, strict=True))
    for i, (problem, member) in enumerate(zip(problems, members, strict=True)):
        floors = members[i - 1].solution.choice if i else None
        restricted = problem if floors is None else problem.with_bounds(floors=floors)
        assert member.solution.value == brute_force(restricted).value
        assert member.bound_independent == brute_force(problem).value
        assert member.bound_independent >= member.solution.value


def test_floors_of_the_problem_itself_stay() -> None:
    problem = rising_budgets(1)[2]
    roomy = problem.with_capacities({problem.resources[0].name: 10**6})
    floored = roomy.with_bounds(floors=[g.options - 1 for g in roomy.groups])
    member = choose_above(floored, [0] * len(roomy.groups), exact)
    assert member.solution.choice == tuple(g.options - 1 for g in roomy.groups)


def test_without_a_choice_for_the_member_itself_the_error_passes() -> None:
    def never(asked: KnapsackProblem) -> Solution:
        raise NoChoiceError("stopped", "give it time")

    with pytest.raises(NoChoiceError):
        choose_above(rising_budgets(1)[0], None, never)


def test_the_smallest_member_is_bounded_by_its_own_solve() -> None:
    problem = rising_budgets(2)[0]
    asked = []

    def counted(problem: KnapsackProblem) -> Solution:
        asked.append(problem)
        return dataclasses.replace(exact(problem), bound=10**9)

    assert choose_above(problem, None, counted).bound_independent == 10**9
    assert len(asked) == 1
