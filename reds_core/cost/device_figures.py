"""The tables of resources that follow from what was counted for the parts of a network."""

from __future__ import annotations

import itertools
from collections.abc import Collection

import numpy as np

from reds_core.arrays import IntArray
from reds_core.cost.device_table import DeviceTable, PairTable, PeakTable, StepTable, SumTable
from reds_core.cost.separable import separable_bound


def sum_table(table: DeviceTable, figure: str) -> SumTable:
    """Return the table of a figure that adds up over parts.

    Args:
        table: A table with all samples.
        figure: The name of the figure. Parts without it take nothing.
    """
    total = _Sum()
    for grid, groups in _grids(table, figure, range(len(table.parts))).values():
        total.add(groups, grid)
    pairs = tuple(
        PairTable(groups, tuple(tuple(row) for row in costs.tolist())) for groups, costs in total.pairs.items()
    )
    return SumTable(total.constant, {g: tuple(costs.tolist()) for g, costs in total.groups.items()}, pairs)


def peak_table(table: DeviceTable, figure: str) -> PeakTable:
    """Return the table of a figure that is the most that parts take at one moment.

    What depends on two groups together is bounded by a sum of a table of each. Moments that others cover are left out.

    Args:
        table: A table with all samples.
        figure: The name of the figure.
    """
    grids = _grids(table, figure, dict.fromkeys(itertools.chain(*table.moments)))
    steps: list[StepTable] = []
    slack = 0
    for parts in dict.fromkeys(table.moments):
        total = _Sum()
        for part in parts:
            grid, groups = grids[part]
            total.add(groups, grid)
        excess = 0
        for (a, b), costs in total.pairs.items():
            first, second = separable_bound(costs)
            excess += int((first[:, None] + second[None, :] - costs).max())
            total.add((a,), first)
            total.add((b,), second)
        slack = max(slack, excess)
        steps.append(StepTable(total.constant, {g: tuple(costs.tolist()) for g, costs in total.groups.items()}))
    return PeakTable(tuple(step for index, step in enumerate(steps) if not _is_covered(steps, index)), slack)


class _Sum:
    """A constant, a table for each group and one for each pair of groups, accumulated part by part."""

    def __init__(self) -> None:
        self.constant = 0
        self.groups: dict[str, IntArray] = {}
        self.pairs: dict[tuple[str, str], IntArray] = {}

    def add(self, groups: tuple[str, ...], costs: IntArray) -> None:
        """Add what depends on the widths of at most two groups."""
        if not costs.any():
            return
        if len(groups) == 2:
            pair = groups[0], groups[1]
            self.pairs[pair] = self.pairs[pair] + costs if pair in self.pairs else costs
        elif groups:
            (group,) = groups
            self.groups[group] = self.groups[group] + costs if group in self.groups else costs
        else:
            self.constant += int(costs)


def _grids(table: DeviceTable, figure: str, parts: Collection[int]) -> dict[int, tuple[IntArray, tuple[str, ...]]]:
    """The figures of some parts as arrays over the offered widths of their groups, with these groups.

    Raises:
        KeyError: If a sample is missing.
    """
    places = {group: {width: at for at, width in enumerate(widths)} for group, widths in table.widths.items()}
    shapes = {index: tuple(len(table.widths[g]) for g in table.parts[index].groups) for index in parts}
    grids = {index: np.full(shape, -1, np.int64) for index, shape in shapes.items()}
    for sample in table.samples:
        if sample.part in grids:
            groups = table.parts[sample.part].groups
            at = tuple(places[group][width] for group, width in zip(groups, sample.widths, strict=True))
            grids[sample.part][at] = sample.figures.get(figure, 0)
    missing = next((index for index, grid in grids.items() if (grid < 0).any()), None)
    if missing is not None:
        raise KeyError(f"samples of part {missing} are missing")
    return {index: (grid, table.parts[index].groups) for index, grid in grids.items()}


def _is_covered(steps: list[StepTable], index: int) -> bool:
    """Whether another step takes at least as much at all widths; of equal ones, the first is kept."""
    return any(
        _covers(other, steps[index]) and (place < index or not _covers(steps[index], other))
        for place, other in enumerate(steps)
        if place != index
    )


def _covers(big: StepTable, small: StepTable) -> bool:
    """Whether a step takes at least as much as another at all widths, table by table."""
    groups = dict.fromkeys((*big.groups, *small.groups))
    least = big.base - small.base
    for group in groups:
        count = len(big.groups.get(group) or small.groups[group])
        own, other = (np.array(step.groups.get(group, (0,) * count)) for step in (big, small))
        least += int((own - other).min())
    return least >= 0
