"""The figure of what levels of layers cost in loss: layers by levels, as a heat map with the figures in its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reds_core.report import units
from reds_core.report.drawing import INK, drawing, new_figure
from reds_core.scoring.sensitivity_table import SensitivityTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW_INCHES, _COLUMN_INCHES, _LABEL_INCHES, _FRAME_INCHES = 0.24, 0.85, 2.4, 1.3
_LABEL_LIMIT = 28
_DARK = 0.6
"""The share of the colour scale from which text is white."""


def columns_of(table: SensitivityTable) -> tuple[tuple[str, int], ...]:
    """Return what is decided and each level that costs anything, lowest level first; last levels cost nothing."""
    found: dict[str, set[int]] = {}
    for layer in table.layers:
        found.setdefault(layer.what, set()).update(layer.levels[:-1])
    return tuple((what, level) for what, levels in found.items() for level in sorted(levels))


def rows_of(table: SensitivityTable) -> dict[str, dict[tuple[str, int], float]]:
    """Return for each layer the rise of the loss by what is decided and the level, without last levels."""
    rows: dict[str, dict[tuple[str, int], float]] = {}
    for layer in table.layers:
        cells = rows.setdefault(layer.layer, {})
        for level, rise in zip(layer.levels[:-1], layer.rises, strict=False):
            cells[layer.what, level] = rise
    return rows


def rise_text(rise: float) -> str:
    """Format a rise of the loss with two significant digits, and no more than four decimals."""
    if rise == 0:
        return "0"
    return "<0.0001" if rise < 0.0001 else f"{rise:.0f}" if rise >= 100 else f"{float(f'{rise:.2g}'):.4g}"


def sensitivity_figure(table: SensitivityTable) -> Figure:
    """Draw how much the loss rises if a single layer gets one of its levels, in execution order.

    The colour scale is logarithmic from a thousandth of the largest rise, so that small costs stay distinguishable.

    Raises:
        UnavailableError: If matplotlib is not installed.
    """
    columns, rows = columns_of(table), rows_of(table)
    values = np.array([[cells.get(column, np.nan) for column in columns] for cells in rows.values()])
    values = values.reshape(len(rows), len(columns))
    with drawing():
        from matplotlib.colors import SymLogNorm

        width = max(_LABEL_INCHES + _COLUMN_INCHES * len(columns), 4.6)
        figure = new_figure(width, _FRAME_INCHES + _ROW_INCHES * max(len(rows), 1))
        axes = figure.add_subplot()
        most = float(np.nanmax(values, initial=0.0, where=~np.isnan(values))) or 1.0
        norm = SymLogNorm(linthresh=most / 1000, vmin=0, vmax=most)
        axes.imshow(values, cmap="Blues", norm=norm, aspect="auto", interpolation="nearest")
        for i, cells in enumerate(rows.values()):
            for j, column in enumerate(columns):
                if column in cells:
                    colour = "white" if float(norm(cells[column])) > _DARK else INK
                    axes.text(j, i, rise_text(cells[column]), ha="center", va="center", fontsize=8.5, color=colour)
        labels = [units.shortened(name, _LABEL_LIMIT) for name in rows]
        axes.set_yticks(range(len(rows)), labels)
        decided = [what.replace("_", " ") for what, _ in columns]
        is_one = len(set(decided)) == 1
        ticks = [
            f"{level}" if is_one else f"{what}\n{level}" for what, (_, level) in zip(decided, columns, strict=True)
        ]
        axes.set_xticks(range(len(columns)), ticks)
        axes.grid(visible=False)
        axes.set_xlabel(decided[0].capitalize() if is_one else "Level")
        axes.set_title(
            f"Rise of the loss by one layer alone\n(loss of the untouched network: {table.base_loss:.4g})", fontsize=9.5
        )
        return figure
