"""Tables of reports: their parts, and cells of the figures that they hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reds_core.report import units


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: as shown.
        value: the exact figure behind `text`, for machines and for the tooltip; None where there is none.
        note: a second, smaller line.
        tone: "proved" or "failed" where the cell is to stand out; "" for plain.
        meaning: what `text` says, where it is a mere sign.
    """

    text: str
    value: int | float | None = None
    note: str = ""
    tone: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table: its heading, then one cell a column."""

    heading: str
    cells: tuple[Cell, ...]

    @property
    def is_empty(self) -> bool:
        """Whether no cell holds anything."""
        return all(cell.text == units.DASH for cell in self.cells)


@dataclass(frozen=True)
class Block:
    """Rows of a table that belong together; title "" for none."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: what it holds.
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
        """The same table without rows that hold nothing, and without blocks that have no row left."""
        blocks = (Block(b.title, tuple(r for r in b.rows if not r.is_empty)) for b in self.blocks)
        return dataclasses.replace(self, blocks=tuple(b for b in blocks if b.rows))


NOTHING = Cell(units.DASH)


def figure(number: float | None, text: str, note: str = "") -> Cell:
    """A cell of an exact figure; a dash where there is none."""
    return NOTHING if number is None or not units.exists(number) else Cell(text, number, note)


def share(number: float | None, note: str = "") -> Cell:
    """A cell of a share, in percent."""
    return figure(number, units.small_percent(number), note)


def seconds(number: float | None, note: str = "") -> Cell:
    """A cell of a duration in s."""
    return figure(number, duration(number), note)


def duration(number: float | None) -> str:
    """A duration in s with three digits, never in minutes, so that all compare at a glance: 12.0 ms, 60.1 s."""
    if number is None or number < 1:
        return units.seconds(number)
    return units.NANOSECONDS.text(number * 1e9)


def factor(number: float | None, note: str = "") -> Cell:
    """A cell of a factor: 12.3×."""
    return figure(number, factor_text(number), note)


def factor_text(number: float | None) -> str:
    """How many times: 12.3×, with three digits at most."""
    if number is None or not units.exists(number):
        return units.DASH
    return (units.count(number) if number >= 99.5 else f"{number:.3g}" if number >= 1 else f"{number:.2g}") + "×"


def whole(number: int | None) -> Cell:
    """A cell of a count."""
    return figure(number, units.count(number))


def one_block(rows: Sequence[Row]) -> tuple[Block, ...]:
    """The rows as a table's only block; no block without rows."""
    return (Block("", tuple(rows)),) if rows else ()


def prose_table(caption: str, corner: str, texts: Mapping[str, str | None]) -> Table:
    """A table of names and texts; a text that is missing gets a dash."""
    rows = [Row(name, (Cell(text or units.DASH),)) for name, text in texts.items()]
    return Table(caption, corner, ("Value",), one_block(rows), is_prose=True)
