"""One ratio of channels for all groups."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np

from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource
from reds_core.knapsack.uniform import choice_at_largest_ratio, uniform_choices


def test_equal_ratios_of_different_groups_are_one() -> None:
    """1/3 and 5/15 are one ratio, 7/21 too; as products with a ratio they would not be."""
    groups = tuple(Group(f"g{n}", np.arange(1, n + 1), np.zeros(n, np.int64)) for n in (3, 15, 21, 49, 147))
    choices = uniform_choices(KnapsackProblem("ratios", groups))
    assert [0, 4, 6, 15, 48] in choices.tolist()
    exact = {Fraction(w, n) for n in (3, 15, 21, 49, 147) for w in range(1, n + 1)} | {Fraction(0)}
    assert len(choices) == len(exact)


def test_a_group_without_channels_has_one_ratio() -> None:
    groups = (Group("none", np.array([0]), np.array([1])), Group("two", np.array([1, 2]), np.array([1, 2])))
    with warnings.catch_warnings(action="error"):
        assert choice_at_largest_ratio(KnapsackProblem("empty", groups)) == (0, 1)


def test_the_largest_ratio_keeps_floors_and_ceilings_and_is_none_where_no_ratio_fits() -> None:
    groups = tuple(Group(g, np.arange(1, 5), np.zeros(4, np.int64)) for g in "abc")
    macs = SumResource("macs", 8, 0, (np.arange(1, 5),) * 3)
    problem = KnapsackProblem("three", groups, (), (macs,))
    assert choice_at_largest_ratio(problem) == (1, 1, 1)
    bounded = problem.with_bounds([2, 0, 0], [3, 0, 3])
    assert choice_at_largest_ratio(bounded) == (2, 0, 2)
    assert choice_at_largest_ratio(bounded.with_capacities({"macs": 5})) == (2, 0, 0)
    assert choice_at_largest_ratio(problem.with_capacities({"macs": 2})) is None
