"""The linear model of a problem, as NumPy arrays for back ends that take (mixed-integer) linear programs.

Each option has a binary column (one-hot), and each joint choice of a pair a column in [0, 1], which marginal rows link
to the options. This is the local polytope (Werner, "A linear programming approach to max-sum problem", 2007). If the
columns of options are binary, those of joint choices are integral too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from reds_core.arrays import BoolArray, IntArray, Table
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.relaxation.domain import Domain
from reds_core.knapsack.relaxation.rows import Restriction, rows_of

MAGNITUDE_LIMIT = 2**61
"""The largest magnitude of problems whose linear model has coefficients that fit int64."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A redundant row over a domain: the sum of the coefficients of what is chosen <= limit.

    Attributes:
        limit: the right-hand side.
        options: for each group, int64 (positions,).
        cells: for each pair, int64 (positions of first, positions of second) or None for zeros.
    """

    limit: int
    options: tuple[IntArray, ...]
    cells: tuple[Table, ...]


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Maximise offset + objective . z subject to A z = rhs where `equality`, A z <= rhs elsewhere, 0 <= z <= upper.

    The columns are the remaining options of each group, and then the remaining cells of each pair that has terms, row
    by row. The rows are one for each group (its options add up to 1), the marginal rows of each pair, one for each
    resource row, and the cuts. All numbers are int64. Resource rows are shifted so that the smallest coefficient of
    each group and pair is 0, and divided by their greatest common divisor. Models that are not normalised (see
    `linear_model`) have the coefficients of the problem instead.

    Attributes:
        objective: (columns,), at most 0: `offset` holds the largest value of each group and pair.
        row, column, coefficient: the nonzero entries of A, sorted by row.
        rhs, equality: (rows,).
        upper: (columns,), 1 for options and cells.
        whole: (columns,), whether a column must be integral. Only options must; cells are then integral too.
        group_starts: first column of each group, and the end of the last: (groups + 1,).
        pair_starts: first column of each pair, and the end of the last: (pairs + 1,).
        marginal_rows: first marginal row of each pair, and the end of the last: (pairs + 1,). Those of the first group
            of a pair come before those of the second.
        limit_rows: row index of each resource row in the order of `rows_of`; -1 if it was left out because no choice
            can violate it.
        divisors: the divisor of each resource row, in the order of `rows_of`.
        domain: the choices that the model covers.
    """

    objective: IntArray
    offset: int
    row: IntArray
    column: IntArray
    coefficient: IntArray
    rhs: IntArray
    equality: BoolArray
    upper: IntArray
    whole: BoolArray
    group_starts: IntArray
    pair_starts: IntArray
    marginal_rows: IntArray
    limit_rows: IntArray
    divisors: IntArray
    domain: Domain

    @property
    def columns(self) -> int:
        """The number of columns."""
        return int(self.objective.size)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.rhs.size)

    @property
    def contradictory(self) -> bool:
        """Whether no choice can satisfy some row, because its limit is negative and its coefficients are not."""
        return bool(np.any(~self.equality & (self.rhs < 0)))

    def row_starts(self) -> IntArray:
        """The first entry of each row in `column` and `coefficient`, and the end of the last: int64 (rows + 1,)."""
        return np.searchsorted(self.row, np.arange(self.rows + 1))

    def arrays(self) -> dict[str, npt.ArrayLike]:
        """The model as arrays to send to another process.

        Returns:
            objective, offset, upper, whole, column, coefficient, rhs and equality, which are the attributes of these
            names, and `starts`, which is the result of `row_starts`.
        """
        return {
            "objective": self.objective,
            "offset": self.offset,
            "upper": self.upper,
            "whole": self.whole,
            "column": self.column,
            "coefficient": self.coefficient,
            "rhs": self.rhs,
            "equality": self.equality,
            "starts": self.row_starts(),
        }

    def choice(self, solution: npt.ArrayLike) -> tuple[int, ...]:
        """For each group, the option whose column has the largest value in `solution`, (columns,)."""
        z = np.asarray(solution)
        starts = self.group_starts
        return self.domain.choice([int(np.argmax(z[a:b])) for a, b in pairwise(starts)])

    def solution(self, choice: Sequence[int]) -> IntArray:
        """The values of all columns for `choice`, which the domain must contain: 0 or 1, int64 (columns,)."""
        positions = [int(np.searchsorted(o, i)) for o, i in zip(self.domain.options, choice, strict=True)]
        z = np.zeros(self.columns, np.int64)
        z[self.group_starts[:-1] + positions] = 1
        for k, (a, b) in enumerate(self.domain.ends):
            if self.pair_starts[k + 1] > self.pair_starts[k]:
                cells = self.domain.cells[k]
                before = np.count_nonzero(cells[: positions[a]]) + np.count_nonzero(cells[positions[a], : positions[b]])
                z[self.pair_starts[k] + before] = 1
        return z

    def without(self, choice: Sequence[int]) -> LinearModel:
        """The same model with one more row at the end, which excludes `choice` and nothing else."""
        taken = np.flatnonzero(self.solution(choice)[: self.group_starts[-1]])
        return replace(
            self,
            row=np.concatenate([self.row, np.full(taken.size, self.rows)]),
            column=np.concatenate([self.column, taken]),
            coefficient=np.concatenate([self.coefficient, np.ones(taken.size, np.int64)]),
            rhs=np.append(self.rhs, taken.size - 1),
            equality=np.append(self.equality, False),
        )


