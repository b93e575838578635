"""A comparison of solvers in short, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.bench.history import BenchRun
from reds_core.bench.report import conduct, tables
from reds_core.bench.report.opening import opening
from reds_core.bench.report.presolve import presolve_pairs
from reds_core.bench.report.results import Comparison
from reds_core.report.comparison import summary


def comparison_summary(comparison: Comparison, title: str, runs: Sequence[BenchRun]) -> str:
    """The sentences and the main tables of a comparison.

    Args:
        comparison: what was measured.
        title: heading.
        runs: of the command that made it, the latest last.
    """
    shown = (
        tables.overview_table(comparison),
        tables.speed_table(comparison),
        tables.losses_table(comparison),
        tables.presolve_table(presolve_pairs(comparison.entrants)),
        tables.results_table(comparison),
        tables.memory_table(comparison),
        conduct.false_claims_table(comparison),
        conduct.failures_table(comparison),
        conduct.refusals_table(comparison),
        conduct.left_out_table(comparison, runs),
        conduct.settings_table(comparison),
        conduct.machines_table(comparison),
        conduct.contenders_table(comparison),
    )
    return summary(opening(comparison, title, runs), shown)
