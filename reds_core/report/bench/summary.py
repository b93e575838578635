"""A comparison in short, as Markdown that reads well as plain text too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reds_core.bench.history import BenchRun
from reds_core.report import units
from reds_core.report.bench import conduct, findings, tables
from reds_core.report.bench.presolve import presolve_pairs
from reds_core.report.bench.results import Comparison
from reds_core.report.page import Cell, Table

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#&~])")


def comparison_summary(comparison: Comparison, title: str, runs: Sequence[BenchRun]) -> str:
    """The sentences and the main tables of a comparison.

    Args:
        comparison: what was measured.
        title: heading.
        runs: of the command that made it, the latest last.
    """
    provers = comparison.provers
    compared = [e for e in comparison.entrants[1:] if e.proofs or tables.gaps_left(e)]
    shown = (
        tables.overview_table(comparison),
        *((tables.speed_table(provers[0], compared),) if provers else ()),
        tables.losses_table(comparison),
        tables.presolve_table(presolve_pairs(comparison.entrants)),
        tables.results_table(comparison),
        tables.memory_table(comparison),
        conduct.false_claims_table(comparison),
        conduct.failures_table(comparison),
        conduct.refusals_table(comparison),
        conduct.left_out_table(comparison, runs),
        conduct.settings_table(comparison),
        conduct.machines_table(comparison),
        conduct.contenders_table(comparison),
    )
    parts = [f"# {escaped(title)}", escaped(findings.headline(comparison))]
    parts += [_list(findings.findings(comparison))]
    if beware := findings.warnings(comparison, runs):
        parts += ["## To beware of", _list(beware)]
    parts += [markdown_table(table) for table in shown if table.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def _list(sentences: Iterable[str]) -> str:
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
