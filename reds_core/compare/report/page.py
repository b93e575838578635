"""The HTML page of a comparison of pruning runs."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from reds_core.compare.report import ranking, tables
from reds_core.compare.report.figures import accuracy_picture
from reds_core.compare.report.opening import opening
from reds_core.compare.report.results import RunComparison
from reds_core.compare.report.run_rows import runs_table
from reds_core.compare.statistics import CONFIDENCE
from reds_core.framework.profile_records import ProfileRecord
from reds_core.report import units
from reds_core.report.device_tables import device_tables
from reds_core.report.page import render
from reds_core.report.plotting import Picture
from reds_core.report.table import Table


@dataclass(frozen=True)
class _Section:
    """The section of one recipe."""

    name: str
    picture: Picture | None
    accuracy: Table
    audit: Table | None
    time: Table


def comparison_page(
    comparison: RunComparison, title: str | None, linked: Container[str], profiles: Sequence[ProfileRecord] = ()
) -> str:
    """Render the report of a comparison as one HTML page.

    Args:
        comparison: the results.
        title: heading of the page; None for one that names contenders and recipes.
        linked: the names of the runs to whose reports the page links.
        profiles: what the files of the runs take on devices.

    Raises:
        UnavailableError: if Jinja2 or Plotly is not installed.
    """
    sections = [
        _Section(r.name, accuracy_picture(r, i), tables.accuracy_table(r), tables.audit_table(r), tables.time_table(r))
        for i, r in enumerate(comparison.recipes)
        if r.budgets
    ]
    return render(
        "compare.html",
        "reds_core.compare.report",
        opening=opening(comparison, title),
        sections=sections,
        kinds=comparison.kinds,
        confidence=units.percent(CONFIDENCE, 0),
        ranks=ranking.ranks_table(comparison),
        ranks_diagram=ranking.ranks_diagram(comparison),
        no_ranks=ranking.why_unranked(comparison),
        runs=runs_table(comparison, linked),
        devices=device_tables(profiles, {}),
        failures=tables.failures_table(comparison),
        recipes=tables.recipes_table(comparison),
        environment=tables.environment_table(comparison),
    )
