"""The kernel-level integer program of REDS (Corti et al., arXiv 2311.13349) for a width problem with kernel scores.

The binaries are, for each group, its kept filters (the outputs of a pointwise convolution) and its reading filters (the
inputs of the following depthwise convolution, and of whatever else works on single channels), and for each pair a
kernel for each filter of the second group and channel of the first. The integer x_g is the number of channels that
group g keeps.

    maximise    scores of reading filters and of kernels
    subject to  x_g = sum of kept filters of g = sum of reading filters of g                   filters tie layers
                kept filters of g come in order                                                the memory layout
                kernel <= its filter                                                           no kernel without filter
                filter <= sum of its kernels                                                   no filter without kernel
                x_a - channels_a (1 - filter) <= sum of its kernels <= x_a                     as many as its input has
                base + costs of reading filters and kernels <= capacity                        for each resource
                floor <= x_g <= ceiling

If options are more than one channel apart, the kept filters between two options are equal. The program may choose any
reading filters and kernels, as long as their number fits, while a choice of widths keeps the first ones. The program is
therefore a relaxation of the width problem, and its value is not comparable. The value and cost of each option of a
group is spread over the channels that the option adds. Pair values are computed from the kernels alone, and scaled to
the value of the full pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray, IntArray, Table
from reds_core.knapsack import KnapsackProblem


@dataclass(frozen=True, eq=False)
class KernelModel:
    """Maximise objective . x, row_lower <= A x <= row_upper, lower <= x <= upper, all x whole.

    Attributes:
        lower, upper, objective: float64 (columns,). The first columns are x_g, one a group; all others are binaries.
        row_lower, row_upper: float64 (rows,).
        row, column, coefficient: the entries of A, sorted by row; int64, int64, float64.
        groups: the number of columns that are not binaries.
    """

    lower: FloatArray
    upper: FloatArray
    objective: FloatArray
    row_lower: FloatArray
    row_upper: FloatArray
    row: IntArray
    column: IntArray
    coefficient: FloatArray
    groups: int

    @property
    def binaries(self) -> int:
        """The number of binaries."""
        return int(self.objective.size) - self.groups

    @property
    def rows(self) -> int:
        """The number of constraints."""
        return int(self.row_lower.size)

    def __str__(self) -> str:
        return f"kernel-level model: {self.binaries:,} binaries, {self.rows:,} constraints"


class _Rows:
    """Constraints under construction."""

    def __init__(self) -> None:
        self.count = 0
        self.entries: list[tuple[IntArray, IntArray, FloatArray]] = []
        self.bounds: list[tuple[FloatArray, FloatArray]] = []

    def add(self, lower: npt.ArrayLike, upper: npt.ArrayLike, *terms: tuple[IntArray, npt.ArrayLike]) -> None:
        """Add rows lower <= sum of coefficients x columns <= upper.

        Args:
            lower, upper: float64 (rows,) or a number.
            terms: columns, int64 (rows, entries), and their coefficients, of that shape or one that broadcasts to it.
        """
        rows = len(terms[0][0])
        numbers = self.count + np.arange(rows)
        for columns, coefficients in terms:
            shape = columns.shape
            spread = np.broadcast_to(np.asarray(coefficients, np.float64), shape)
            self.entries.append((np.repeat(numbers, shape[1]), columns.ravel(), spread.ravel()))
        self.bounds.append((np.broadcast_to(lower, rows).astype(float), np.broadcast_to(upper, rows).astype(float)))
        self.count += rows


def kernel_model(problem: KnapsackProblem) -> KernelModel:
    """The program of `problem`.

    The widths of each group must rise strictly: the last width counts as the number of channels, and what an option is
    worth or costs is spread over the channels that it adds to the option before it.

    Args:
        problem: every pair must have kernel scores, and only bilinear pair costs. The first group of a pair feeds the
            second.
    """
    channels = np.array([int(g.widths[-1]) for g in problem.groups])
    members = range(channels.size)
    # columns: x of each group, kept and reading filters of each group, kernels of each pair as (filters, channels)
    kept_starts = channels.size + np.cumsum(channels) - channels
    reading_starts = kept_starts + channels.sum()
    kept = [np.arange(kept_starts[g], kept_starts[g] + channels[g]) for g in members]
    reading = [np.arange(reading_starts[g], reading_starts[g] + channels[g]) for g in members]
    columns = int(channels.size + 2 * channels.sum())
    kernels = []
    for pair in problem.pairs:
        shape = int(channels[pair.second]), int(channels[pair.first])
        kernels.append(columns + np.arange(shape[0] * shape[1]).reshape(shape))
        columns += kernels[-1].size

    objective, lower, upper = np.zeros(columns), np.zeros(columns), np.ones(columns)
    for g, group in enumerate(problem.groups):
        objective[reading[g]] = _spread(group.values, group.widths)
        lower[g], upper[g] = group.widths[problem.floors[g]], group.widths[problem.ceilings[g]]
    for pair, own in zip(problem.pairs, kernels, strict=True):
        assert pair.kernel is not None
        objective[own] = _scaled(pair.kernel, pair.values).T

    rows = _Rows()
    for g, group in enumerate(problem.groups):
        for filters in (kept[g], reading[g]):
            rows.add(0, 0, (filters[None], 1), (np.array([[g]]), -1))
        if group.widths[-1] > 1:
            together = ~np.isin(np.arange(1, channels[g]), group.widths)
            neighbours = np.stack((kept[g][:-1], kept[g][1:]), axis=1)
            rows.add(0, np.where(together, 0, 1), (neighbours, [1, -1]))
    for pair, own in zip(problem.pairs, kernels, strict=True):
        _tie(rows, own, kept[pair.second], pair.first, int(channels[pair.first]))
    for resource in problem.sum_resources:
        terms: list[tuple[IntArray, npt.ArrayLike]] = [
            (reading[g][None], _spread(costs, problem.groups[g].widths)[None])
            for g, costs in enumerate(resource.costs)
            if costs is not None
        ]
        terms += [(k.reshape(1, -1), c) for k, c in zip(kernels, resource.bilinear, strict=True) if c]
        rows.add(-np.inf, resource.capacity - resource.base, (np.zeros((1, 1), np.int64), 0), *terms)
    row, column, coefficient = (np.concatenate(parts) for parts in zip(*rows.entries, strict=True))
    row_lower, row_upper = (np.concatenate(parts) for parts in zip(*rows.bounds, strict=True))
    order = np.lexsort((column, row))
    return KernelModel(
        lower, upper, objective, row_lower, row_upper, row[order], column[order], coefficient[order], channels.size
    )


def _tie(rows: _Rows, kernels: IntArray, filters: IntArray, source: int, channels: int) -> None:
    """Tie the kernels of one pair, int64 (filters, channels), to its filters and to x of its first group."""
    each = np.repeat(filters, channels)
    rows.add(-np.inf, 0, (kernels.reshape(-1, 1), 1), (each[:, None], -1))
    rows.add(-np.inf, 0, (filters[:, None], 1), (kernels, -1))
    x = np.full((filters.size, 1), source)
    rows.add(-np.inf, 0, (kernels, 1), (x, -1))
    rows.add(-channels, np.inf, (kernels, 1), (x, -1), (filters[:, None], -channels))


def _spread(table: IntArray, widths: IntArray) -> IntArray:
    """What each channel adds, int64 (channels,): what its option adds, in nearly equal integer parts."""
    added, sizes = np.diff(table, prepend=0), np.diff(widths, prepend=0)
    owner = np.repeat(np.arange(sizes.size), sizes)
    place = np.arange(owner.size) - (np.cumsum(sizes) - sizes)[owner]
    whole, rest = np.divmod(added, np.maximum(sizes, 1))  # no channel is owned by an option that adds none
    so_far = place * rest[owner] // sizes[owner]
    result: IntArray = whole[owner] + (place + 1) * rest[owner] // sizes[owner] - so_far
    return result


def _scaled(kernel: FloatArray, values: Table) -> FloatArray:
    """Kernel scores scaled so that they add up to the value of the full pair, and rounded; as `kernel`."""
    total = float(kernel.sum())
    full = 0.0 if values is None else float(values[-1, -1])
    return np.rint(kernel * (full / total)) if total else np.zeros_like(kernel)
