"""Search to a gap, from a bound that is already known, and from hints."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from reds_lagrangian import LagrangianSolver

from reds_core.knapsack import Controls, Feature, Limit, Status, load_problem, solve
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import negative_values, random_problem

HARD = Path(__file__).parents[3] / ".." / "shared" / "instances" / "hard"


@pytest.mark.parametrize("gap", [1e-4, 0.05, 1.0, 4.0])
@pytest.mark.parametrize("above", [None, 0, 100])
def test_an_answer_within_a_gap_is_within_it_of_the_true_optimum(gap: float, above: int | None) -> None:
    stopped = 0
    for seed in range(40):
        problem = random_problem(seed, Feature.ALL) if seed % 4 else negative_values(seed)
        truth = brute_force(problem).value
        rng = np.random.default_rng(seed)
        hint = tuple(int(rng.integers(g.options)) for g in problem.groups)
        known = None if truth is None or above is None else truth + above
        found = solve(problem, LagrangianSolver(), Controls(gap=gap, hint=hint, known_bound=known))
        if truth is None:
            assert found.value is None
            continue
        assert found.value is not None
        assert found.bound is not None
        assert found.value <= truth <= found.bound
        assert found.status is not Status.OPTIMAL or found.value == truth
        if found.limit is Limit.GAP:
            stopped += 1
            assert truth - found.value <= gap * abs(found.value)
    assert stopped > 2 or gap < 0.05 or above == 0


def test_an_optimal_hint_that_meets_the_known_bound_is_proven_at_once() -> None:
    problem = random_problem(1, Feature.PAIR_TERMS)
    best = brute_force(problem)
    found = solve(
        problem, LagrangianSolver(), Controls(hint=tuple(int(i) for i in best.optima[0]), known_bound=best.value)
    )
    assert (found.status, found.value) == (Status.OPTIMAL, best.value)


def test_a_deep_transformer_has_a_good_choice_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    path = HARD / "transformer-100-convex.npz"
    if not path.is_file():
        pytest.skip("the hard instances are not here")
    problem = load_problem(path)
    monkeypatch.setattr(time, "perf_counter", time.process_time)
    found = solve(problem, LagrangianSolver(), Controls(1.5))
    assert found.value is not None
    assert found.value >= 1_426_000_000
