"""Compiled max-sum against NumPy: sweeps, max-marginals and choices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.arrays import FloatArray
from reds_core.knapsack.compiled.library import VARIABLE, compiled_library
from reds_core.knapsack.inference.elimination import eliminate
from reds_core.knapsack.inference.factors import Factors, build_factors, peak_masks, possible_options
from reds_core.knapsack.inference.maxsum import MaxSum
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solver import Feature
from reds_core.testing.problems import random_problem, scaled
from reds_core.testing.strategies import knapsack_problems

pytestmark = pytest.mark.skipif(compiled_library() is None, reason="no compiled library is installed")


def _factors(problem: KnapsackProblem, ranked: bool) -> Factors | None:
    kept = possible_options(problem)
    if kept is None:
        return None
    masks = peak_masks(problem, kept, 10**6)
    sizes = [len(k) for k in kept]
    order = eliminate(sizes, [*((p.first, p.second) for p in problem.pairs), *(m.scope for m in masks)])
    rank = [order.processing.index(g) for g in range(len(sizes))]
    return build_factors(problem, kept, masks, rank if ranked else None)


def _weights(factors: Factors, seed: int, k: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    weights = -rng.random((k, factors.rows)) * rng.integers(0, 2, (k, factors.rows))
    weights[:, 0] = rng.integers(0, 2, k)
    return weights


def _compare(factors: Factors, weights: FloatArray) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "0")
        reference = MaxSum(factors)
    compiled = MaxSum(factors)
    assert reference.program is None
    assert compiled.program is not None
    # each side may be off by the margin
    margin = 2 * factors.margin(weights)
    expected, found = reference.sweep(weights), compiled.sweep(weights)

    def agree(left: FloatArray, right: FloatArray) -> None:
        assert left.shape == right.shape
        possible = right > -1e190
        assert ((left > -1e190) == possible).all()
        allowed = margin.reshape(-1, *(1,) * (left.ndim - 1))
        assert (np.where(possible, np.abs(left - right), 0.0) <= allowed).all()

    agree(found.best, expected.best)
    for g in range(len(factors.sizes)):
        agree(found.upward[g], expected.upward[g])
    if expected.best.min() < -1e190:
        return
    marginals = compiled.marginals(found)
    for left, right in zip(marginals.groups, reference.marginals(expected).groups, strict=True):
        agree(left, right)
    for k in range(len(weights)):
        choice = compiled.decode(found, k)
        assert all(0 <= i < n for i, n in zip(choice, factors.sizes, strict=True))
        for g, i in enumerate(choice):
            assert abs(marginals.groups[g][k, i] - found.best[k]) <= margin[k]


@given(knapsack_problems(groups=6), st.integers(0, 2**16), st.integers(1, 5), st.booleans())
@settings(max_examples=150, deadline=None)
def test_generated_problems_agree_within_the_margin(problem: KnapsackProblem, seed: int, k: int, ranked: bool) -> None:
    factors = _factors(problem, ranked)
    if factors is not None:
        _compare(factors, _weights(factors, seed, k))


@pytest.mark.parametrize("factor", [1, 2**51])
@pytest.mark.parametrize("features", [Feature.NONE, Feature.PAIR_TERMS, Feature.ALL])
def test_larger_problems_agree_within_the_margin(features: Feature, factor: int) -> None:
    compared = 0
    for seed in range(40):
        factors = _factors(scaled(random_problem(seed, features, groups=7, options=9), factor), seed % 2 == 0)
        if factors is not None:
            _compare(factors, _weights(factors, seed, 1 + seed % 13))
            compared += 1
    assert compared > 20


def test_options_that_are_left_out_are_left_out_of_the_tables() -> None:
    factors = build_factors(random_problem(3, Feature.PAIR_TERMS, groups=6, options=8))
    half = factors.restrict([np.arange(n % 2, n, 2) for n in factors.sizes])
    _compare(half, _weights(half, 1, 4))


def test_the_time_check_stops_a_long_sweep_and_its_exception_arrives() -> None:
    class Late(Exception):
        pass

    asked = []

    def check() -> None:
        asked.append(1)
        if len(asked) > 2:
            raise Late

    factors = build_factors(random_problem(5, Feature.PAIR_TERMS, groups=3, options=8))
    many = factors.restrict([np.arange(400) % n for n in factors.sizes])
    with pytest.raises(Late):
        MaxSum(many, check_time=check).sweep(np.ones((30, factors.rows)))
    assert len(asked) == 3
