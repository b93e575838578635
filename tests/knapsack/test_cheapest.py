"""The choice that solvers fall back on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.knapsack.cheapest import cheapest_answer, cheapest_choice, cheapest_where_memory_ends, trivial_bound
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, SumResource
from reds_core.knapsack.solution import Answer, Limit, Status
from reds_core.knapsack.solver import Controls, Feature, Solver, solve, why_not
from reds_core.registry import Registry
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import random_problem

FALLING = np.array([9, 4, 1])
OURS = ("dp", "lagrangian", "cpsat", "scipy-milp", "scipy-lp", "pulp", "greedy")


def falling() -> KnapsackProblem:
    """Costs fall with width, and only the widest options fit; one cost stands in a table of a pair."""
    groups = tuple(Group(name, np.arange(1, 4), np.array([1, 2, 3])) for name in "abc")
    macs = SumResource("macs", 4, 0, (FALLING, FALLING, None), (0,), (np.add.outer(FALLING, FALLING),))
    return KnapsackProblem("falling", groups, (Pair(1, 2),), (macs,))


def rising(capacity: int, count: int = 40, options: int = 120) -> KnapsackProblem:
    """A chain whose least width is the only one within a tight budget, and whose tables are large."""
    widths = np.arange(1, options + 1)
    groups = tuple(Group(f"g{g}", widths, widths**2) for g in range(count))
    pairs = tuple(Pair(g, g + 1) for g in range(count - 1))
    return KnapsackProblem("rising", groups, pairs, (SumResource("macs", capacity, 0, (), (1,) * (count - 1)),))


def test_costs_may_fall_with_width() -> None:
    assert cheapest_choice(falling()) == (2, 2, 2)
    assert cheapest_choice(falling().with_capacities({"macs": 3})) is None


def test_each_resource_is_tried_by_itself() -> None:
    """Added up, the first option is the cheapest of all; it alone breaks the tighter budget."""
    groups = (Group("a", np.arange(1, 4), np.zeros(3, np.int64)),)
    loose = SumResource("loose", 10**6, 0, (np.array([0, 5 * 10**5, 10**6]),))
    tight = SumResource("tight", 9, 0, (np.array([10, 10, 9]),))
    assert cheapest_choice(KnapsackProblem("p", groups, (), (loose, tight))) == (2,)


def test_steps_of_a_peak_are_costs_too() -> None:
    groups = (Group("a", np.arange(1, 4), np.array([3, 2, 1])),)
    steps = (PeakStep(0, (0,), (FALLING,)), PeakStep(1))
    assert cheapest_choice(KnapsackProblem("p", groups, (), (PeakResource("ram", 1, steps),))) == (2,)


def test_a_budget_that_does_not_bind_leaves_the_full_network() -> None:
    problem = rising(10**9)
    assert cheapest_choice(problem) == problem.ceilings


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_it_is_feasible_and_within_the_trivial_bound(seed: int) -> None:
    problem = random_problem(seed, Feature.ALL)
    choice, truth = cheapest_choice(problem), brute_force(problem)
    assert truth.value is None or truth.value <= trivial_bound(problem)
    if choice is not None:
        evaluation = problem.evaluate(choice)
        assert evaluation.feasible
        assert truth.value is not None
        assert evaluation.value <= truth.value


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_a_feasible_hint_is_a_lower_limit(seed: int) -> None:
    problem = random_problem(seed, Feature.ALL)
    truth = brute_force(problem)
    if truth.value is not None:
        found = cheapest_choice(problem, tuple(truth.optima[0].tolist()))
        assert found is not None
        assert problem.evaluate(found).value == truth.value


def test_what_stopped_the_search_is_told() -> None:
    problem = rising(39)
    answer = cheapest_answer(problem, Limit.MEMORY, "too large")
    assert (answer.status, answer.choice, answer.limit) == (Status.FEASIBLE, problem.floors, Limit.MEMORY)
    assert answer.bound == 40 * 120**2
    assert answer.detail[0] == "too large"
    none = cheapest_answer(rising(38), Limit.TIME, "too late")
    assert (none.status, none.limit) == (Status.NO_SOLUTION, Limit.TIME)


def test_a_solver_without_memory_gives_the_cheapest_choice() -> None:
    def fail() -> Answer:
        raise MemoryError

    answer = cheapest_where_memory_ends(rising(39), None, fail)
    assert (answer.status, answer.limit, answer.detail[0]) == (
        Status.FEASIBLE,
        Limit.MEMORY,
        "the solver ran out of memory",
    )


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("capacity", [39, 10**5])
def test_no_time_limit_leaves_a_solver_without_the_cheapest_choice(name: str, capacity: int) -> None:
    problem = rising(capacity)
    found = solve(problem, Registry().create(Solver, name), Controls(time_limit_s=1e-6))
    assert found.choice is not None
    assert found.bound is None or found.bound >= (found.value or 0)


@pytest.mark.parametrize("name", OURS)
def test_a_choice_is_found_where_costs_fall(name: str) -> None:
    found = solve(falling(), Registry().create(Solver, name), Controls(time_limit_s=1e-6))
    assert found.choice == (2, 2, 2)


@pytest.mark.parametrize("name", [n for n in OURS if n != "greedy"])
def test_no_memory_limit_leaves_a_solver_without_the_cheapest_choice(name: str) -> None:
    problem = rising(39)
    found = solve(problem, Registry().create(Solver, name), Controls(memory_limit_bytes=1000))
    assert (found.status, found.limit, found.choice) == (Status.FEASIBLE, Limit.MEMORY, problem.floors)
    assert "more than the memory limit of 1000 bytes" in found.detail[0]
    assert not any("honour" in d for d in found.detail)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", ["dp", "lagrangian", "greedy", "cpsat", "scipy-milp", "scipy-lp"])
def test_claims_hold_under_any_limit(name: str, seed: int) -> None:
    """Against brute force: nothing false is claimed, and there is a choice wherever the cheapest is feasible."""
    problem = random_problem(seed, Feature.ALL)
    solver, truth = Registry().create(Solver, name), brute_force(problem)
    assert why_not(solver, problem) is None
    for controls in (Controls(1e-9), Controls(1e-3), Controls(memory_limit_bytes=1), Controls(memory_limit_bytes=4000)):
        found = solve(problem, solver, controls)
        if found.status is Status.INFEASIBLE:
            assert truth.value is None
        if found.status is Status.OPTIMAL:
            assert found.value == truth.value
        if found.bound is not None and truth.value is not None:
            assert found.bound >= truth.value
        assert found.choice is not None or cheapest_choice(problem) is None
