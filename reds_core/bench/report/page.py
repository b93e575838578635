"""The HTML page of a solver comparison."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.bench.history import BenchRun
from reds_core.bench.report import findings, pictures, run_details, tables
from reds_core.bench.report.measures import SHIFT_S
from reds_core.bench.report.opening import opening
from reds_core.bench.report.presolve import presolve_pairs
from reds_core.bench.report.results import Comparison
from reds_core.report import units
from reds_core.report.page import render


def comparison_page(comparison: Comparison, title: str | None, runs: Sequence[BenchRun]) -> str:
    """Render the report of a comparison as one HTML page.

    Args:
        comparison: the results.
        title: heading of the page; None for one that names solvers and problems.
        runs: runs of the command that made the records, the latest last.

    Raises:
        UnavailableError: if Jinja2 or Plotly is not installed.
    """
    provers, pairs = comparison.provers, presolve_pairs(comparison.solvers)
    return render(
        "bench.html",
        "reds_core.bench.report",
        opening=opening(comparison, title, runs),
        overview=tables.overview_table(comparison),
        profiles=[p for p in (pictures.proof_profile(comparison), pictures.near_profile(comparison)) if p],
        ranks=tables.ranks_table(comparison),
        ranks_diagram=pictures.ranks_diagram(comparison),
        no_ranks=findings.why_unranked(comparison),
        growth=pictures.growth_scatter(comparison),
        unproved=findings.unproved(comparison),
        open_problems=findings.open_problems(comparison),
        reference=provers[0].label if provers else "",
        speed=tables.speed_table(comparison),
        scatters=[p for p in (pictures.gap_scatter(comparison), pictures.loss_scatter(comparison)) if p],
        marks=[(tables.MARKS[kind], meaning) for kind, meaning in tables.MARK_MEANINGS.items()],
        proofs=tables.proofs_table(comparison),
        results=tables.results_table(comparison),
        losses=tables.losses_table(comparison),
        value_profile=pictures.value_profile(comparison),
        presolve=tables.presolve_table(pairs),
        presolve_scatter=pictures.presolve_scatter(pairs, comparison.solvers),
        memory=tables.memory_table(comparison),
        false_claims=run_details.false_claims_table(comparison),
        failures=run_details.failures_table(comparison),
        refusals=run_details.refusals_table(comparison),
        left_out=run_details.left_out_table(comparison, runs),
        settings=run_details.settings_table(comparison),
        machines=run_details.machines_table(comparison),
        contenders=run_details.contenders_table(comparison),
        runs=run_details.runs_table(runs),
        remarks=run_details.remarks_table(comparison),
        near=units.small_percent(pictures.NEAR),
        shift=f"{1000 * SHIFT_S:g}{units.THIN}ms",
    )
