"""The opening of the report of a comparison of pruning runs: its title, its findings and its warnings."""

from __future__ import annotations

from reds_core.compare.report import findings
from reds_core.compare.report.results import RunComparison
from reds_core.report.comparison import Opening

KIND = "Pruning comparison"


def opening(comparison: RunComparison, title: str) -> Opening:
    """Make the opening, which the page and the summary share."""
    return Opening(
        KIND,
        title,
        findings.headline(comparison),
        findings.comparison_findings(comparison),
        findings.comparison_warnings(comparison),
    )
