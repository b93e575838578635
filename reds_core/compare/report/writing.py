"""Writes the report of a comparison of pruning runs as a self-contained HTML page and a Markdown summary."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

from reds_core.compare.reader import read_results
from reds_core.compare.record import ResultRecord
from reds_core.compare.report.device_profiles import profiles_of_runs
from reds_core.compare.report.page import comparison_page
from reds_core.compare.report.results import compare_runs
from reds_core.compare.report.run_rows import report_of
from reds_core.compare.report.summary import comparison_summary
from reds_core.compare.runner import RUNS_FOLDER
from reds_core.framework.profile_records import ProfileRecord
from reds_core.report.comparison import write_reports


def compare_page(
    records: Sequence[ResultRecord],
    title: str | None = None,
    linked: Container[str] = (),
    profiles: Sequence[ProfileRecord] = (),
    missing: int = 0,
) -> str:
    """Render the report as one HTML page, which depends on the arguments alone.

    Args:
        records: in the order in which the runs ended.
        title: heading of the page; None for one that names contenders and recipes.
        linked: the names of the runs to whose reports, `runs/NAME/report.html`, the page links.
        profiles: what the files of the runs take on devices.
        missing: the number of runs that were planned and have no record.

    Raises:
        UnavailableError: if Jinja2 or Plotly is not installed.
    """
    return comparison_page(compare_runs(records, missing), title, linked, profiles)


def compare_summary(
    records: Sequence[ResultRecord], title: str | None = None, linked: Container[str] = (), missing: int = 0
) -> str:
    """Render the summary as Markdown; the arguments are those of `compare_page`."""
    return comparison_summary(compare_runs(records, missing), title, linked)


def write_compare_report(folder: Path) -> None:
    """Write FOLDER/report.html and FOLDER/summary.md from FOLDER/records.jsonl.

    Raises:
        UnavailableError: if Jinja2 or Plotly is not installed.
        InputError: if the records cannot be read or the files cannot be written.
    """
    records = read_results(folder)
    linked = {r.name for r in records if (folder / report_of(r.name)).is_file()}
    profiles = profiles_of_runs(folder, (r.name for r in records))
    missing = len({path.stem for path in (folder / RUNS_FOLDER).glob("*.yaml")} - {r.name for r in records})
    write_reports(
        folder,
        lambda: compare_summary(records, linked=linked, missing=missing),
        lambda: compare_page(records, linked=linked, profiles=profiles, missing=missing),
    )
