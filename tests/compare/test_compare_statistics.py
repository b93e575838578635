"""Statistics of comparisons against figures computed by hand and by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reds_core.compare.statistics import Difference, critical_t, paired_difference, spread


def test_mean_and_sample_deviation_by_hand() -> None:
    # mean 0.9, squares of deviations 0.0001 + 0 + 0.0001, / 2, root
    found = spread([0.89, 0.90, 0.91])
    assert found is not None
    assert found.mean == pytest.approx(0.9)
    assert found.deviation == pytest.approx(0.01)
    assert found.n == 3


def test_one_seed_has_no_deviation_and_none_no_spread() -> None:
    found = spread([0.5])
    assert found is not None
    assert found.deviation is None
    assert spread([]) is None


def test_paired_difference_by_hand() -> None:
    # differences 0.02, 0.03, 0.04: mean 0.03, deviation 0.01, error 0.01 / sqrt(3)
    found = paired_difference({0: 0.92, 1: 0.83, 2: 0.74}, {2: 0.70, 1: 0.80, 0: 0.90})
    assert found is not None
    assert found.mean == pytest.approx(0.03)
    assert found.error == pytest.approx(0.01 / 3**0.5)
    assert found.n == 3
    # 0.03 / 0.00577 = 5.2, above Student's 4.303
    assert found.exceeds_spread is True


def test_pairing_sees_what_separate_spreads_hide() -> None:
    """Seeds that differ far more than the contenders do: the paired difference is still sure."""
    found = paired_difference({0: 0.51, 1: 0.72, 2: 0.93}, {0: 0.50, 1: 0.71, 2: 0.92})
    assert found is not None
    assert found.exceeds_spread is True


def test_a_difference_within_the_spread_is_not_more_than_it() -> None:
    found = paired_difference({0: 0.92, 1: 0.80, 2: 0.74}, {0: 0.90, 1: 0.80, 2: 0.73})
    assert found is not None
    assert found.mean == pytest.approx(0.01)
    assert found.exceeds_spread is False


def test_only_seeds_that_both_have_are_compared() -> None:
    found = paired_difference({0: 0.9, 5: 0.1}, {0: 0.8, 7: 0.9})
    assert found is not None
    assert (found.n, found.error, found.exceeds_spread) == (1, None, None)
    assert paired_difference({0: 0.9}, {1: 0.9}) is None


def test_equal_results_do_not_exceed_the_spread() -> None:
    assert Difference(0.0, 0.0, 3).exceeds_spread is False
    assert Difference(0.01, 0.0, 3).exceeds_spread is True


@pytest.mark.parametrize(
    ("freedom", "tabulated"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (10, 2.228), (30, 2.042), (31, 2.040), (50, 2.009), (1000, 1.962)],
)
def test_critical_values_are_students(freedom: int, tabulated: float) -> None:
    """Against the printed table of Student's distribution (two-sided, 95 %)."""
    assert critical_t(freedom) == pytest.approx(tabulated, abs=6e-4)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8))
def test_the_verdict_is_that_of_a_paired_t_test(pairs: list[tuple[float, float]]) -> None:
    first, second = (dict(enumerate(side)) for side in zip(*pairs, strict=True))
    found = paired_difference(first, second)
    assert found is not None
    assert found.error is not None
    differences = np.subtract(*np.array(pairs).T)
    if differences.std() > 1e-9:
        with np.errstate(all="ignore"):
            p = float(stats.ttest_rel(list(first.values()), list(second.values())).pvalue)
        if abs(p - 0.05) > 1e-3:
            assert found.exceeds_spread is (p < 0.05)
