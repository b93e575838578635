"""What the reports of all comparisons share: how they open, their summary, and the files that they are."""

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
    """What a report begins with.

    Attributes:
        kind: of report, also its title where nothing else names it.
        headline: what there is, in one sentence.
        findings: what came out, the most important sentence first.
        warnings: what speaks against comparing figures.
    """

    kind: str
    title: str
    headline: str
    findings: tuple[str, ...]
    warnings: tuple[str, ...]


def summary(opening: Opening, tables: Iterable[Table]) -> str:
    """A report in short, as Markdown: its opening, and those of the tables that hold anything."""
    parts = [f"# {escaped(opening.title)}", escaped(opening.headline), bullets(opening.findings)]
    if opening.warnings:
        parts += ["## To beware of", bullets(opening.warnings)]
    parts += [markdown_table(table) for table in tables if table.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_reports(folder: Path, kind: str, summary_of: Callable[[str], str], page_of: Callable[[str], str]) -> None:
    """Write FOLDER/summary.md and FOLDER/report.html under the folder's name, or the kind of report.

    Args:
        summary_of, page_of: make the content of a title.

    Raises:
        InputError: if a file cannot be written.
    """
    title = folder.resolve().name or kind
    write_text(folder / SUMMARY_FILE, summary_of(title))
    write_text(folder / REPORT_FILE, page_of(title))
