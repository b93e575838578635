"""Max-sum over the group graph against the best of all choices, one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings

from reds_core.arrays import FloatArray
from reds_core.knapsack.inference.elimination import eliminate, largest_table, open_sizes, pair_scopes, peak_scopes
from reds_core.knapsack.inference.factors import (
    FORBIDDEN,
    POSSIBLE,
    Factors,
    build_factors,
    peak_masks,
    possible_options,
)
from reds_core.knapsack.inference.maxsum import MaxSum, original, positions
from reds_core.knapsack.problem import KnapsackProblem, PeakResource
from reds_core.knapsack.solver import Feature
from reds_core.testing.oracle import all_choices, usages_of, values_of
from reds_core.testing.problems import random_problem
from reds_core.testing.strategies import knapsack_problems


def _factors(problem: KnapsackProblem) -> Factors | None:
    kept = possible_options(problem)
    return None if kept is None else build_factors(problem, kept, peak_masks(problem, kept, 10**6))


def _weighted(
    problem: KnapsackProblem, weights: FloatArray
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]], FloatArray]:
    """All choices within bounds and peaks, and their weighted sums without bases."""
    choices = all_choices(problem)
    within = (choices >= problem.floors).all(axis=1) & (choices <= problem.ceilings).all(axis=1)
    usages = usages_of(problem, choices)
    for resource in problem.peak_resources:
        within &= usages[resource.name] <= resource.capacity
    total = weights[0] * values_of(problem, choices).astype(np.float64)
    for w, resource in zip(weights[1:], problem.sum_resources, strict=True):
        total += w * (usages[resource.name] - resource.base)
    return choices[within], total[within]


def _agree(found: FloatArray, expected: FloatArray) -> None:
    possible = expected > POSSIBLE
    assert ((found > POSSIBLE) == possible).all()
    np.testing.assert_allclose(found[possible], expected[possible], atol=1e-6)


def _check(problem: KnapsackProblem, seed: int) -> None:
    factors = _factors(problem)
    rng = np.random.default_rng(seed)
    weights = np.concatenate((np.ones((2, 1)), -rng.random((2, len(problem.sum_resources)))), axis=1)
    if factors is None:
        assert len(_weighted(problem, weights[0])[0]) == 0
        return
    sweeps = MaxSum(factors)
    messages = sweeps.sweep(weights)
    marginals = sweeps.marginals(messages, pairs=True)
    for k in range(2):
        choices, totals = _weighted(problem, weights[k])
        if not len(choices):
            assert messages.best[k] < POSSIBLE
            return
        assert messages.best[k] == pytest.approx(totals.max(), abs=1e-6)
        decoded = original(factors, sweeps.decode(messages, k))
        at = np.flatnonzero((choices == decoded).all(axis=1))
        assert totals[at[0]] == pytest.approx(totals.max(), abs=1e-6)
        for g, kept in enumerate(factors.kept):
            best = np.full(problem.groups[g].options, FORBIDDEN)
            np.maximum.at(best, choices[:, g], totals)
            _agree(marginals.groups[g][k], best[kept])
        for pair, table in zip(problem.pairs, marginals.pairs, strict=True):
            a, b = pair.first, pair.second
            joint = np.full((problem.groups[a].options, problem.groups[b].options), FORBIDDEN)
            np.maximum.at(joint, (choices[:, a], choices[:, b]), totals)
            _agree(table[k], joint[np.ix_(factors.kept[a], factors.kept[b])])


@pytest.mark.parametrize("features", [Feature.NONE, Feature.PAIR_TERMS, Feature.ALL])
def test_maximum_choice_and_marginals_are_those_of_all_choices(features: Feature) -> None:
    for seed in range(60):
        _check(random_problem(seed, features, groups=5, options=4), seed)


@given(knapsack_problems())
@settings(max_examples=60, deadline=None)
def test_generated_problems_agree_with_all_choices(problem: KnapsackProblem) -> None:
    _check(problem, 1)


@pytest.mark.parametrize("block", [1, 7, 40, 150])
@pytest.mark.parametrize("seed", range(6))
def test_blocks_of_large_tables_change_nothing(monkeypatch: pytest.MonkeyPatch, seed: int, block: int) -> None:
    """Blocks of one position once counted some terms twice: wrong bounds where tables are wide."""
    problem = random_problem(seed, Feature.PAIR_TERMS | Feature.MULTI_RESOURCE, groups=6, options=6)
    factors = build_factors(problem)
    weights = np.concatenate((np.ones((3, 1)), -np.linspace(0.1, 0.3, 3 * factors.rows - 3).reshape(3, -1)), axis=1)
    whole = MaxSum(factors)
    assert any(len(s) > 0 and whole.sizes[s[0]] > 1 for s in whole.separators)
    expected = whole.sweep(weights)
    by_group = whole.marginals(expected).groups
    monkeypatch.setattr("reds_core.knapsack.inference.maxsum._BLOCK", block)
    pieces = MaxSum(factors)
    found = pieces.sweep(weights)
    for message, other in zip(found.upward, expected.upward, strict=True):
        np.testing.assert_allclose(message, other)
    np.testing.assert_allclose(found.best, expected.best)
    for a, b in zip(pieces.marginals(found).groups, by_group, strict=True):
        np.testing.assert_allclose(a, b)


def test_restricting_keeps_the_sums_of_what_is_left() -> None:
    problem = random_problem(11, Feature.ALL & ~Feature.BOUNDS, groups=5)
    factors = build_factors(problem)
    half = factors.restrict([np.arange(0, n, 2) for n in factors.sizes])
    weights = np.concatenate(([1.0], np.zeros(factors.rows - 1)))[None]
    sweeps = MaxSum(half)
    messages = sweeps.sweep(weights)
    choice = original(half, sweeps.decode(messages))
    assert all(i % 2 == 0 for i in choice)
    assert problem.evaluate(choice).value == pytest.approx(messages.best[0])
    at = positions(half.kept, choice)
    assert at is not None
    assert original(half, at.tolist()) == choice
    assert positions(half.kept, [1] * len(choice)) is None


def test_the_margin_covers_the_error_of_sums_far_above_what_floats_hold() -> None:
    for seed in range(40):
        small = random_problem(seed, Feature.PAIR_TERMS, groups=5)
        rng = np.random.default_rng(seed)
        groups = tuple(type(g)(g.name, g.widths, rng.integers(-(2**57), 2**57, g.options)) for g in small.groups)
        problem = KnapsackProblem("big", groups, small.pairs)
        factors = build_factors(problem)
        weights = np.ones((1, 1))
        found = float(MaxSum(factors).sweep(weights).best[0])
        exact = int(values_of(problem, all_choices(problem)).max())
        assert abs(int(found) - exact) <= float(factors.margin(weights)[0])


def test_orders_span_all_scopes_and_chains_keep_small_tables() -> None:
    for seed in range(60):
        problem = random_problem(seed, Feature.ALL, groups=7)
        scopes = [*pair_scopes(problem), *peak_scopes(problem)]
        order = eliminate(open_sizes(problem), scopes)
        rank = {g: i for i, g in enumerate(order.processing)}
        assert sorted(rank) == list(range(7))
        for scope in scopes:
            last = max(scope, key=rank.__getitem__)
            assert set(scope) <= {last, *order.separators[last]}
        for g, separator in enumerate(order.separators):
            if separator:  # a separator lies within one bucket, or messages would have no place
                assert set(separator) <= {separator[-1], *order.separators[separator[-1]]}
            assert order.entries[g] == math.prod(order.sizes[a] for a in (g, *separator))
    chain = [(g, g + 1) for g in range(30)]
    assert max(eliminate([64] * 31, chain).entries) == 64**2
    star = [(0, g) for g in range(1, 30)]
    assert max(eliminate([64] * 30, star).entries) == 64**2
    ring = [*chain, (0, 30)]
    assert max(eliminate([64] * 31, ring).entries) == 64**3


def test_floors_and_ceilings_count_in_the_largest_table() -> None:
    problem = random_problem(0, Feature.PAIR_TERMS)
    assert largest_table(problem.with_bounds(ceilings=[0] * len(problem.groups))) == 1


def test_a_peak_resource_without_steps_uses_nothing() -> None:
    problem = random_problem(0, Feature.NONE)
    for capacity, feasible in ((0, True), (-1, False)):
        limited = KnapsackProblem("p", problem.groups, (), (PeakResource("ram", capacity),))
        assert (possible_options(limited) is not None) is feasible
