"""How the report of a comparison of solvers opens."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.bench.history import BenchRun
from reds_core.bench.report import findings
from reds_core.bench.report.results import Comparison
from reds_core.report.comparison import Opening

KIND = "Solver comparison"


def opening(comparison: Comparison, title: str, runs: Sequence[BenchRun]) -> Opening:
    """The opening of its page and of its summary."""
    return Opening(
        KIND,
        title,
        findings.headline(comparison),
        findings.findings(comparison),
        findings.warnings(comparison, runs),
    )
