"""Statistics of comparisons against figures computed by hand and by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reds_core.compare.statistics import paired_difference, spread


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
    assert found.is_significant is True
    assert found.detectable == pytest.approx(4.303 * 0.01 / 3**0.5, rel=1e-3)


def test_pairing_sees_what_separate_spreads_hide() -> None:
    """Seeds that differ far more than the contenders do: the paired difference is still sure."""
    found = paired_difference({0: 0.51, 1: 0.722, 2: 0.931}, {0: 0.50, 1: 0.71, 2: 0.92})
    assert found is not None
    assert found.is_significant is True


def test_a_difference_within_the_spread_is_not_more_than_it() -> None:
    found = paired_difference({0: 0.92, 1: 0.80, 2: 0.74}, {0: 0.90, 1: 0.80, 2: 0.73})
    assert found is not None
    assert found.mean == pytest.approx(0.01)
    assert found.is_significant is False


def test_only_seeds_that_both_have_are_compared() -> None:
    found = paired_difference({0: 0.9, 5: 0.1}, {0: 0.8, 7: 0.9})
    assert found is not None
    assert (found.n, found.error, found.is_significant) == (1, None, None)
    assert paired_difference({0: 0.9}, {1: 0.9}) is None


def test_differences_that_do_not_vary_cannot_be_tested() -> None:
    """Student's test divides by their deviation. Seeds that change nothing are no sample."""
    same = paired_difference({0: 0.5, 1: 0.6}, {0: 0.5, 1: 0.6})
    above = paired_difference({0: 0.51, 1: 0.72, 2: 0.93}, {0: 0.50, 1: 0.71, 2: 0.92})
    assert same is not None
    assert above is not None
    for found in (same, above):
        assert (found.p_value, found.is_significant, found.detectable) == (None, None, None)
    assert (same.mean, same.error) == (0.0, 0.0)
    assert above.mean == pytest.approx(0.01)


@pytest.mark.parametrize(("n", "tabulated"), [(2, 12.706), (3, 4.303), (4, 3.182), (11, 2.228), (31, 2.042)])
def test_what_could_have_been_detected_follows_students_table(n: int, tabulated: float) -> None:
    """Against the printed table of Student's distribution (two-sided, 95 %)."""
    found = paired_difference({seed: (-1.0) ** seed + 5 for seed in range(n)}, dict.fromkeys(range(n), 4.9))
    assert found is not None
    assert found.error is not None
    assert found.detectable is not None
    assert found.detectable / found.error == pytest.approx(tabulated, abs=6e-4)
    assert found.is_significant is (abs(found.mean) > found.detectable)


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
            assert found.is_significant is (p < 0.05)
