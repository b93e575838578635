"""The parts that reports of all comparisons share: their opening, their summary, and their files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from reds_core.report.markdown import bullets, escaped, markdown_table
from reds_core.report.run_report import REPORT_FILE
from reds_core.report.table import Table
from reds_core.system.files import write_text

SUMMARY_FILE = "summary.md"


@dataclass(frozen=True)
class Opening:
    """The beginning of a report.

    Attributes:
        kind: kind of report.
        title: title of the report.
        headline: what was compared, in one sentence.
        findings: the results, the most important sentence first.
        warnings: reasons why figures may not be comparable.
    """

    kind: str
    title: str
    headline: str
    findings: tuple[str, ...]
    warnings: tuple[str, ...]


def summary(opening: Opening, tables: Iterable[Table]) -> str:
    """A short version of a report as Markdown: its opening, and all tables that are not empty."""
    parts = [f"# {escaped(opening.title)}", escaped(opening.headline), bullets(opening.findings)]
    if opening.warnings:
        parts += ["## Warnings", bullets(opening.warnings)]
    parts += [markdown_table(table) for table in tables if table.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_reports(folder: Path, summary_of: Callable[[], str], page_of: Callable[[], str]) -> None:
    """Write FOLDER/summary.md and FOLDER/report.html.

    Args:
        folder: where to write.
        summary_of, page_of: return the content of the summary and of the page.

    Raises:
        InputError: if a file cannot be written.
    """
    write_text(folder / SUMMARY_FILE, summary_of())
    write_text(folder / REPORT_FILE, page_of())
