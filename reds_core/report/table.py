"""Tables of reports and their cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from reds_core.report import units


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: the displayed text.
        value: the exact figure of `text`, for machines and for the tooltip, or None.
        note: a second, smaller line.
        tone: "proved" or "failed" to highlight the cell; otherwise "".
        meaning: the meaning of `text` if it is only a symbol.
        link: relative URL of the file that `text` names, quoted; empty for none.
    """

    text: str
    value: int | float | None = None
    note: str = ""
    tone: str = ""
    meaning: str = ""
    link: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        heading: its heading.
        cells: one cell for each column.
    """

    heading: Cell
    cells: tuple[Cell, ...]

    @property
    def is_empty(self) -> bool:
        """Whether all cells are empty."""
        return all(cell.text == units.DASH for cell in self.cells)


@dataclass(frozen=True)
class Block:
    """Rows of a table that belong together, with a title that may be empty."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: the caption.
        corner: heading of the column of row headings.
        columns: headings of the other columns.
        is_prose: whether its cells are texts to be read, rather than figures to be compared.
        is_sortable: whether readers may want its rows in another order.
    """

    caption: str
    corner: str
    columns: tuple[str, ...]
    blocks: tuple[Block, ...]
    is_prose: bool = False
    is_sortable: bool = False

    def without_empty_rows(self) -> Table:
        """Return the table without empty rows, and without blocks that have no other rows."""
        blocks = (Block(b.title, tuple(r for r in b.rows if not r.is_empty)) for b in self.blocks)
        return dataclasses.replace(self, blocks=tuple(b for b in blocks if b.rows))


NOTHING = Cell(units.DASH)


def figure(number: float | None, text: str, note: str = "") -> Cell:
    """Return a cell with an exact figure, or a dash if there is none."""
    return NOTHING if number is None or not units.exists(number) else Cell(text, number, note)


def share(number: float | None, note: str = "") -> Cell:
    """Return a cell with a share in percent."""
    return figure(number, units.small_percent(number), note)


def seconds(number: float | None, note: str = "") -> Cell:
    """Return a cell with a duration, given in seconds."""
    return figure(number, duration(number), note)


def duration(number: float | None) -> str:
    """Format a duration in s with three digits, never in minutes, so that all are comparable: 12.0 ms, 60.1 s."""
    if number is None or number < 1:
        return units.seconds(number)
    return units.NANOSECONDS.text(number * 1e9)


def factor(number: float | None, note: str = "") -> Cell:
    """Return a cell with a factor: 12.3×."""
    return figure(number, factor_text(number), note)


def factor_text(number: float | None) -> str:
    """Format a factor with at most three digits: 12.3×."""
    if number is None or not units.exists(number):
        return units.DASH
    return (units.count(number) if number >= 99.5 else f"{number:.3g}" if number >= 1 else f"{number:.2g}") + "×"


def whole(number: int | None) -> Cell:
    """Return a cell with a count."""
    return figure(number, units.count(number))


def one_block(rows: Sequence[Row]) -> tuple[Block, ...]:
    """Return the rows as the only block of a table; no block if there are no rows."""
    return (Block("", tuple(rows)),) if rows else ()


def file_link(name: str) -> str:
    """Return the address of a file by its path relative to the page, with "/" between folders.

    A path that leads out of the folder of the page, or that no file can have, has no address.
    """
    parts = name.split("/")
    if "" in parts or ".." in parts:
        return ""
    try:
        return "./" + quote(name)
    except UnicodeEncodeError:
        return ""


def prose_table(caption: str, corner: str, texts: Mapping[str, str | None]) -> Table:
    """Return a table of names and texts, with a dash for missing texts."""
    rows = [Row(Cell(name), (Cell(text or units.DASH),)) for name, text in texts.items()]
    return Table(caption, corner, ("Value",), one_block(rows), is_prose=True)
