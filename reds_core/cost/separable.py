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

    matrix = np.zeros((rows, columns, rows + columns))
    matrix[np.arange(rows), :, np.arange(rows)] = -1
    matrix[:, np.arange(columns), rows + np.arange(columns)] = -1
    prices = np.concatenate([np.full(rows, float(columns)), np.full(columns, float(rows))])
    found = linprog(
        prices,
        A_ub=matrix.reshape(rows * columns, -1),
        b_ub=-costs.reshape(-1).astype(float),
        bounds=(None, None),
        method="highs",
    )
    own = costs.max(axis=1) if found.x is None else np.ceil(found.x[:rows] - 1e-6).astype(np.int64)
    other: IntArray = (costs - own[:, None]).max(axis=0)
    return (costs - other[None, :]).max(axis=1), other
