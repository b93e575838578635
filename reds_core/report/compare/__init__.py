"""The report of a comparison of pruning runs: one self-contained HTML page and a short text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reds_core.compare.reader import read_results
from reds_core.compare.record import ResultRecord
from reds_core.compare.statistics import CONFIDENCE
from reds_core.files import write_text
from reds_core.report import units
from reds_core.report.bench.summary import escaped, markdown_table
from reds_core.report.compare import findings, tables
from reds_core.report.compare.figures import accuracy_picture
from reds_core.report.compare.results import RunComparison, compare_runs
from reds_core.report.page import Picture, Table, render

__all__ = ["REPORT_FILE", "SUMMARY_FILE", "compare_page", "compare_summary", "write_compare_report"]

REPORT_FILE = "report.html"
SUMMARY_FILE = "summary.md"
_TITLE = "Pruning comparison"


@dataclass(frozen=True)
class _Section:
    """What the page shows of one recipe."""

    name: str
    picture: Picture | None
    accuracy: Table
    time: Table


def compare_page(records: Sequence[ResultRecord], title: str = _TITLE) -> str:
    """The report as one HTML page. The same records give the same text.

    Args:
        records: in the order in which the runs ended.
        title: heading of the page.

    Raises:
        UnavailableError: if Jinja2 or matplotlib is not installed.
    """
    comparison = compare_runs(records)
    sections = [
        _Section(r.name, accuracy_picture(r, i), tables.accuracy_table(r), tables.time_table(r))
        for i, r in enumerate(comparison.recipes)
        if r.budgets
    ]
    return render(
        "compare.html",
        title=title,
        headline=findings.headline(comparison),
        findings=findings.findings(comparison),
        warnings=findings.warnings(comparison),
        sections=sections,
        confidence=units.percent(CONFIDENCE, 0),
        failures=tables.failures_table(comparison),
        recipes=tables.recipes_table(comparison),
        conduct=tables.conduct_table(comparison),
    )


def compare_summary(records: Sequence[ResultRecord], title: str = _TITLE) -> str:
    """The same in short, as Markdown; arguments as of `compare_page`."""
    comparison = compare_runs(records)
    parts = [f"# {escaped(title)}", escaped(findings.headline(comparison)), _list(findings.findings(comparison))]
    if beware := findings.warnings(comparison):
        parts += ["## To beware of", _list(beware)]
    parts += [markdown_table(table) for table in _tables(comparison) if table.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def _tables(comparison: RunComparison) -> list[Table]:
    own = [table(r) for r in comparison.recipes for table in (tables.accuracy_table, tables.time_table)]
    return [
        *own,
        tables.failures_table(comparison),
        tables.recipes_table(comparison),
        tables.conduct_table(comparison),
    ]


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {escaped(sentence)}" for sentence in sentences)


def write_compare_report(folder: Path) -> None:
    """Write FOLDER/report.html and FOLDER/summary.md from FOLDER/records.jsonl.

    Raises:
        UnavailableError: if Jinja2 or matplotlib is not installed.
        InputError: if the records cannot be read or the files cannot be written.
    """
    records = read_results(folder)
    title = folder.resolve().name or _TITLE
    write_text(folder / SUMMARY_FILE, compare_summary(records, title))
    write_text(folder / REPORT_FILE, compare_page(records, title))
