"""The opening of the report of a solver comparison: its title, its findings and its warnings."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.bench.history import BenchRun
from reds_core.bench.report import findings
from reds_core.bench.report.results import Comparison
from reds_core.report.comparison import Opening

KIND = "Solver comparison"


def opening(comparison: Comparison, title: str, runs: Sequence[BenchRun]) -> Opening:
    """Make the opening, which the page and the summary share."""
    return Opening(
        KIND,
        title,
        findings.headline(comparison),
        findings.findings(comparison),
        findings.warnings(comparison, runs),
    )
