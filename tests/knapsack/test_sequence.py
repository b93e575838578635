"""The first choice of a sequence that is within all budgets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from reds_core.knapsack.problem import Group, KnapsackProblem, PeakResource
from reds_core.knapsack.sequence import first_within
from reds_core.testing.oracle import all_choices
from reds_core.testing.strategies import knapsack_problems


@given(problem=knapsack_problems(groups=3, options=3))
@settings(max_examples=150, deadline=None)
def test_the_first_within_is_the_first_that_evaluates_as_feasible(problem: KnapsackProblem) -> None:
    choices = all_choices(problem)
    expected = next((tuple(c) for c in choices.tolist() if problem.evaluate(c).feasible), None)
    assert first_within(problem, choices) == expected


def test_a_peak_without_steps_uses_nothing() -> None:
    group = Group("a", np.array([1]), np.array([0]))
    one = np.zeros((1, 1), np.int64)
    assert first_within(KnapsackProblem("p", (group,), (), (PeakResource("peak", 0),)), one) == (0,)
    assert first_within(KnapsackProblem("p", (group,), (), (PeakResource("peak", -1),)), one) is None