class _Blocks:
    """The column numbers of a domain: a block for each group, then one for each pair that has terms."""

    def __init__(self, domain: Domain, coupled: Sequence[bool]) -> None:
        self.domain = domain
        self.cells = [
            np.nonzero(mask) if use else (np.zeros(0, np.int64),) * 2
            for mask, use in zip(domain.cells, coupled, strict=True)
        ]
        sizes = [o.size for o in domain.options] + [r.size for r, _ in self.cells]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        groups = len(domain.options)
        self.group_starts, self.pair_starts = starts[: groups + 1], starts[groups:]

    def columns(self, options: Sequence[Table], cells: Sequence[Table], extreme: int) -> tuple[IntArray, int]:
        """One coefficient for each column, shifted block by block so that the extreme is 0.

        Args:
            options: for each group, int64 (positions,).
            cells: for each pair, int64 (positions of first, positions of second) or None for zeros.
            extreme: 1 for the largest coefficient of each block, -1 for the smallest, 0 for no shift.

        Returns:
            The coefficients, int64 (columns,), and the sum of the shifts.
        """
        result = np.zeros(int(self.pair_starts[-1]), np.int64)
        total = 0
        blocks = [(start, table) for start, table in zip(self.group_starts[:-1], options, strict=True)]
        blocks += [
            (start, None if table is None else table[where])
            for start, table, where in zip(self.pair_starts[:-1], cells, self.cells, strict=True)
        ]
        for start, block in blocks:
            if block is not None and block.size:
                shift = 0 if extreme == 0 else int(block.max() if extreme > 0 else block.min())
                result[start : start + block.size] = block - shift
                total += shift
        return result, total


class _Rows:
    """Collects rows as coordinate (COO) entries."""

    def __init__(self) -> None:
        self.parts: list[tuple[IntArray, IntArray, IntArray]] = []
        self.rhs: list[int] = []
        self.equality: list[bool] = []

    def add(self, coefficients: IntArray, rhs: int) -> int:
        """Add a row coefficients . z <= rhs and return its index. `coefficients` is int64 (columns,)."""
        columns = np.flatnonzero(coefficients)
        self.parts.append((np.full(columns.size, len(self.rhs)), columns, coefficients[columns]))
        self.rhs.append(rhs)
        self.equality.append(False)
        return len(self.rhs) - 1

    def add_equalities(self, row: IntArray, column: IntArray, coefficient: IntArray, rhs: int, count: int) -> None:
        """Add `count` rows A z = rhs. The row numbers of the entries count from 0."""
        self.parts.append((row + len(self.rhs), column, coefficient))
        self.rhs += [rhs] * count
        self.equality += [True] * count


