"""Local search: what it returns is feasible, and no single group can improve it."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.knapsack.inference.ascent import Ascent
from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource
from reds_core.knapsack.solver import Feature
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import random_problem, single_point


def _kept(problem: KnapsackProblem) -> list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    return [np.arange(low, high + 1) for low, high in zip(problem.floors, problem.ceilings, strict=True)]


@pytest.mark.parametrize("seed", range(40))
def test_local_search_ends_where_no_single_group_can_improve(seed: int) -> None:
    problem = random_problem(seed, Feature.ALL)
    kept = _kept(problem)
    ascent = Ascent(problem, kept, lambda: None)
    rng = np.random.default_rng(seed)
    found = ascent.improve([int(rng.integers(0, len(k))) for k in kept], np.zeros(len(problem.sum_resources)))
    if found is None:
        return
    result = problem.evaluate(found)
    assert result.feasible
    for g, options in enumerate(kept):
        for option in options:
            other = problem.evaluate((*found[:g], int(option), *found[g + 1 :]))
            assert not other.feasible or other.value <= result.value


def test_most_random_starts_are_repaired_and_many_end_at_the_optimum() -> None:
    feasible = repaired = optimal = 0
    for seed in range(120):
        problem = random_problem(seed, Feature.PAIR_TERMS | Feature.MULTI_RESOURCE)
        truth = brute_force(problem)
        if truth.value is None:
            continue
        feasible += 1
        kept = _kept(problem)
        start = [len(k) - 1 for k in kept]
        found = Ascent(problem, kept, lambda: None).improve(start, np.zeros(len(problem.sum_resources)))
        if found is not None:
            repaired += 1
            optimal += problem.evaluate(found).value == truth.value
    assert repaired >= 0.9 * feasible
    assert optimal >= 0.7 * repaired


def test_what_cannot_be_repaired_is_given_up() -> None:
    problem = single_point(0)
    capacities = {r.name: -(10**6) for r in problem.resources}
    ascent = Ascent(problem.with_capacities(capacities), _kept(problem), lambda: None)
    assert ascent.improve([0] * len(problem.groups), np.zeros(len(problem.sum_resources))) is None


class _TimeIsUp(Exception):
    pass


class _Clock:
    """Raises an exception at the given call and at every later one, and counts the calls."""

    def __init__(self, last: int) -> None:
        self.calls = 0
        self._last = last

    def __call__(self) -> None:
        self.calls += 1
        if self.calls > self._last:
            raise _TimeIsUp


@pytest.mark.parametrize("seed", range(12))
def test_an_interrupted_search_hands_over_the_feasible_choice_that_it_has(seed: int) -> None:
    problem = random_problem(seed, Feature.ALL)
    kept = _kept(problem)
    start = [len(k) - 1 for k in kept]
    nothing = np.zeros(len(problem.sum_resources))
    whole = _Clock(10**9)
    best = Ascent(problem, kept, whole).improve(start, nothing)
    values = []
    for last in range(whole.calls + 1):
        found = Ascent(problem, kept, _Clock(last)).improve(start, nothing)
        if found is None:
            assert not values, "a later interruption lost the choice that an earlier one had"
            continue
        result = problem.evaluate(found)
        assert result.feasible
        values.append(result.value)
    assert values == sorted(values)
    assert best is None or values[-1] == problem.evaluate(best).value


def test_a_feasible_start_is_kept_if_no_time_is_left() -> None:
    problem = random_problem(3, Feature.PAIR_TERMS).with_capacities({"sum0": 10**6})
    kept = _kept(problem)
    found = Ascent(problem, kept, _Clock(0)).improve([0] * len(kept), np.zeros(len(problem.sum_resources)))
    assert found == problem.floors


def test_two_groups_that_form_no_pair_are_changed_together() -> None:
    """No change of a single group fits and gains; taking from the first group and giving to the third does."""
    groups = tuple(Group(f"g{i}", np.array([1, 2]), np.array(v)) for i, v in enumerate([[0, 5], [0, 1], [0, 9]]))
    costs = (np.array([0, 3]), np.array([0, 1]), np.array([0, 4]))
    problem = KnapsackProblem("exchange", groups, (), (SumResource("cost", 5, 0, costs),))
    found = Ascent(problem, _kept(problem), lambda: None).improve([1, 1, 0], np.zeros(1))
    assert found is not None
    assert problem.evaluate(found).value == 10
