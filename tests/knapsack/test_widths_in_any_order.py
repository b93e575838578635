"""What must hold for widths that do not rise, which `Group` itself still refuses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from reds_core.knapsack.cheapest import cheapest_choice
from reds_core.knapsack.inference.factors import build_factors
from reds_core.knapsack.integers import as_integers
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, SumResource


def group(name: str, widths: list[int]) -> Group:
    made = Group(name, np.arange(1, len(widths) + 1), np.zeros(len(widths), np.int64))
    object.__setattr__(made, "widths", as_integers(np.array(widths), "widths"))
    return made


def stated(first: list[int], second: list[int], coefficient: int, capacity: int = 1) -> KnapsackProblem:
    groups = group("a", first), group("b", second)
    resource = SumResource("macs", capacity, bilinear=(coefficient,))
    return KnapsackProblem("any order", groups, (Pair(0, 1),), (resource,))


@pytest.mark.parametrize("first", list(itertools.permutations([2, 3, 7])))
@pytest.mark.parametrize("second", [[1, 5], [5, 1]])
def test_the_magnitude_is_that_of_the_widest_options_wherever_they_stand(first: list[int], second: list[int]) -> None:
    """The largest product of widths is 7 x 5, times 10."""
    problem = stated(list(first), second, -10)
    assert problem.magnitude == 350
    assert build_factors(problem).magnitudes[1] == 350 + 1  # and the room of 1


def test_the_magnitude_of_factors_is_that_of_the_widths_kept() -> None:
    """Without the option of 9 channels, the largest product is 4 x 5."""
    kept = [np.array([1, 2]), np.array([0, 1])]
    assert build_factors(stated([9, 4, 2], [5, 1], 10), kept).magnitudes[1] == 200 + 1


def test_the_search_for_a_cheap_choice_does_not_stop_where_the_floors_are_not_the_narrowest() -> None:
    """Only the narrowest options, 1 and 2 channels, meet the budget of 2; they are neither the floors nor the last."""
    assert cheapest_choice(stated([9, 1, 5], [4, 2, 3], 1, capacity=2)) == (1, 1)


def test_kernel_scores_have_a_row_for_each_channel_of_the_widest_option() -> None:
    groups = group("a", [3, 1]), group("b", [2, 4])
    pair = Pair(0, 1, kernel=np.ones((3, 4)))
    assert KnapsackProblem("kernel", groups, (pair,)).pairs[0].kernel is not None
