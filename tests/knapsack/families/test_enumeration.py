"""Near-optimal choices against all choices, and nested chains of them against all chains."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from family_problems import (
    EXAMPLES,
    feasible,
)
from hypothesis import given
from hypothesis import strategies as st

from reds_core.knapsack.families.chains import best_chain
from reds_core.knapsack.families.enumeration import NearOptimal, near_optimal
from reds_core.knapsack.families.limits import FamilyLimits, GivenUp, TableTooLarge
from reds_core.knapsack.families.order import FamilyOrder
from reds_core.knapsack.families.region import narrow, whole
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import long_chain, peak_of_three, scaled
from reds_core.testing.strategies import knapsack_problems


@given(knapsack_problems(groups=4, options=4), st.integers(0, 30))
@EXAMPLES
def test_all_choices_worth_a_target_are_found(problem: KnapsackProblem, below: int) -> None:
    choices, values = feasible(problem)
    region = whole(problem)
    if not len(values):
        assert region is None or narrow(region, -problem.magnitude) is None or not len(listed(problem, -1000).values)
        return
    target = int(values.max()) - below
    assert region is not None
    assert region.bound >= values.max()
    expected = {tuple(c) for c in choices[values >= target].tolist()}
    found = listed(problem, target)
    assert {tuple(c) for c in found.choices.tolist()} == expected
    assert len(found.choices) == len(expected)
    assert found.values.tolist() == sorted(values[values >= target].tolist(), reverse=True)


def listed(problem: KnapsackProblem, target: int) -> NearOptimal:
    region = whole(problem)
    left = None if region is None else narrow(region, target)
    if left is None:
        return NearOptimal(np.zeros((0, len(problem.groups)), np.int64), np.zeros(0, np.int64))
    return near_optimal(left, target, FamilyLimits())


@given(knapsack_problems(groups=3, options=3), st.integers(0, 30))
@EXAMPLES
def test_values_beyond_the_precision_of_floats_lose_no_choice(problem: KnapsackProblem, below: int) -> None:
    """Above 2^53 float sums cannot tell neighbouring values apart; their error is covered."""
    large = scaled(problem, 2**48 + 1)
    choices, values = feasible(large)
    if not len(values):
        return
    target = int(values.max()) - below * 2**48
    expected = {tuple(c) for c in choices[values >= target].tolist()}
    assert {tuple(c) for c in listed(large, target).choices.tolist()} == expected


def test_nothing_is_worth_more_than_the_optimum() -> None:
    problem = long_chain(5, groups=4, options=5)
    optimum = brute_force(problem).value
    assert optimum is not None
    assert len(listed(problem, optimum).values) >= 1
    assert not len(listed(problem, optimum + 1).values)


def test_a_table_beyond_the_limit_is_refused_before_it_is_built() -> None:
    groups = tuple(Group(f"g{g}", np.arange(1, 5), np.arange(4)) for g in range(3))
    triangle = KnapsackProblem("triangle", groups, (Pair(0, 1), Pair(1, 2), Pair(0, 2)))
    assert whole(triangle, 64) is not None
    with pytest.raises(TableTooLarge, match="64 entries"):
        whole(triangle, 63)


@pytest.mark.parametrize("seed", range(5))
def test_peaks_that_do_not_fit_the_tables_are_still_respected(seed: int) -> None:
    """Groups that only a peak joins: no table holds its mask, so that choices are checked at the end."""
    problem = peak_of_three(seed)
    choices, values = feasible(problem)
    target = int(np.quantile(values, 0.8))
    region = whole(problem, 30)
    assert region is not None
    assert all(len(mask.scope) == 2 for mask in region.factors.masks)
    found = near_optimal(region, target, FamilyLimits())
    assert {tuple(c) for c in found.choices.tolist()} == {tuple(c) for c in choices[values >= target].tolist()}


@pytest.mark.parametrize("limits", [FamilyLimits(choices=3), FamilyLimits(partial=3)])
def test_limits_are_kept(limits: FamilyLimits) -> None:
    region = whole(long_chain(5, groups=4, options=5))
    assert region is not None
    with pytest.raises(GivenUp, match="more than 3"):
        near_optimal(region, 0, limits)


def plain_problem() -> KnapsackProblem:
    """Two groups of as many options as the lists below refer to."""
    return KnapsackProblem("plain", tuple(Group(name, np.arange(1, 7), np.zeros(6)) for name in "ab"))


@given(st.integers(0, 2**16), st.integers(1, 3), st.integers(1, 40))
@EXAMPLES
def test_the_best_chain_of_lists_is_found(seed: int, levels: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    lists = []
    for b in range(levels):
        values = np.sort(rng.integers(-20, 20, size))[::-1].copy()
        lists.append(NearOptimal(rng.integers(0, 4, (size, 2)) + b // 2, values))
    weights = rng.integers(1, 4, levels).tolist()
    best = -math.inf
    for chain in itertools.product(range(size), repeat=levels) if size**levels < 4000 else ():
        picked = [lists[b].choices[i] for b, i in enumerate(chain)]
        if all((a <= c).all() for a, c in itertools.pairwise(picked)):
            best = max(
                best, sum(w * int(lists[b].values[i]) for b, (w, i) in enumerate(zip(weights, chain, strict=True)))
            )
    if best == -math.inf:
        return
    goal, order = int(best), FamilyOrder(plain_problem())
    for asked in (goal, goal - 5):
        chain_found = best_chain(lists, weights, asked, order)
        assert chain_found is not None
        picked = [lists[b].choices[i] for b, i in enumerate(chain_found)]
        assert all((a <= c).all() for a, c in itertools.pairwise(picked))
        assert (
            sum(w * int(lists[b].values[i]) for b, (w, i) in enumerate(zip(weights, chain_found, strict=True))) == goal
        )
    assert best_chain(lists, weights, goal + 1, order) is None
