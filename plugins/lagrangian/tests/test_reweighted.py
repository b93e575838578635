"""The tree-reweighted bound against exact max-sum."""

from __future__ import annotations

import numpy as np
import pytest
from reds_lagrangian.masks import pair_masks, supported
from reds_lagrangian.reweighted import Reweighted

from reds_core.knapsack import Feature, KnapsackProblem
from reds_core.knapsack.inference import Factors, MaxSum, build_factors, peak_masks, possible_options
from reds_core.testing.problems import random_problem


def _factors(problem: KnapsackProblem) -> Factors | None:
    kept = possible_options(problem)
    return None if kept is None else supported(build_factors(problem, kept, pair_masks(problem, kept)))


def _weights(factors: Factors, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.concatenate(([1.0], -np.random.default_rng(seed).random(factors.rows - 1)))


@pytest.mark.parametrize("features", [Feature.PAIR_TERMS, Feature.ALL])
def test_the_bound_is_never_below_the_maximum_and_falls_towards_it(features: Feature) -> None:
    tight = 0
    for seed in range(80):
        problem = random_problem(seed, features, groups=6)
        factors = _factors(problem)
        if factors is None:
            continue
        weights = _weights(factors, seed)
        exact = MaxSum(build_factors(problem, factors.kept, peak_masks(problem, factors.kept, 10**6)))
        best = float(exact.sweep(weights[None]).best[0])
        tables = Reweighted(factors)
        bounds = [tables.sweep(weights, forward)[0] for forward in (True, False) * 20]
        assert min(bounds) >= best - 1e-9 * abs(best)
        assert bounds[-1] <= bounds[0] + 1e-9 * abs(bounds[0])
        tight += bounds[-1] <= best + 1e-6 * abs(best)
    assert tight > 20


def test_bound_and_choice_come_to_be_exact_on_a_forest() -> None:
    checked = attained = 0
    for seed in range(60):
        problem = random_problem(seed, Feature.PAIR_TERMS, groups=5)
        factors = build_factors(problem)
        order = MaxSum(factors)
        if any(len(s) > 1 for s in order.separators):
            continue
        weights = _weights(factors, seed)
        tables = Reweighted(factors)
        for forward in (True, False) * 20:
            bound, positions = tables.sweep(weights, forward)
        assert bound == pytest.approx(float(order.sweep(weights[None]).best[0]), abs=1e-6)
        rows = [f.stack[:, i] for f, i in zip(factors.unary, positions, strict=True)]
        rows += [f.stack[:, positions[f.scope[0]], positions[f.scope[1]]] for f in factors.pairs]
        worth = sum(float(weights @ r) for r in rows)
        assert worth <= bound + 1e-6
        attained += worth >= bound - 1e-6
        checked += 1
    assert checked > 20
    assert attained >= 0.9 * checked


def test_messages_stay_valid_when_the_weights_change() -> None:
    problem = random_problem(5, Feature.PAIR_TERMS | Feature.MULTI_RESOURCE, groups=6)
    factors = build_factors(problem)
    exact, tables = MaxSum(factors), Reweighted(factors)
    for seed in range(20):
        weights = _weights(factors, seed)
        bound, _ = tables.sweep(weights, seed % 2 == 0)
        assert bound >= float(exact.sweep(weights[None]).best[0]) - 1e-9
