"""The conformance kit's problems, and the oracles that know their optima."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.knapsack.problem import KnapsackProblem, Pair, SumResource
from reds_core.knapsack.solver import Feature, features_of
from reds_core.testing import problems
from reds_core.testing.oracle import brute_force, chain_optimum
from reds_core.testing.subject import fresh


@pytest.mark.parametrize("number", range(16))
def test_generated_problems_have_the_features_asked_for(number: int) -> None:
    features = Feature(number)
    for seed in range(10):
        assert features_of(problems.random_problem(seed, features)) == features
        assert features_of(problems.roomy(seed, features)) == features & ~Feature.BOUNDS


def test_generated_problems_are_varied_and_repeatable() -> None:
    truths = [brute_force(problems.random_problem(seed, Feature.ALL)) for seed in range(60)]
    assert 5 < sum(t.value is None for t in truths) < 40
    assert sum(t.value is not None and t.value < 0 for t in truths) > 0
    again = [brute_force(problems.random_problem(seed, Feature.ALL)).value for seed in range(60)]
    assert again == [t.value for t in truths]


def test_the_cases_are_what_they_say() -> None:
    assert brute_force(problems.infeasible(Feature.ALL)).value is None
    for unit in (1, 10**10):
        assert [brute_force(problems.exact_budget(unit, s)).value for s in (0, 1)] == [50, 37]
    for seed in range(6):
        assert brute_force(problems.single_point(seed)).feasible == 1
        assert brute_force(problems.roomy(seed, Feature.ALL)).value is not None
        assert len(brute_force(problems.ties(seed)).optima) == 4**4
        assert (brute_force(problems.negative_values(seed)).value or 0) < 0
        peak = problems.peak_of_three(seed)
        assert max(len(s.groups) for s in peak.peak_resources[0].steps) == 3
        free = brute_force(problems.bounded(seed).with_bounds((), ())).value
        bounded = brute_force(problems.bounded(seed)).value
        assert free is not None
        assert bounded is not None
        assert bounded < free
    for features in (Feature.MULTI_RESOURCE, Feature.PEAK):
        both = problems.not_together(features)
        assert brute_force(both).value is None
        for resource in both.resources:
            alone = KnapsackProblem("alone", both.groups, (), (resource,))
            assert brute_force(alone).value is not None


@pytest.mark.parametrize("seed", range(5))
def test_permuting_keeps_the_optimum_and_scaling_multiplies_it(seed: int) -> None:
    problem = problems.random_problem(seed, Feature.ALL)
    truth = brute_force(problem)
    turned = brute_force(problems.permuted(problem, seed))
    assert (turned.value, turned.feasible) == (truth.value, truth.feasible)
    scaled = brute_force(problems.scaled(problem, 7)).value
    assert scaled == (None if truth.value is None else 7 * truth.value)


def test_a_fresh_copy_shares_nothing() -> None:
    """Read-only tables are shared by the variants of a problem; what a solver under test changes must not spread."""
    for seed in range(8):
        problem = problems.random_problem(seed, Feature.ALL)
        before = repr(brute_force(problem))
        copy = fresh(problem)
        for group in copy.groups:
            for table in (group.widths, group.values):
                table.setflags(write=True)
                table[:] = 1
        tables = [t for p in copy.pairs for t in (p.values,)] + [
            c for r in copy.sum_resources for c in (*r.costs, *r.pair_costs)
        ]
        tables += [c for r in copy.peak_resources for s in r.steps for c in s.costs]
        for each in tables:
            if each is not None:
                each.setflags(write=True)
                each[:] = 0
        assert repr(brute_force(problem)) == before


@pytest.mark.parametrize("linked", [False, True])
def test_the_two_oracles_agree(linked: bool) -> None:
    for seed in range(10):
        problem = problems.long_chain(seed, groups=4, options=4, linked=linked)
        bounded = problem.with_bounds(floors=(0, 1, 0, 0), ceilings=(3, 3, 2, 3))
        for each in (problem, bounded, bounded.with_capacities({"sum": 20}), bounded.with_capacities({"sum": -1})):
            assert chain_optimum(each) == brute_force(each).value


def test_the_oracles_refuse_what_they_cannot_do() -> None:
    with pytest.raises(ValueError, match="too many"):
        brute_force(problems.long_chain(0))
    base = problems.long_chain(0, groups=3, options=3)
    with pytest.raises(ValueError, match="not one sum resource"):
        chain_optimum(KnapsackProblem("x", base.groups))
    with pytest.raises(ValueError, match="no chain"):
        chain_optimum(KnapsackProblem("x", base.groups, (Pair(0, 2),), (SumResource("s", 1),)))
    with pytest.raises(ValueError, match="negative"):
        chain_optimum(KnapsackProblem("x", base.groups, (), (SumResource("s", 9, 0, (np.full(3, -1), None, None)),)))
