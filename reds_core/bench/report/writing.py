"""Writes the report of a solver comparison as a self-contained HTML page and a Markdown summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reds_core.bench.history import BenchRun, read_history
from reds_core.bench.reader import read_records
from reds_core.bench.record import SolveRecord
from reds_core.bench.report.page import comparison_page
from reds_core.bench.report.results import compare
from reds_core.bench.report.summary import comparison_summary
from reds_core.report.comparison import write_reports


def bench_page(records: Sequence[SolveRecord], title: str | None = None, runs: Sequence[BenchRun] = ()) -> str:
    """Render the report of a comparison as one HTML page, which depends on the arguments alone.

    Args:
        records: in the order in which the solves ended.
        title: heading of the page; None for one that names solvers and problems.
        runs: runs of the command that made the records, the latest last.

    Raises:
        UnavailableError: if Jinja2 or Plotly is not installed.
    """
    return comparison_page(compare(records), title, runs)


def bench_summary(records: Sequence[SolveRecord], title: str | None = None, runs: Sequence[BenchRun] = ()) -> str:
    """Render the summary of a comparison as Markdown; the arguments are those of `bench_page`."""
    return comparison_summary(compare(records), title, runs)


def write_bench_report(folder: Path) -> None:
    """Write FOLDER/report.html and FOLDER/summary.md from FOLDER/records.jsonl and, if it exists, bench.json.

    Raises:
        UnavailableError: if Jinja2 or Plotly is not installed.
        InputError: if the records cannot be read or the files cannot be written.
    """
    records, runs = read_records(folder), read_history(folder).runs
    write_reports(folder, lambda: bench_summary(records, runs=runs), lambda: bench_page(records, runs=runs))
