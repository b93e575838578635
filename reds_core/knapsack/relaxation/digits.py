"""Exact reformulation of rows with large coefficients as several rows with small ones, for back ends with floats.

With a tolerance of 1e-6, a row whose coefficients are near 1e10 may be violated by ten thousand units, and the
reductions of such rows in back ends have been seen to cut off optima. Written in digits to the base D, sum_d D^d a_d
with room sum_d D^d r_d becomes

    a_0 . z            <= r_0 + D k_0
    a_d . z + k_(d-1)  <= r_d + D k_d      (the last without k_d)

with integer carries k_d >= 0, as in long addition. The LP relaxation is that of the original row.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reds_core.arrays import IntArray
from reds_core.knapsack.relaxation.linear import LinearModel


def in_digits(model: LinearModel, bits: int) -> LinearModel:
    """`model` with every inequality that has coefficients of at least 2^bits written in digits to the base 2^bits.

    Coefficients of inequalities must not be negative. The carries are appended as columns. In `limit_rows`, the row of
    the highest digit takes the place of the original row.
    """
    starts = model.row_starts()
    base = 2**bits
    large = np.zeros(model.rows, np.bool_)
    np.logical_or.at(large, model.row, model.coefficient >= base)
    large &= ~model.equality & (model.rhs >= 0)
    if not large.any():
        return model
    keep = ~large[model.row]
    rows, columns, coefficients = [model.row[keep]], [model.column[keep]], [model.coefficient[keep]]
    rhs = model.rhs.copy()
    new_rhs: list[int] = []
    carries: list[int] = []
    for row in np.flatnonzero(large):
        span = slice(starts[row], starts[row + 1])
        whole, room = model.coefficient[span], int(model.rhs[row])
        digits = -(-max(int(whole.max()), room).bit_length() // bits)
        most = int(np.count_nonzero(whole)) + 1
        for digit in range(digits):
            last = digit == digits - 1
            target = int(row) if last else model.rows + len(new_rhs)
            entries = (whole >> (bits * digit)) & (base - 1)
            parts: list[tuple[IntArray, IntArray]] = [(model.column[span], entries)]
            if digit:
                parts.append((np.array([model.columns + len(carries) - 1]), np.array([1])))
            if not last:
                parts.append((np.array([model.columns + len(carries)]), np.array([-base])))
                carries.append(most)
            room_digit = (room >> (bits * digit)) & (base - 1)
            if last:
                rhs[row] = room_digit
            else:
                new_rhs.append(room_digit)
            for column, coefficient in parts:
                used = coefficient != 0
                rows.append(np.full(int(used.sum()), target))
                columns.append(column[used])
                coefficients.append(coefficient[used])
    order = np.argsort(np.concatenate(rows), kind="stable")
    return replace(
        model,
        objective=np.append(model.objective, np.zeros(len(carries), np.int64)),
        row=np.concatenate(rows)[order],
        column=np.concatenate(columns)[order],
        coefficient=np.concatenate(coefficients)[order],
        rhs=np.append(rhs, np.array(new_rhs, np.int64)),
        equality=np.append(model.equality, np.zeros(len(new_rhs), np.bool_)),
        upper=np.append(model.upper, np.array(carries, np.int64)),
        whole=np.append(model.whole, np.ones(len(carries), np.bool_)),
    )
