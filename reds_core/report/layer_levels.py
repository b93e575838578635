"""The levels that transforms have in the layers of each subnetwork, such as the bits of their weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reds_core.plan import Plan, SubnetworkRecord
from reds_core.report import units
from reds_core.report.drawing import INK, drawing, new_figure
from reds_core.report.facts import FamilyFacts
from reds_core.report.table import NOTHING, Cell, Row, Table, one_block

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS_A_FIGURE = 32
_LABEL_LIMIT = 28
_WIDTH_INCHES, _ROW_INCHES = 4.6, 0.2
_TIMES = "×"

Place = tuple[str, str]
"""The name of a layer, and what is decided about it, such as "weight_bits"."""


def decided(records: Sequence[SubnetworkRecord]) -> tuple[str, ...]:
    """Return what transforms decided in any of the subnetworks, such as "weight_bits"."""
    return tuple(dict.fromkeys(dimension.what for record in records for dimension, _ in record.levels.chosen()))


def title_of(what: str) -> str:
    """Return the name of a dimension in words: "weight bits" for "weight_bits"."""
    return units.printable(what.replace("_", " "))


def counts_text(record: SubnetworkRecord, what: str) -> str:
    """Return how many layers of a subnetwork have each level of a dimension, such as "7×4 3×8" for 7 layers at 4."""
    counts = Counter(level for dimension, level in record.levels.chosen() if dimension.what == what)
    return " ".join(f"{number}{_TIMES}{level}" for level, number in sorted(counts.items())) or units.DASH


def layers_text(record: SubnetworkRecord, what: str) -> tuple[str, ...]:
    """Return the level of a dimension in each layer of a subnetwork that has one, such as "conv2d 4"."""
    return tuple(f"{each.site} {level}" for each, level in record.levels.chosen() if each.what == what)


def places(plan: Plan) -> tuple[Place, ...]:
    """Return the layers for which something is decided, and what, in the order of the plan."""
    found = (dimension for record in plan.subnetworks for dimension, _ in record.levels.chosen())
    return tuple(dict.fromkeys((dimension.site, dimension.what) for dimension in found))


def levels_table(plan: Plan, family: FamilyFacts) -> Table:
    """Return the level of each layer in each subnetwork, largest first; a table without rows if there are none."""
    members = tuple(reversed(family.subnetworks))
    rows = []
    for site, what in places(plan):
        levels = (m.record.levels.at(site, what) if m.record else None for m in members)
        cells = (NOTHING if level is None else Cell(units.count(level), level) for level in levels)
        rows.append(Row(site, (Cell(title_of(what)), *cells)))
    columns = ("Decided", *(m.label for m in members))
    return Table("Levels of each layer", "Layer", columns, one_block(tuple(rows)))


def level_figures(plan: Plan, family: FamilyFacts) -> tuple[Figure, ...]:
    """Draw the level of each layer in each subnetwork, in figures of equal height with at most ROWS_A_FIGURE rows.

    Lower levels are darker.

    Raises:
        UnavailableError: if matplotlib is not installed.
    """
    found = places(plan)
    if not found or not family.subnetworks:
        return ()
    count = math.ceil(len(found) / ROWS_A_FIGURE)
    rows = math.ceil(len(found) / count)
    with drawing():
        return tuple(_level_figure(plan, found[i : i + rows], rows, family) for i in range(0, len(found), rows))


def _level_figure(plan: Plan, shown: Sequence[Place], rows: int, family: FamilyFacts) -> Figure:
    members = tuple(reversed(family.subnetworks))
    figure = new_figure(_WIDTH_INCHES, 1.0 + rows * _ROW_INCHES)
    axes = figure.add_subplot()
    ranks = _ranks(plan)
    for row, (site, what) in enumerate(shown):
        for column, member in enumerate(members):
            level = member.record.levels.at(site, what) if member.record else None
            if level is None:
                continue
            shade = ranks[what][level]
            red, green, blue = (round(a + shade * (b - a)) for a, b in ((0x12, 0xE6), (0x39, 0xEE), (0x5F, 0xF6)))
            axes.barh(row, 0.94, left=column - 0.47, height=0.86, color=f"#{red:02x}{green:02x}{blue:02x}")
            colour = "white" if shade < 0.5 else INK
            axes.text(column, row, units.count(level), ha="center", va="center", fontsize=8.5, color=colour)
    is_one = len(ranks) == 1
    names = [site if is_one else f"{site}, {title_of(what)}" for site, what in shown]
    axes.set_yticks(range(len(shown)), [units.shortened(name, _LABEL_LIMIT) for name in names])
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_xlim(-0.5, len(members) - 0.5)
    axes.set_xticks(range(len(members)), [units.shortened(m.label, _LABEL_LIMIT) for m in members])
    axes.set_xlabel(f"{title_of(next(iter(ranks))).capitalize()} in each subnetwork" if is_one else "Subnetwork")
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure


def _ranks(plan: Plan) -> dict[str, dict[int, float]]:
    """Return for each dimension the place of each of its levels between the lowest (0) and the highest (1)."""
    found: dict[str, set[int]] = {}
    for record in plan.subnetworks:
        for dimension, level in record.levels.chosen():
            found.setdefault(dimension.what, set()).add(level)
    return {
        what: {level: rank / max(len(levels) - 1, 1) for rank, level in enumerate(sorted(levels))}
        for what, levels in found.items()
    }
