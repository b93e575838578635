"""The levels that transforms have in the layers of each subnetwork, such as the bits of their weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reds_core.plan import Plan, SubnetworkRecord
from reds_core.report import units
from reds_core.report.facts import FamilyFacts
from reds_core.report.plotting import INK, PAPER, SHADES, Picture, interactive, new_plot, plain
from reds_core.report.table import NOTHING, Cell, Row, Table, one_block

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LABEL_LIMIT = 28
_ROW_PIXELS = 24
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
        rows.append(Row(Cell(site), (Cell(title_of(what)), *cells)))
    columns = ("Decided", *(m.label for m in members))
    return Table("Levels of each layer", "Layer", columns, one_block(tuple(rows)), is_sortable=True)


def levels_picture(plan: Plan, family: FamilyFacts) -> Picture | None:
    """Return the level of each layer in each subnetwork, lower levels in stronger colours; None without levels.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    found, members = places(plan), tuple(reversed(family.subnetworks))
    if not found or not members:
        return None
    ranks = _ranks(plan)
    is_one = len(ranks) == 1
    title = f"{title_of(next(iter(ranks))).capitalize()} in each subnetwork" if is_one else "Subnetwork"
    plot = new_plot(110 + _ROW_PIXELS * len(found), plain(title), has_legend=False)
    for column, member in enumerate(members):
        for row, (site, what) in enumerate(found):
            level = member.record.levels.at(site, what) if member.record else None
            if level is not None:
                shade = round((SHADES - 1) * ranks[what][level])
                _cell(plot, column, row, shade)
                plot.add_annotation(
                    x=column, y=row, text=units.count(level), showarrow=False,
                    font={"color": PAPER if shade < SHADES / 2 else INK, "size": 12},
                )  # fmt: skip
    names = [site if is_one else f"{site}, {title_of(what)}" for site, what in found]
    labels = [plain(units.shortened(m.label, _LABEL_LIMIT)) for m in members]
    plot.update_yaxes(
        tickvals=list(range(len(found))), ticktext=[plain(units.shortened(name, _LABEL_LIMIT)) for name in names],
        range=[len(found) - 0.4, -0.6], showgrid=False, ticks="",
    )  # fmt: skip
    plot.update_xaxes(
        tickvals=list(range(len(members))), ticktext=labels, range=[-0.5, len(members) - 0.5], showgrid=False, ticks=""
    )
    caption = "Levels of each layer"
    return interactive(plot, "levels", caption, f"{caption}. The table below has the figures.")


def _cell(plot: Figure, column: int, row: int, shade: int) -> None:
    plot.add_shape(
        type="rect", x0=column - 0.47, x1=column + 0.47, y0=row - 0.43, y1=row + 0.43, layer="below",
        line={"width": 0}, fillcolor=f"var(--shade-{shade})",
    )  # fmt: skip


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