def linear_model(
    problem: KnapsackProblem, domain: Domain | None = None, cuts: Sequence[Cut] = (), *, normalised: bool = True
) -> LinearModel:
    """The linear model of `problem`.

    Args:
        problem: a problem of a magnitude of at most `MAGNITUDE_LIMIT`.
        domain: the choices to cover; None for all within floors and ceilings.
        cuts: redundant rows over the domain.
        normalised: whether to shift and divide coefficients and to leave out rows that no choice can violate, which
            back ends prefer. Otherwise the coefficients are the numbers of the problem, `offset` is 0, and each
            resource row is present with the limit capacity - base.
    """
    domain = Domain.of(problem) if domain is None else domain
    limits = rows_of(problem)
    coupled = [
        pair.values is not None or any(row.pair_costs[k] is not None for row in limits)
        for k, pair in enumerate(problem.pairs)
    ]
    blocks = _Blocks(domain, coupled)
    objective, offset = blocks.columns(
        domain.of_groups([g.values for g in problem.groups]),
        domain.of_pairs([p.values for p in problem.pairs]),
        int(normalised),
    )
    rows = _Rows()
    groups = len(domain.options)
    options = int(blocks.group_starts[-1])
    group_of = np.repeat(np.arange(groups), [o.size for o in domain.options])
    rows.add_equalities(group_of, np.arange(options), np.ones(options, np.int64), 1, groups)
    marginal_rows = [groups]
    for k, use in enumerate(coupled):
        if use:
            _add_marginals(rows, blocks, k)
        marginal_rows.append(len(rows.rhs))
    limit_rows = [_add_limit(rows, blocks, row, normalised) for row in limits]
    for cut in cuts:
        coefficients, shift = blocks.columns(cut.options, cut.cells, -1)
        rows.add(coefficients, cut.limit - shift)
    row, column, coefficient = (np.concatenate(part) for part in zip(*rows.parts, strict=True))
    order = np.argsort(row, kind="stable")
    return LinearModel(
        objective,
        offset,
        row[order],
        column[order],
        coefficient[order],
        np.array(rows.rhs, np.int64),
        np.array(rows.equality, np.bool_),
        np.ones(objective.size, np.int64),
        np.arange(objective.size) < options,
        blocks.group_starts,
        blocks.pair_starts,
        np.array(marginal_rows, np.int64),
        np.array([row for row, _ in limit_rows], np.int64),
        np.array([divisor for _, divisor in limit_rows], np.int64),
        domain,
    )


def _add_marginals(rows: _Rows, blocks: _Blocks, pair: int) -> None:
    """Add the marginal rows of a pair: the cells of each option of either group add up to the column of the option."""
    for end, positions in zip(blocks.domain.ends[pair], blocks.cells[pair], strict=True):
        count = blocks.domain.options[end].size
        cells = np.arange(blocks.pair_starts[pair], blocks.pair_starts[pair + 1])
        options = np.arange(blocks.group_starts[end], blocks.group_starts[end + 1])
        row = np.concatenate([positions, np.arange(count)])
        signs = np.concatenate([np.ones(cells.size, np.int64), np.full(count, -1)])
        rows.add_equalities(row, np.concatenate([cells, options]), signs, 0, count)


def _add_limit(rows: _Rows, blocks: _Blocks, row: Restriction, normalised: bool) -> tuple[int, int]:
    """Add one resource row.

    Returns:
        The index of the row, or -1 if no choice can violate it, and its divisor.
    """
    domain = blocks.domain
    coefficients, least = blocks.columns(domain.of_groups(row.costs), domain.of_pairs(row.pair_costs), -int(normalised))
    if not normalised:
        return rows.add(coefficients, row.limit), 1
    room = row.limit - least
    starts = np.append(blocks.group_starts[:-1], blocks.pair_starts)
    spans = pairwise(starts)
    most = sum(int(coefficients[a:b].max()) for a, b in spans if b > a)
    if most <= room:
        return -1, 1
    divisor = max(int(np.gcd.reduce(coefficients)), 1)  # the remainder of the room cannot be used
    return rows.add(coefficients // divisor, max(room // divisor, -1)), divisor
