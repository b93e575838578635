"""The knapsack problem: what it refuses, and that `evaluate` agrees with an independent evaluation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.errors import InputError
from reds_core.knapsack.file import load_problem
from reds_core.knapsack.integers import as_integers
from reds_core.knapsack.problem import (
    MAGNITUDE_LIMIT,
    Group,
    KnapsackProblem,
    Pair,
    PeakResource,
    PeakStep,
    SumResource,
)
from reds_core.knapsack.solver import Feature
from reds_core.testing.oracle import brute_force, usages_of, values_of
from reds_core.testing.problems import random_problem
from reds_core.testing.strategies import knapsack_problems

INSTANCES = Path(__file__).parents[2] / ".." / "shared" / "instances"
needs_instances = pytest.mark.skipif(not INSTANCES.is_dir(), reason="the folder ../shared/instances is missing")


def known_answers() -> dict[str, Any]:
    path = INSTANCES / "optimal.json"
    return json.loads(path.read_text()) if path.is_file() else {}


KNOWN = known_answers()


def two_groups(**changes: Any) -> KnapsackProblem:
    groups = (Group("a", np.array([1, 2]), np.array([3, 5])), Group("b", np.array([4, 8, 9]), np.array([-1, 0, 7])))
    pairs = (Pair(0, 1, np.array([[1, 2, 3], [4, 5, 6]])),)
    resources = (
        SumResource("macs", 100, 10, (np.array([1, 2]), None), (2,), (np.array([[0, 0, 1], [0, 0, -1]]),)),
        PeakResource("ram", 30, (PeakStep(1, (0, 1), (np.array([5, 6]), np.array([7, 8, 20]))), PeakStep(12))),
    )
    return KnapsackProblem(**{"name": "two", "groups": groups, "pairs": pairs, "resources": resources} | changes)


def test_evaluate_by_hand() -> None:
    result = two_groups().evaluate([1, 2])
    assert result.value == 5 + 7 + 6
    assert result.usage == {"macs": 10 + 2 + 2 * 2 * 9 - 1, "ram": 1 + 6 + 20}
    assert result.feasible


def test_a_peak_is_the_largest_step() -> None:
    assert two_groups().evaluate([0, 0]).usage["ram"] == 13
    only_low = PeakResource("ram", 30, (PeakStep(12), PeakStep(-3)))
    assert two_groups(resources=(only_low,)).evaluate([0, 0]).usage["ram"] == 12


def test_a_peak_of_negative_steps_is_negative_and_one_without_steps_is_zero() -> None:
    negative = PeakResource("ram", -5, (PeakStep(-9), PeakStep(-7)))
    empty = PeakResource("none", 0)
    result = two_groups(resources=(negative, empty)).evaluate([0, 0])
    assert result.usage == {"ram": -7, "none": 0}
    assert result.feasible


def test_a_budget_met_exactly_is_feasible_and_one_more_is_not() -> None:
    used = two_groups().evaluate([1, 2]).usage
    for resource, use in used.items():
        assert two_groups().with_capacities({resource: use}).evaluate([1, 2]).feasible
        assert not two_groups().with_capacities({resource: use - 1}).evaluate([1, 2]).feasible


def test_floors_and_ceilings_are_inclusive() -> None:
    problem = two_groups(floors=(0, 1), ceilings=(0, 2))
    assert [problem.evaluate([0, k]).feasible for k in range(3)] == [False, True, True]
    assert not problem.evaluate([1, 1]).feasible


def test_evaluate_is_exact_where_floats_are_not() -> None:
    big = 2**60 + 1
    groups = (Group("a", np.array([1]), np.array([big])), Group("b", np.array([1]), np.array([2])))
    resource = SumResource("r", big + 2, 0, (np.array([big]), np.array([2])))
    result = KnapsackProblem("big", groups, (), (resource,)).evaluate([0, 0])
    assert (result.value, result.usage["r"], result.feasible) == (big + 2, big + 2, True)


@pytest.mark.parametrize("choice", [[0], [0, 0, 0], [0, 3], [-1, 0], [0, 0.5], [0, "0"], [None, 0], 3, None])
def test_a_choice_that_is_none_is_refused(choice: Any) -> None:
    with pytest.raises(InputError, match="one option index for each group"):
        two_groups().evaluate(choice)


def test_numpy_choices_are_accepted() -> None:
    assert two_groups().evaluate(np.array([1, 2])) == two_groups().evaluate((1, 2))


@given(knapsack_problems())
@settings(max_examples=60, deadline=None)
def test_evaluate_agrees_with_the_independent_evaluation(problem: KnapsackProblem) -> None:
    rng = np.random.default_rng(0)
    choices = np.array([[rng.integers(0, g.options) for g in problem.groups] for _ in range(16)])
    values, usages = values_of(problem, choices), usages_of(problem, choices)
    for i, choice in enumerate(choices):
        result = problem.evaluate(choice)
        assert result.value == values[i]
        assert result.usage == {name: use[i] for name, use in usages.items()}
        within = all(low <= k <= high for low, k, high in zip(problem.floors, choice, problem.ceilings, strict=True))
        assert result.feasible == (within and all(result.usage[r.name] <= r.capacity for r in problem.resources))


@given(knapsack_problems())
@settings(max_examples=40, deadline=None)
def test_magnitude_bounds_every_value_and_use(problem: KnapsackProblem) -> None:
    for choice in ([0] * len(problem.groups), [g.options - 1 for g in problem.groups]):
        result = problem.evaluate(choice)
        assert abs(result.value) <= problem.magnitude
        for resource in problem.sum_resources:
            assert abs(result.usage[resource.name]) <= problem.magnitude


# --- instances -------------------------------------------------------------------------------------------------------


@needs_instances
@pytest.mark.parametrize("name", [n for n, known in KNOWN.items() if known["value"] is not None])
def test_optimal_widths_evaluate_to_the_known_optimum(name: str) -> None:
    problem = load_problem(INSTANCES / f"{name}.npz")
    known = KNOWN[name]
    choice = [int(np.flatnonzero(g.widths == known["widths"][g.name])[0]) for g in problem.groups]
    result = problem.evaluate(choice)
    assert (result.value, dict(result.usage), result.feasible) == (known["value"], known["usage"], True)
    assert {r.name: r.capacity for r in problem.resources} == known["capacity"]
    assert problem.widths(choice) == known["widths"]
    row = np.array([choice])
    assert values_of(problem, row).tolist() == [known["value"]]
    assert {r: int(use[0]) for r, use in usages_of(problem, row).items()} == known["usage"]


@needs_instances
@pytest.mark.parametrize("name", [n for n in KNOWN if "-5x" in n])
def test_small_instances_have_the_known_optimum_by_brute_force(name: str) -> None:
    assert brute_force(load_problem(INSTANCES / f"{name}.npz")).value == KNOWN[name]["value"]


@needs_instances
def test_every_instance_has_a_known_answer() -> None:
    assert sorted(p.stem for p in INSTANCES.glob("*.npz")) == sorted(KNOWN)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ([1, 2.5], "not whole"),
        ([1, np.nan], "not whole"),
        ([1, np.inf], "not whole"),
        ([2.0**63], r"above 2\^62"),
        (np.array([2**63], np.uint64), "above 2\\^62"),
        ([True, False], "type bool"),
        (["1"], "not integers"),
        ([None], "but other objects"),
        ([1j], "type complex128"),
    ],
)
def test_numbers_that_are_no_integers_are_refused(array: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_integers(array, "the array")


def test_whole_floats_and_unsigned_are_accepted() -> None:
    for array in ([1.0, -2.0], np.array([1, 2], np.uint8), np.array([1, 2], np.int8)):
        result = as_integers(array, "the array")
        assert result.dtype == np.int64
        assert result.tolist() == [int(n) for n in array]


@pytest.mark.parametrize(
    ("widths", "values", "message"),
    [
        ([], [], "no options"),
        ([[1, 2]], [[1, 2]], r"have the shape \(1, 2\)"),
        ([-1, 1], [1, 2], "do not rise strictly"),
        ([1, 1], [1, 2], "do not rise strictly"),
        ([2, 1], [1, 2], "do not rise strictly"),
        ([2**62, -(2**62) - 5], [1, 2], "do not rise strictly"),
        ([1, 2], [1], "shape"),
        ([1, 2], [[1, 2]], "shape"),
    ],
)
def test_bad_groups_are_refused(widths: Any, values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Group("g", np.array(widths, np.int64), np.array(values, np.int64))


def a_sum(**changes: Any) -> SumResource:
    return SumResource(**{"name": "r", "capacity": 1} | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": ()}, "no groups"),
        ({"groups": (Group("a", np.array([1]), np.array([1])),) * 2, "pairs": (), "resources": ()}, "used twice"),
        ({"groups": (Group("", np.array([1]), np.array([1])),), "pairs": (), "resources": ()}, "empty"),
        ({"resources": (a_sum(), a_sum())}, "used twice"),
        ({"pairs": (Pair(0, 0),), "resources": ()}, "two different groups"),
        ({"pairs": (Pair(0, 2),), "resources": ()}, "two different groups"),
        ({"pairs": (Pair(-1, 0),), "resources": ()}, "two different groups"),
        ({"pairs": (Pair(0, 1), Pair(1, 0)), "resources": ()}, "join the same groups"),
        ({"pairs": (Pair(0, 1, np.zeros((3, 2), np.int64)),), "resources": ()}, "shape"),
        ({"pairs": (Pair(0, 1, None, np.zeros((2, 8))),), "resources": ()}, "channels x channels"),
        ({"pairs": (Pair(0, 1, None, np.full((2, 9), np.nan)),), "resources": ()}, "finite"),
        ({"pairs": (Pair(0, 1, None, np.full((2, 9), 1j)),), "resources": ()}, "not real numbers"),
        ({"floors": (0,)}, "floor or ceiling"),
        ({"floors": (0, 3)}, "floor or ceiling"),
        ({"ceilings": (-1, 0)}, "floor or ceiling"),
        ({"floors": (0.5, 0)}, "not a whole number"),
        ({"resources": (a_sum(capacity=1.5),)}, "not a whole number"),
        ({"resources": (a_sum(base=float("nan")),)}, "not a whole number"),
        ({"resources": (a_sum(costs=(None,)),)}, "one entry for each group and each pair"),
        ({"resources": (a_sum(bilinear=(1, 2)),)}, "one entry for each group and each pair"),
        ({"resources": (a_sum(bilinear=(0.5,)),)}, "not a whole number"),
        ({"resources": (a_sum(pair_costs=(None, None)),)}, "one entry for each group and each pair"),
        ({"resources": (a_sum(costs=(np.array([1, 2, 3]), None)),)}, "shape"),
        ({"resources": (a_sum(pair_costs=(np.zeros((2, 2), np.int64),)),)}, "shape"),
        ({"resources": (PeakResource("p", 1, (PeakStep(0, (0, 0), (None, None)),)),)}, "twice"),
        ({"resources": (PeakResource("p", 1, (PeakStep(0, (0,), ()),)),)}, "lacks its costs"),
        ({"resources": (PeakResource("p", 1, (PeakStep(0, (2,), (None,)),)),)}, "does not exist"),
        ({"resources": (PeakResource("p", 1, (PeakStep(0, (0,), (np.array([1]),)),)),)}, "shape"),
        ({"resources": (PeakResource("p", 1, (PeakStep(0.5),)),)}, "not a whole number"),
        ({"resources": (a_sum(costs=(np.array([0, 2**62]), np.array([0, 0, 1]))),)}, "2\\^62"),
        ({"resources": (a_sum(capacity=2**63),)}, "2\\^62"),
        ({"resources": (a_sum(base=-(2**63)),)}, "2\\^62"),
        ({"resources": (a_sum(bilinear=(2**61,)),)}, "2\\^62"),
        ({"resources": (PeakResource("p", 1, (PeakStep(2**63),)),)}, "2\\^62"),
    ],
)
def test_bad_problems_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        two_groups(**changes)


def test_the_limit_of_the_sums_itself_is_accepted() -> None:
    groups = (Group("a", np.array([1]), np.array([MAGNITUDE_LIMIT - 1])), Group("b", np.array([1]), np.array([-1])))
    assert KnapsackProblem("edge", groups).magnitude == MAGNITUDE_LIMIT
    above = (groups[0], Group("b", np.array([1]), np.array([-2])))
    with pytest.raises(InputError, match="2\\^62"):
        KnapsackProblem("above", above)


# --- read-only, variants ---------------------------------------------------------------------------------------------


def test_tables_are_read_only_copies() -> None:
    widths, values, costs = np.array([1, 2]), np.array([3, 4]), np.array([5, 6])
    group = Group("a", widths, values)
    problem = KnapsackProblem("p", (group,), (), (SumResource("r", 9, 0, (costs,)),))
    widths[0] = values[0] = costs[0] = 99
    assert problem.evaluate([0]).value == 3
    assert problem.evaluate([0]).usage == {"r": 5}
    for table in (problem.groups[0].widths, problem.groups[0].values, problem.sum_resources[0].costs[0]):
        assert table is not None
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 1


def test_lists_of_parts_become_tuples() -> None:
    made = two_groups()
    problem = KnapsackProblem("lists", list(made.groups), list(made.pairs), list(made.resources))  # type: ignore[arg-type]
    assert isinstance(problem.groups, tuple)
    assert problem.evaluate([1, 2]) == made.evaluate([1, 2])


def test_pair_cost_holds_bilinear_and_table_together() -> None:
    problem = two_groups()
    resource = problem.sum_resources[0]
    table = problem.pair_cost(resource, 0)
    assert table is not None
    assert table.tolist() == [[8, 16, 19], [16, 32, 35]]
    assert not table.flags.writeable
    assert problem.pair_cost(resource, 0) is table
    bare = two_groups(resources=(a_sum(),))
    assert bare.pair_cost(bare.sum_resources[0], 0) is None


def test_with_bounds_and_with_capacities_change_nothing_else() -> None:
    problem = two_groups()
    bounded = problem.with_bounds(floors=(1, 1))
    assert (bounded.floors, bounded.ceilings) == ((1, 1), (1, 2))
    assert bounded.with_bounds(ceilings=(1, 1)).floors == (1, 1)
    assert problem.floors == (0, 0)
    small = problem.with_capacities({"ram": 27})
    assert [r.capacity for r in small.resources] == [100, 27]
    assert small.evaluate([1, 2]) == problem.evaluate([1, 2])
    assert [r.capacity for r in problem.resources] == [100, 30]


def test_variants_do_not_share_caches() -> None:
    problem = two_groups()
    problem.pair_cost(problem.sum_resources[0], 0)
    other = replace(problem, resources=(replace(problem.sum_resources[0], bilinear=(0,)),))
    table = other.pair_cost(other.sum_resources[0], 0)
    assert table is not None
    assert table.tolist() == [[0, 0, 1], [0, 0, -1]]


def test_unknown_capacities_are_refused() -> None:
    with pytest.raises(InputError, match="no resource 'params'"):
        two_groups().with_capacities({"params": 1})


@given(st.integers(0, 10_000), st.sampled_from([*list(Feature), Feature.NONE]))
@settings(max_examples=30, deadline=None)
def test_brute_force_names_only_feasible_optima(seed: int, features: Feature) -> None:
    problem = random_problem(seed, features)
    truth = brute_force(problem)
    assert (truth.value is None) == (truth.feasible == 0) == (len(truth.optima) == 0)
    for choice in truth.optima:
        result = problem.evaluate(choice)
        assert result.feasible
        assert result.value == truth.value
