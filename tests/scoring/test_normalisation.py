"""Scores are made comparable across groups."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.errors import InputError
from reds_core.scoring import Normalisation, ScoreTable, normalise

TABLE = ScoreTable(
    {"a": np.array([1.0, -2.0, 3.0]), "dead": np.zeros(2)},
    {("a", "dead"): np.array([[1.0, 3.0], [0.0, 0.0], [0.0, 4.0]])},
    {"a": np.array([1.0, 2.0, 4.0])},
)


@pytest.mark.parametrize(
    ("how", "divisor", "pair_divisor"),
    [("none", 1, 1), ("mean", 2, 8 / 6), ("max", 3, 4), ("sum", 6, 8), ("l2", 14**0.5, 26**0.5)],
)
def test_each_table_is_divided_by_its_own_size(how: Normalisation, divisor: float, pair_divisor: float) -> None:
    found = normalise(TABLE, how)
    np.testing.assert_allclose(found.channels["a"], TABLE.channels["a"] / divisor)
    np.testing.assert_array_equal(found.channels["dead"], [0, 0])
    np.testing.assert_allclose(found.pairs["a", "dead"], TABLE.pairs["a", "dead"] / pair_divisor)
    np.testing.assert_array_equal(found.curves["a"], TABLE.curves["a"])


def test_the_default_is_the_logarithm_of_the_share_that_is_kept() -> None:
    table = ScoreTable({"a": np.array([1.0, 5.0, 2.0]), "dead": np.zeros(2)})
    found = normalise(table)
    np.testing.assert_allclose(found.curves["a"], np.log([5 / 5, 7 / 5, 8 / 5]))
    np.testing.assert_array_equal(found.curves["dead"], [0, 0])
    np.testing.assert_array_equal(found.channels["a"], table.channels["a"])  # which order the channels


def test_a_common_factor_has_no_effect_on_the_logarithmic_scale() -> None:
    scores = np.array([0.25, 3.0, 1.5])
    found = normalise(ScoreTable({"a": scores, "b": scores * 1e6}))
    np.testing.assert_allclose(found.curves["a"], found.curves["b"])


@pytest.mark.parametrize(
    ("table", "what"),
    [
        (TABLE, "shares of kernels do not multiply"),
        (ScoreTable({"a": np.array([2.0, -1.0])}), "group 'a' has negative scores"),
    ],
)
def test_scores_without_shares_are_refused(table: ScoreTable, what: str) -> None:
    with pytest.raises(InputError, match=what):
        normalise(table, "log")


@pytest.mark.parametrize("how", ["logg", "LOG", None])
def test_an_unknown_normalisation_is_named(how: Normalisation) -> None:
    with pytest.raises(
        InputError, match=f"there is no normalisation {how!r}; choose one of none, mean, max, sum, l2, log"
    ):
        normalise(TABLE, how)
