"""Search to a gap, from a bound that is already known, and from hints; and what short limits leave."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from reds_dp import DpSolver

from reds_core.knapsack import Controls, Feature, KnapsackProblem, Limit, Solution, Status, load_problem, solve
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import correlated, negative_values, random_problem

HARD = Path(__file__).parents[3] / ".." / "shared" / "instances" / "hard"


def _problem(seed: int) -> KnapsackProblem:
    if seed % 5 == 4:
        return negative_values(seed)
    if seed % 5 == 3:
        return correlated(seed, Feature.ALL)
    return random_problem(seed, [Feature.ALL, Feature.PAIR_TERMS, Feature.MULTI_RESOURCE][seed % 3])


def _check(found: Solution, truth: int | None, controls: Controls) -> None:
    if truth is None:
        assert found.status is Status.INFEASIBLE
        return
    assert found.value is not None
    assert found.bound is not None
    assert found.value <= truth <= found.bound
    if found.status is Status.OPTIMAL:
        assert found.value == truth
        return
    assert (found.status, found.limit) == (Status.FEASIBLE, Limit.GAP)
    assert controls.gap is not None
    assert truth - found.value <= controls.gap * abs(found.value)


@pytest.mark.parametrize("gap", [1e-6, 1e-3, 0.05, 0.5, 1.0, 4.0])
def test_an_answer_within_a_gap_is_within_it_of_the_true_optimum(gap: float) -> None:
    stopped = 0
    for seed in range(60):
        problem = _problem(seed)
        controls = Controls(gap=gap)
        found = solve(problem, DpSolver(), controls)
        _check(found, brute_force(problem).value, controls)
        stopped += found.limit is Limit.GAP
    assert stopped > 5 or gap < 0.01


@pytest.mark.parametrize("above", [0, 1, 1000])
def test_a_known_bound_and_a_hint_leave_the_optimum_as_it_is(above: int) -> None:
    for seed in range(60):
        problem = _problem(seed)
        truth = brute_force(problem).value
        rng = np.random.default_rng(seed)
        hint = tuple(int(rng.integers(g.options)) for g in problem.groups)
        for gap in (None, 0.01):
            controls = Controls(gap=gap, hint=hint, known_bound=None if truth is None else truth + above)
            _check(solve(problem, DpSolver(), controls), truth, controls)


def test_a_hint_that_meets_the_known_bound_ends_the_search_without_labels() -> None:
    problem = random_problem(1, Feature.PAIR_TERMS)
    best = brute_force(problem)
    assert best.value is not None
    found = solve(problem, DpSolver(), Controls(hint=tuple(int(i) for i in best.optima[0]), known_bound=best.value))
    assert (found.status, found.value) == (Status.OPTIMAL, best.value)
    assert found.detail[0].startswith("0 partial choices")


def _hard(name: str) -> KnapsackProblem:
    path = HARD / f"{name}.npz"
    if not path.is_file():
        pytest.skip("the hard instances are not here")
    return load_problem(path)


def test_a_deep_transformer_is_nearly_solved_in_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dual jumps from hardly any width to nearly full width, so that the feasible maximiser is worth little."""
    problem = _hard("transformer-100-convex")
    monkeypatch.setattr(time, "perf_counter", time.process_time)
    found = solve(problem, DpSolver(), Controls(2.0))
    assert found.gap is not None
    assert found.gap < 1e-3


def test_a_gap_ends_the_search_early_on_a_deep_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof of optimality takes ten times as long."""
    problem = _hard("resnet-152-macs-params")
    monkeypatch.setattr(time, "perf_counter", time.process_time)
    found = solve(problem, DpSolver(), Controls(20.0, gap=1e-3))
    assert found.limit is Limit.GAP
    assert found.gap is not None
    assert found.gap <= 1e-3


@pytest.mark.slow
def test_a_deep_transformer_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = _hard("transformer-100-convex")
    monkeypatch.setattr(time, "perf_counter", time.process_time)
    assert solve(problem, DpSolver(), Controls(20.0)).status is Status.OPTIMAL
