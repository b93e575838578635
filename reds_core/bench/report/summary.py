"""The Markdown summary of a solver comparison."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.bench.history import BenchRun
from reds_core.bench.report import run_details, tables
from reds_core.bench.report.opening import opening
from reds_core.bench.report.presolve import presolve_pairs
from reds_core.bench.report.results import Comparison
from reds_core.report.comparison import summary


def comparison_summary(comparison: Comparison, title: str | None, runs: Sequence[BenchRun]) -> str:
    """Render the findings and the main tables of a comparison as Markdown.

    Args:
        comparison: the results.
        title: heading of the summary; None for one that names solvers and problems.
        runs: runs of the command that made the records, the latest last.
    """
    shown = (
        tables.overview_table(comparison),
        tables.speed_table(comparison),
        tables.ranks_table(comparison),
        tables.losses_table(comparison),
        tables.presolve_table(presolve_pairs(comparison.solvers)),
        tables.results_table(comparison),
        tables.memory_table(comparison),
        run_details.false_claims_table(comparison),
        run_details.failures_table(comparison),
        run_details.refusals_table(comparison),
        run_details.left_out_table(comparison, runs),
        run_details.settings_table(comparison),
        run_details.machines_table(comparison),
        run_details.contenders_table(comparison),
    )
    return summary(opening(comparison, title, runs), shown)
