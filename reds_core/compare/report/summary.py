"""The Markdown summary of a comparison of pruning runs."""

from __future__ import annotations

from collections.abc import Container

from reds_core.compare.report import tables
from reds_core.compare.report.opening import opening
from reds_core.compare.report.ranking import ranks_table
from reds_core.compare.report.results import RunComparison
from reds_core.compare.report.run_rows import runs_table
from reds_core.report.comparison import summary


def comparison_summary(comparison: RunComparison, title: str | None, linked: Container[str]) -> str:
    """Render the findings and the tables of a comparison as Markdown.

    Args:
        comparison: the results.
        title: heading of the summary; None for one that names contenders and recipes.
        linked: the names of the runs to whose reports the summary links.
    """
    makers = (tables.accuracy_table, tables.audit_table, tables.time_table)
    own = [make(recipe) for recipe in comparison.recipes for make in makers]
    shown = (
        *(table for table in own if table is not None),
        ranks_table(comparison),
        runs_table(comparison, linked),
        tables.failures_table(comparison),
        tables.recipes_table(comparison),
        tables.environment_table(comparison),
    )
    return summary(opening(comparison, title), shown)
