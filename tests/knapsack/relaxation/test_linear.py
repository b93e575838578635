"""The linear model against the problem it states: every choice, its value, and whether it is within the limits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.arrays import IntArray
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, SumResource
from reds_core.knapsack.relaxation.digits import in_digits
from reds_core.knapsack.relaxation.domain import Domain
from reds_core.knapsack.relaxation.linear import Cut, LinearModel, linear_model
from reds_core.knapsack.relaxation.rows import rows_of
from reds_core.knapsack.solver import Feature
from reds_core.testing.oracle import all_choices
from reds_core.testing.problems import random_problem
from reds_core.testing.strategies import knapsack_problems

SEEDS = range(12)


def within(model: LinearModel, columns: IntArray) -> bool:
    activity = np.zeros(model.rows, dtype=object)
    np.add.at(activity, model.row, model.coefficient.astype(object) * columns.astype(object)[model.column])
    rhs = model.rhs.astype(object)
    return bool(np.all(np.where(model.equality, activity == rhs, activity <= rhs)))


def value(model: LinearModel, columns: IntArray) -> int:
    return model.offset + int(model.objective.astype(object) @ columns.astype(object))


def agrees(problem: KnapsackProblem) -> None:
    model = linear_model(problem)
    for choice in all_choices(problem):
        columns = model.solution(choice)
        truth = problem.evaluate(choice)
        assert value(model, columns) == truth.value
        assert within(model, columns) == truth.feasible
        assert model.choice(columns) == tuple(choice)


@settings(deadline=None, max_examples=60)
@given(knapsack_problems(groups=3, options=3))
def test_choices_keep_their_value_and_feasibility(problem: KnapsackProblem) -> None:
    if all(low <= high for low, high in zip(problem.floors, problem.ceilings, strict=True)):
        agrees(problem)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_feature_keeps_its_meaning(seed: int) -> None:
    agrees(random_problem(seed, Feature.ALL, groups=4, options=3))


def test_numbers_near_the_limit_do_not_overflow() -> None:
    huge = 2**59
    groups = tuple(Group(f"g{g}", np.array([1, 2]), np.array([-huge, huge - g])) for g in range(2))
    resource = SumResource("r", 1 - huge, -huge, (np.array([-huge, huge]), np.array([0, 1])))
    agrees(KnapsackProblem("huge", groups, (), (resource,)))


@pytest.mark.parametrize("seed", SEEDS)
def test_relaxation_has_no_whole_point_that_is_no_choice(seed: int) -> None:
    problem = random_problem(seed, Feature.PAIR_TERMS, groups=3, options=3)
    model = linear_model(problem)
    for k, (a, b) in enumerate(model.domain.ends):
        start, end = model.pair_starts[k], model.pair_starts[k + 1]
        if start == end:
            continue
        choice = [0] * 3
        columns = model.solution(choice)
        for wrong in range(int(start) + 1, int(end)):
            moved = columns.copy()
            moved[start], moved[wrong] = 0, 1
            assert not within(model, moved), (a, b)


def test_excluding_a_choice_excludes_it_alone() -> None:
    problem = random_problem(3, Feature.ALL, groups=3, options=3)
    model = linear_model(problem)
    choices = [tuple(int(i) for i in c) for c in all_choices(problem)]
    taken = choices[len(choices) // 2]
    shorter = model.without(taken)
    for choice in choices:
        columns = model.solution(choice)
        assert within(shorter, columns) == (within(model, columns) and choice != taken)


def test_a_domain_leaves_out_columns_and_a_cut_adds_a_row() -> None:
    problem = random_problem(1, Feature.PAIR_TERMS, groups=3, options=4)
    full = Domain.of(problem)
    keep = [np.arange(o.size) != 1 for o in full.options]
    domain = full.narrowed(keep, full.cells)
    assert domain is not None
    options = tuple(np.arange(o.size, dtype=np.int64) - 1 for o in domain.options)
    model = linear_model(problem, domain, (Cut(2, options, (None,) * len(problem.pairs)),))
    assert model.columns < linear_model(problem).columns
    for choice in all_choices(problem):
        if not domain.holds(choice):
            continue
        columns = model.solution(choice)
        positions = [int(np.searchsorted(o, i)) for o, i in zip(domain.options, choice, strict=True)]
        meets = sum(p - 1 for p in positions) <= 2
        assert within(model, columns) == (problem.evaluate(choice).feasible and meets)


def test_rows_are_sorted_and_start_where_they_say() -> None:
    model = linear_model(random_problem(0, Feature.ALL))
    assert np.all(np.diff(model.row) >= 0)
    for row, (a, b) in enumerate(pairwise(model.row_starts())):
        assert np.all(model.row[a:b] == row)


def test_a_limit_that_nothing_breaks_has_no_row() -> None:
    groups = (Group("g", np.array([1, 2]), np.array([0, 1])),)
    problem = KnapsackProblem("p", groups, (), (SumResource("r", 5, 0, (np.array([4, 5]),)),))
    assert linear_model(problem).limit_rows.tolist() == [-1]
    assert not linear_model(problem).contradictory
    assert linear_model(problem.with_capacities({"r": 3})).contradictory


def test_a_peak_without_steps_uses_nothing() -> None:
    groups = (Group("g", np.array([1, 2]), np.array([0, 1])),)
    assert linear_model(KnapsackProblem("p", groups, (), (PeakResource("r", -1),))).contradictory
    assert not linear_model(KnapsackProblem("p", groups, (), (PeakResource("r", 0),))).contradictory


def test_limits_lose_what_their_common_divisor_cannot_use() -> None:
    groups = tuple(Group(f"g{g}", np.array([1, 2]), np.array([0, 1])) for g in range(2))
    resource = SumResource("r", 17, 0, (np.array([2, 12]), np.array([5, 15])))
    model = linear_model(KnapsackProblem("p", groups, (), (resource,)))
    row = model.limit_rows[0]
    assert model.divisors.tolist() == [10]
    assert model.coefficient[model.row == row].tolist() == [1, 1]
    assert model.rhs[row] == 1


def carries_exist(model: LinearModel, columns: IntArray) -> bool:
    """Whether some carries make the columns of a choice meet every row; the least carries do if any do."""
    full = np.append(columns, np.zeros(model.columns - columns.size, np.int64)).astype(object)
    starts = model.row_starts()
    for carry in range(columns.size, model.columns):
        (entry,) = np.flatnonzero((model.column == carry) & (model.coefficient < 0))
        row = model.row[entry]
        span = slice(starts[row], starts[row + 1])
        others = int(model.coefficient[span].astype(object) @ full[model.column[span]]) - int(model.rhs[row])
        base = -int(model.coefficient[entry])
        full[carry] = max(0, -(-others // base))
        if full[carry] > model.upper[carry]:
            return False
    return within(model, full.astype(np.int64))


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(0, 3))
def test_digits_say_what_the_row_says(seed: int, bits: int, slack: int) -> None:
    rng = np.random.default_rng(seed)
    groups = tuple(Group(f"g{g}", np.arange(1, 4), np.zeros(3, np.int64)) for g in range(3))
    costs = tuple(rng.integers(0, 5000, 3) for _ in groups)
    pair = Pair(0, 2)
    problem = KnapsackProblem(
        "p", groups, (pair,), (SumResource("r", 0, 0, costs, (), (rng.integers(0, 99, (3, 3)),)),)
    )
    usage = problem.evaluate(rng.integers(0, 3, 3)).usage["r"]
    problem = problem.with_capacities({"r": usage + slack - 1})
    model = linear_model(problem)
    digits = in_digits(model, bits)
    inequalities = ~digits.equality[digits.row]
    assert digits.contradictory or np.all(np.abs(digits.coefficient[inequalities]) <= 2**bits)
    for choice in all_choices(problem):
        assert carries_exist(digits, model.solution(choice)) == problem.evaluate(choice).feasible


def test_small_rows_stay_as_they_are() -> None:
    model = linear_model(random_problem(0, Feature.ALL))
    assert in_digits(model, 30) is model


def test_rows_of_say_what_resources_say() -> None:
    for seed in SEEDS:
        problem = random_problem(seed, Feature.ALL, groups=3, options=3)
        rows = rows_of(problem)
        free = problem.with_bounds((0,) * 3, tuple(g.options - 1 for g in problem.groups))
        for choice in all_choices(free):
            fits = True
            for row in rows:
                total = sum(int(c[i]) for c, i in zip(row.costs, choice, strict=True) if c is not None)
                for pair, table in zip(problem.pairs, row.pair_costs, strict=True):
                    total += 0 if table is None else int(table[choice[pair.first], choice[pair.second]])
                fits &= total <= row.limit
            assert fits == free.evaluate(choice).feasible
