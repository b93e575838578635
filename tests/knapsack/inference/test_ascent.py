"""Local search: what it returns is feasible, and no single group can improve it."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.knapsack.inference.ascent import Ascent
from reds_core.knapsack.problem import KnapsackProblem
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
