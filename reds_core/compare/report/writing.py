"""Writes the report of a comparison of pruning runs as a self-contained HTML page and a Markdown summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reds_core.compare.reader import read_results
from reds_core.compare.record import ResultRecord
from reds_core.compare.report.opening import KIND
from reds_core.compare.report.page import comparison_page
from reds_core.compare.report.results import compare_runs
from reds_core.compare.report.summary import comparison_summary
from reds_core.report.comparison import write_reports


def compare_page(records: Sequence[ResultRecord], title: str = KIND) -> str:
    """Render the report as one HTML page, which depends on the arguments alone.

    Args:
        records: in the order in which the runs ended.
        title: heading of the page.

    Raises:
        UnavailableError: if Jinja2 or matplotlib is not installed.
    """
    return comparison_page(compare_runs(records), title)


def compare_summary(records: Sequence[ResultRecord], title: str = KIND) -> str:
    """Render the summary as Markdown; the arguments are those of `compare_page`."""
    return comparison_summary(compare_runs(records), title)


def write_compare_report(folder: Path) -> None:
    """Write FOLDER/report.html and FOLDER/summary.md from FOLDER/records.jsonl.

    Raises:
        UnavailableError: if Jinja2 or matplotlib is not installed.
        InputError: if the records cannot be read or the files cannot be written.
    """
    records = read_results(folder)
    write_reports(
        folder, KIND, lambda title: compare_summary(records, title), lambda title: compare_page(records, title)
    )
