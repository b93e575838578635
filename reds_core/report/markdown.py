"""Conversion of tables and texts to Markdown that is also legible as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reds_core.report import units
from reds_core.report.table import Cell, Table

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#&~])")


def bullets(sentences: Iterable[str]) -> str:
    """Format sentences as a bulleted list."""
    return "\n".join(f"- {escaped(sentence)}" for sentence in sentences)


def markdown_table(table: Table) -> str:
    """Format a table with a heading."""
    head = (table.corner, *table.columns)
    ruler = ["---", *(["---"] if table.is_prose else ["---:"]) * len(table.columns)]
    lines = [_line(map(escaped, head)), _line(ruler)]
    for block in table.blocks:
        if block.title:
            lines.append(_line([f"**{escaped(block.title)}**", *[""] * len(table.columns)]))
        for row in block.rows:
            lines.append(_line(map(_cell, (row.heading, *row.cells))))
    return f"## {escaped(table.caption)}\n\n" + "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = f"[{escaped(cell.text)}]({cell.link})" if cell.link else escaped(cell.text)
    shown = f"**{text}**" if cell.tone == "proved" else text
    return f"{shown} ({escaped(cell.note)})" if cell.note else shown


def escaped(text: str) -> str:
    """Escape a text so that Markdown shows it unchanged, on one line and with plain spaces."""
    plain = units.printable(text.replace("\n", " ")).replace(units.THIN, " ")
    return _SPECIAL.sub(r"\\\1", plain)
