"""What the levels of layers cost in loss, on stdout."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from reds_core.commands.tables import print_table
from reds_core.report import units
from reds_core.report.layer_levels import title_of
from reds_core.report.sensitivity_figure import columns_of, rise_text, rows_of
from reds_core.runs.inspection_records import without_levels
from reds_core.scoring.sensitivity_table import SensitivityTable


def print_sensitivity(table: SensitivityTable) -> None:
    """Print how much the loss rises if a single layer gets one of its levels, and the layers that have no levels."""
    columns = columns_of(table)
    print_table(
        ["layer", *(f"{title_of(what)} {level}" for what, level in columns)],
        [
            [name, *(rise_text(cells[column]) if column in cells else units.DASH for column in columns)]
            for name, cells in rows_of(table).items()
        ],
    )
    Console().print(
        "\nThe table shows how much the loss rises if a single layer gets one of its levels, before training. The loss "
        f"of the unchanged network, whose batch-norm statistics are measured anew as well, is {table.base_loss:.4g} on "
        f"{units.on_terminal(units.count(table.examples))} training examples.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    print_lines(without_levels((left.layer, left.reason) for left in table.left_out))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they are, however wide the terminal is."""
    for line in lines:
        Console().print(line, highlight=False, markup=False, soft_wrap=True)
