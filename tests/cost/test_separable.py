"""Upper bounds on tables of two groups that are sums of a table of each."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.cost.separable import separable_bound


def excess(costs: np.ndarray) -> np.ndarray:
    first, second = separable_bound(costs)
    assert first.dtype == second.dtype == np.int64
    return first[:, None] + second[None, :] - costs


def test_a_sum_of_two_tables_is_exact() -> None:
    costs = np.array([3, 1, 4])[:, None] + np.array([10, 0])[None, :]
    assert not excess(costs).any()


@pytest.mark.parametrize("seed", range(5))
def test_it_is_a_bound_that_touches_every_row_and_column(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = random.integers(1, 9, 2)
    found = excess(random.integers(0, 1000, (rows, columns)))
    assert found.min() == 0
    assert (found.min(axis=1) == 0).all()
    assert (found.min(axis=0) == 0).all()


def test_the_bound_of_a_product_is_the_least_in_sum() -> None:
    """a b <= (a² + b²) / 2, of which no sum of two tables is less in sum for equal widths."""
    widths = np.arange(1, 9)
    costs = np.outer(widths, widths) * 2
    assert excess(costs).sum() <= ((widths[:, None] - widths[None, :]) ** 2).sum() + costs.size
