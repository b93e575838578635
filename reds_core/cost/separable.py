"""Upper bounds on tables of two groups that are sums of a table of each."""

from __future__ import annotations

import numpy as np

from reds_core.arrays import IntArray


def separable_bound(costs: IntArray) -> tuple[IntArray, IntArray]:
    """Return two tables a and b with a[i] + b[j] >= costs[i, j], of which the sum of all differences is least.

    The bound is exact for a sum of two tables. It is found by a linear program and rounded so that it stays a bound.

    Args:
        costs: A table, int64 (widths of one group, widths of another).

    Returns:
        The tables, int64 (widths of the one group,) and int64 (widths of the other,).
    """
    rows, columns = costs.shape
    first: IntArray = costs[:, 0] - costs[0, 0]
    if np.array_equal(costs, first[:, None] + costs[0][None, :]):
        return first, costs[0].copy()
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    count = rows * columns
    places = np.concatenate([np.repeat(np.arange(rows), columns), rows + np.tile(np.arange(columns), rows)])
    matrix = csr_array((-np.ones(2 * count), (np.tile(np.arange(count), 2), places)), (count, rows + columns))
    prices = np.concatenate([np.full(rows, columns), np.full(columns, rows)])
    found = linprog(prices, A_ub=matrix, b_ub=-costs.reshape(-1), bounds=(None, None), method="highs")
    own = costs.max(axis=1) if found.x is None else np.ceil(found.x[:rows] - 1e-6).astype(np.int64)
    other: IntArray = (costs - own[:, None]).max(axis=0)
    return (costs - other[None, :]).max(axis=1), other
