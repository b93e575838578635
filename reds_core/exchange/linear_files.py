"""Problems as mixed-integer linear programs in MPS and LP files.

The model is that of `reds_core.knapsack.relaxation.linear`, with the numbers of the problem: a binary column for each
option, a column in [0, 1] for each joint choice of a pair that has terms, and a row for each resource, or for each step
of a peak resource. The objective is minimised and is the negative of the value, because some readers ignore the
direction that a file states. It has no constant term.

Numbers are written as decimal integers of any length. Libraries that write these formats round them to 12 or 15 digits,
which is why the writers are our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np

from reds_core.arrays import BoolArray, IntArray
from reds_core.errors import UnsupportedError
from reds_core.exchange.names import cell_name, column_name, label
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.relaxation.domain import Domain
from reds_core.knapsack.relaxation.linear import MAGNITUDE_LIMIT, LinearModel, linear_model
from reds_core.knapsack.relaxation.rows import rows_of
from reds_core.system.files import given_file, written_beside

COEFFICIENT_LIMIT = 10**15
"""HiGHS and CBC refuse or round larger coefficients, which come near the precision of doubles."""

LINE_LENGTH = 225
"""The most characters of the terms on a line of an LP file. Some readers refuse lines of more than 255."""


@dataclass(frozen=True, eq=False)
class LinearStatement:
    """A linear model with names, as it is written to a file.

    Attributes:
        title: name of the problem, as a label.
        costs: coefficients of the objective, which is minimised: int64 (columns,).
        row, column, coefficient: the nonzero entries of the rows, sorted by row.
        rhs, equality: (rows,). Rows without equality are at most `rhs`.
        columns: names of the columns.
        rows: names of the rows.
        options: the number of columns of options, which come first and are binary; all others are continuous.
        excluded: (options,), the options outside floors and ceilings, which are fixed to 0.
    """

    title: str
    costs: IntArray
    row: IntArray
    column: IntArray
    coefficient: IntArray
    rhs: IntArray
    equality: BoolArray
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    options: int
    excluded: BoolArray


def linear_statement(problem: KnapsackProblem) -> LinearStatement:
    """The linear model of `problem` with names.

    Raises:
        UnsupportedError: if the numbers of the problem are too large for the model.
    """
    if problem.magnitude > MAGNITUDE_LIMIT:
        raise UnsupportedError(
            f"problem '{problem.name}' has no linear model: a sum of its numbers could pass 2^61",
            "scale the values or costs down",
        )
    model = _with_entries_in_each_row(linear_model(problem, _whole_domain(problem), normalised=False))
    options = [(g, i) for g, group in enumerate(problem.groups) for i in range(group.options)]
    return LinearStatement(
        label(problem.name) or "problem",
        -model.objective,
        model.row,
        model.column,
        model.coefficient,
        model.rhs,
        model.equality,
        (*(column_name(problem, g, i) for g, i in options), *_cells(problem, model)),
        tuple(_row_names(problem, model)),
        len(options),
        np.array([not problem.floors[g] <= i <= problem.ceilings[g] for g, i in options], np.bool_),
    )


def _whole_domain(problem: KnapsackProblem) -> Domain:
    """All options, also those outside floors and ceilings, so that every problem has columns in each group."""
    return Domain.of(problem.with_bounds([0] * len(problem.groups), [g.options - 1 for g in problem.groups]))


def _with_entries_in_each_row(model: LinearModel) -> LinearModel:
    """`model` with 1 added to both sides of rows that have no entries, as columns of group 0, which add up to 1.

    An LP file cannot state a row without entries, and not all readers of MPS files heed one.
    """
    first = np.arange(model.group_starts[1])
    empty = np.setdiff1d(np.arange(model.rows), model.row)
    rows = np.concatenate([model.row, np.repeat(empty, first.size)])
    columns = np.concatenate([model.column, np.tile(first, empty.size)])
    coefficients = np.concatenate([model.coefficient, np.ones(first.size * empty.size, np.int64)])
    order = np.argsort(rows, kind="stable")
    rhs = model.rhs.copy()
    rhs[empty] += 1
    return replace(model, row=rows[order], column=columns[order], coefficient=coefficients[order], rhs=rhs)


def _cells(problem: KnapsackProblem, model: LinearModel) -> Iterator[str]:
    for k, pair in enumerate(problem.pairs):
        if model.pair_starts[k + 1] > model.pair_starts[k]:
            for first in range(problem.groups[pair.first].options):
                for second in range(problem.groups[pair.second].options):
                    yield cell_name(k, first, second)


def _row_names(problem: KnapsackProblem, model: LinearModel) -> Iterator[str]:
    for g, group in enumerate(problem.groups):
        yield f"one{g}_{label(group.name)}"
    for k, pair in enumerate(problem.pairs):
        if model.marginal_rows[k + 1] > model.marginal_rows[k]:
            for side, end in (("first", pair.first), ("second", pair.second)):
                for option in range(problem.groups[end].options):
                    yield f"pair{k}_{side}_{option}"
    for number, restriction in enumerate(rows_of(problem)):
        yield f"limit{number}_{label(restriction.name)}"


def write_mps(problem: KnapsackProblem, path: str | PathLike[str]) -> None:
    """Write `problem` as a mixed-integer linear program in the free MPS format.

    The columns, rows and the objective are described in docs/guide/exchange.md. A solution file of the program is read
    back by `choice_of_solution`.

    Args:
        problem: the problem.
        path: path of the file.

    Raises:
        UnsupportedError: if a sum of the numbers of the problem could pass 2^61.
        InputError: if the file cannot be written.
    """
    _write(path, _mps_lines(linear_statement(problem)))


def _mps_lines(model: LinearStatement) -> Iterator[str]:
    yield f"NAME {model.title} FREE"  # CBC takes some lines for the fixed format otherwise
    yield "ROWS"
    yield " N cost"
    for name, equality in zip(model.rows, model.equality.tolist(), strict=True):
        yield f" {'E' if equality else 'L'} {name}"
    yield "COLUMNS"
    yield " MARKER 'MARKER' 'INTORG'"
    order = np.argsort(model.column, kind="stable")
    rows, coefficients = model.row[order].tolist(), model.coefficient[order].tolist()
    starts = np.searchsorted(model.column[order], np.arange(len(model.columns) + 1)).tolist()
    for j, (name, cost) in enumerate(zip(model.columns, model.costs.tolist(), strict=True)):
        if j == model.options:
            yield " MARKER 'MARKER' 'INTEND'"
        if cost:
            yield f" {name} cost {cost}"
        for entry in range(starts[j], starts[j + 1]):
            yield f" {name} {model.rows[rows[entry]]} {coefficients[entry]}"
    if model.options == len(model.columns):
        yield " MARKER 'MARKER' 'INTEND'"
    yield "RHS"
    for name, rhs in zip(model.rows, model.rhs.tolist(), strict=True):
        if rhs:
            yield f" RHS {name} {rhs}"
    yield "BOUNDS"
    for name, excluded in zip(model.columns, model.excluded.tolist(), strict=False):
        yield f" UP BOUND {name} {int(not excluded)}"
    yield "ENDATA"


def write_lp(problem: KnapsackProblem, path: str | PathLike[str]) -> None:
    """Write `problem` as a mixed-integer linear program in the LP format of CPLEX.

    The columns, rows and the objective are the same as those of `write_mps`.

    Args:
        problem: the problem.
        path: path of the file.

    Raises:
        UnsupportedError: if a sum of the numbers of the problem could pass 2^61.
        InputError: if the file cannot be written.
    """
    _write(path, _lp_lines(linear_statement(problem)))


def _lp_lines(model: LinearStatement) -> Iterator[str]:
    yield f"\\ {model.title}"
    yield "Minimize"
    used = np.flatnonzero(model.costs)
    if not used.size:
        used = np.zeros(1, np.int64)
    yield from _expression(" cost:", model, used.tolist(), model.costs[used].tolist(), "")
    yield "Subject To"
    starts = np.searchsorted(model.row, np.arange(len(model.rows) + 1)).tolist()
    columns, coefficients = model.column.tolist(), model.coefficient.tolist()
    for i, (name, rhs) in enumerate(zip(model.rows, model.rhs.tolist(), strict=True)):
        span = slice(starts[i], starts[i + 1])
        sign = "=" if model.equality[i] else "<="
        yield from _expression(f" {name}:", model, columns[span], coefficients[span], f" {sign} {rhs}")
    free = [name for name, out in zip(model.columns, model.excluded.tolist(), strict=False) if not out]
    fixed = [name for name, out in zip(model.columns, model.excluded.tolist(), strict=False) if out]
    if fixed:
        yield "Bounds"
        yield from (f" {name} = 0" for name in fixed)
    if free:
        yield "Binaries"
        yield from (f" {name}" for name in free)
    yield "End"


def _expression(
    start: str, model: LinearStatement, columns: Sequence[int], coefficients: Sequence[int], end: str
) -> Iterator[str]:
    line = start
    for column, number in zip(columns, coefficients, strict=True):
        term = f" {'-' if number < 0 else '+'} {abs(number)} {model.columns[column]}"
        if len(line) + len(term) > LINE_LENGTH:
            yield line
            line = " "
        line += term
    yield line + end


def _write(path: str | PathLike[str], lines: Iterable[str]) -> None:
    with written_beside(given_file(path, "path")) as temporary, temporary.open("w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines)
