"""Tables and texts as Markdown that reads well as plain text too."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reds_core.report import units
from reds_core.report.table import Cell, Table

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#&~])")


def bullets(sentences: Iterable[str]) -> str:
    """A list of sentences."""
    return "\n".join(f"- {escaped(sentence)}" for sentence in sentences)


def markdown_table(table: Table) -> str:
    """A table under a heading, as Markdown."""
    head = (table.corner, *table.columns)
    ruler = ["---", *(["---"] if table.is_prose else ["---:"]) * len(table.columns)]
    lines = [_line(map(escaped, head)), _line(ruler)]
    for block in table.blocks:
        if block.title:
            lines.append(_line([f"**{escaped(block.title)}**", *[""] * len(table.columns)]))
        for row in block.rows:
            lines.append(_line([escaped(row.heading), *map(_cell, row.cells)]))
    return f"## {escaped(table.caption)}\n\n" + "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    shown = f"**{text}**" if cell.tone == "proved" else text
    return f"{shown} ({escaped(cell.note)})" if cell.note else shown


def escaped(text: str) -> str:
    """A text as Markdown shows it unchanged, on one line; spaces are plain ones."""
    plain = units.printable(text.replace("\n", " ")).replace(units.THIN, " ")
    return _SPECIAL.sub(r"\\\1", plain)
