"""Tables on stdout. Kept apart from `console`, which imports far more than a table needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reds_core.report.table import Table as ReportTable
from reds_core.scales import on_terminal


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], console: Console | None = None) -> None:
    """Print a table on stdout, or on a console. Cells are plain text, not markup."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(on_terminal(cell)) for cell in row))
    (console or Console()).print(table)


def print_rows(table: ReportTable) -> None:
    """Print a table of a report on stdout, without its caption."""
    rows = [[row.heading.text, *(cell.text for cell in row.cells)] for block in table.blocks for row in block.rows]
    print_table([table.corner, *table.columns], rows)
