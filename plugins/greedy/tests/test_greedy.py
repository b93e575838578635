"""What is particular to greedy; what every solver owes is in test_conformance.py."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from reds_greedy import GreedySolver
from reds_greedy.search import GreedySearch

from reds_core.knapsack import (
    Controls,
    Feature,
    Group,
    KnapsackProblem,
    Limit,
    Pair,
    PeakResource,
    PeakStep,
    Status,
    SumResource,
    load_problem,
    solve,
)
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import large, random_problem, single_point
from reds_core.testing.strategies import knapsack_problems

INSTANCES = Path(__file__).parents[3] / ".." / "shared" / "instances"


@given(knapsack_problems())
@settings(max_examples=100, deadline=None)
def test_the_running_figures_are_those_of_the_choice(problem: KnapsackProblem) -> None:
    """Every move updates values and costs by differences; at the end they must be what evaluate finds."""
    search = GreedySearch(problem, problem.floors, float("inf"))
    search.run()
    result = problem.evaluate(search.choice)
    assert search.value == result.value
    assert search.feasible == result.feasible
    rows = [r.capacity - int(u) for r, u in zip(problem.sum_resources, search.usage, strict=False)]
    assert rows == [r.capacity - result.usage[r.name] for r in problem.sum_resources]


@pytest.mark.parametrize("features", [Feature.NONE, Feature.PAIR_TERMS, Feature.ALL])
def test_a_feasible_choice_is_found_and_is_nearly_always_optimal(features: Feature) -> None:
    optimal = feasible = 0
    for seed in range(60):
        problem = random_problem(seed, features)
        truth = brute_force(problem)
        found = solve(problem, GreedySolver())
        assert (found.value is None) == (truth.value is None), problem.name
        if found.value is not None and truth.value is not None:
            assert found.value <= truth.value
            feasible += 1
            optimal += found.value == truth.value
    assert feasible > 20
    assert optimal >= 0.9 * feasible


@pytest.mark.parametrize("seed", range(10))
def test_the_only_feasible_choice_is_found(seed: int) -> None:
    problem = single_point(seed)
    found = solve(problem, GreedySolver())
    assert found.choice == tuple(brute_force(problem).optima[0])


@pytest.mark.skipif(not INSTANCES.is_dir(), reason="the folder ../shared/instances is missing")
def test_the_instances_are_solved_within_two_percent() -> None:
    for name, known in json.loads((INSTANCES / "optimal.json").read_text()).items():
        found = solve(load_problem(INSTANCES / f"{name}.npz"), GreedySolver())
        if known["value"] is None:
            assert found.status is Status.NO_SOLUTION
        else:
            assert found.value is not None, name
            assert found.value >= 0.98 * known["value"], name


def test_the_best_value_for_its_cost_comes_first() -> None:
    """b gives 5 for 1, a 6 for 4: with room for one of them greedy must not take the larger value."""
    groups = (Group("a", np.array([1, 2]), np.array([0, 6])), Group("b", np.array([1, 2, 3]), np.array([0, 5, 9])))
    costs = (np.array([0, 4]), np.array([0, 1, 2]))
    problem = KnapsackProblem("ratio", groups, (), (SumResource("r", 4, 0, costs),))
    assert solve(problem, GreedySolver()).choice == (0, 2)


def test_a_pair_exchange_leaves_a_local_optimum() -> None:
    """From (1, 0) no single move helps, as both groups must change for the pair value of 100."""
    groups = tuple(Group(n, np.array([1, 2]), np.array([0, 1])) for n in "ab")
    pair = Pair(0, 1, np.array([[0, 100], [0, 0]]))
    resource = SumResource("r", 1, 0, (np.array([0, 1]), np.array([0, 1])))
    problem = KnapsackProblem("exchange", groups, (pair,), (resource,), ceilings=(1, 1))
    found = solve(problem, GreedySolver(), Controls(hint=(1, 0)))
    assert (found.choice, found.value) == ((0, 1), 101)


def test_a_better_hint_is_never_lost() -> None:
    for seed in range(20):
        problem = random_problem(seed, Feature.ALL)
        truth = brute_force(problem)
        for optimum in truth.optima[:1]:
            assert solve(problem, GreedySolver(), Controls(hint=tuple(optimum))).value == truth.value


def test_a_hint_outside_the_bounds_is_moved_inside() -> None:
    groups = (Group("a", np.array([1, 2, 3]), np.array([9, 5, 1])),)
    problem = KnapsackProblem("bounds", groups, floors=(1,), ceilings=(1,))
    assert solve(problem, GreedySolver(), Controls(hint=(0,))).choice == (1,)


def test_problems_without_rows_and_peaks_without_steps() -> None:
    groups = (Group("a", np.array([1, 2, 3]), np.array([1, 9, 5])),)
    assert solve(KnapsackProblem("free", groups), GreedySolver()).choice == (1,)
    empty = KnapsackProblem("empty", groups, (), (PeakResource("p", 0),))
    assert solve(empty, GreedySolver()).choice == (1,)
    below = KnapsackProblem("below", groups, (), (PeakResource("p", -1),))
    assert solve(below, GreedySolver()).status is Status.NO_SOLUTION
    fixed = KnapsackProblem("fixed", groups, (), (PeakResource("p", 5, (PeakStep(6),)),))
    assert solve(fixed, GreedySolver()).status is Status.NO_SOLUTION


def test_the_time_limit_cuts_the_search_short() -> None:
    problem = large(0, Feature.ALL, groups=60, options=256)
    started = time.perf_counter()
    found = solve(problem, GreedySolver(), Controls(time_limit_s=0.3))
    assert time.perf_counter() - started < 3
    assert (found.status, found.limit) == (Status.FEASIBLE, Limit.TIME)
    assert solve(problem, GreedySolver(), Controls(time_limit_s=1e-9)).limit is Limit.TIME


def test_a_network_of_60_groups_with_256_options_takes_seconds() -> None:
    problem = large(1, Feature.PAIR_TERMS, groups=60, options=256)
    started = time.process_time()
    found = solve(problem, GreedySolver())
    assert time.process_time() - started < 20
    assert found.limit is None
    assert found.value is not None
