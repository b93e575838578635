"""The options of a problem that have given widths and levels."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.knapsack.levels import WIDTH, Dimension, LevelSettings, Nesting
from reds_core.knapsack.option_rows import choice_of
from reds_core.knapsack.problem import Group, KnapsackProblem

ROWS = np.array([[2, 4], [2, 8], [6, 4], [6, 8]], np.int64)
PROBLEM = KnapsackProblem(
    "p",
    (
        Group("plain", np.array([1, 3, 4]), np.zeros(3, np.int64)),
        Group("both", ROWS[:, 0], np.zeros(4, np.int64), (Dimension("both", WIDTH), Dimension("conv", "bits")), ROWS),
        Group("alone", np.zeros(2, np.int64), np.zeros(2, np.int64), (Dimension("head", "bits"),), ROWS[:2, 1:]),
    ),
    nesting={"bits": Nesting.FREE},
)


def test_every_choice_is_found_by_its_widths_and_levels() -> None:
    for choice in np.ndindex(3, 4, 2):
        assert choice_of(PROBLEM, PROBLEM.widths(choice), PROBLEM.settings(choice)) == choice


def test_what_is_not_named_is_untouched() -> None:
    assert choice_of(PROBLEM, {"plain": 4, "both": 2}) == (2, 1, 1)
    assert choice_of(PROBLEM, {"plain": 4, "both": 2}, LevelSettings({"head": {"bits": 4}})) == (2, 1, 0)


def test_widths_and_levels_that_are_no_option_are_refused() -> None:
    with pytest.raises(ValueError, match="'plain' has no option"):
        choice_of(PROBLEM, {"plain": 2, "both": 2})
    with pytest.raises(ValueError, match="'both' has no option"):
        choice_of(PROBLEM, {"plain": 1, "both": 2}, LevelSettings({"conv": {"bits": 2}}))
