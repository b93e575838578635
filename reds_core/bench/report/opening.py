"""The opening of the report of a solver comparison: its title, its findings and its warnings."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.bench.history import BenchRun
from reds_core.bench.report import findings
from reds_core.bench.report.results import Comparison
from reds_core.report import units
from reds_core.report.comparison import Opening

KIND = "Solver comparison"


_NAMED = 4


def title_of(comparison: Comparison) -> str:
    """A title that says which solvers were compared on which problems."""
    solvers, problems = [solver.label for solver in comparison.solvers], list(comparison.problems)
    if not solvers:
        return KIND
    others = len(solvers) - _NAMED + 1
    who = findings.joined(solvers if len(solvers) <= _NAMED else [*solvers[: _NAMED - 1], f"{others} other solvers"])
    where = problems[0] if len(problems) == 1 else units.many(len(problems), "problem")
    return f"{who} on {where}"


def opening(comparison: Comparison, title: str | None, runs: Sequence[BenchRun]) -> Opening:
    """Make the opening, which the page and the summary share; by default the title names what was compared."""
    return Opening(
        KIND,
        title_of(comparison) if title is None else title,
        findings.headline(comparison),
        findings.findings(comparison),
        findings.warnings(comparison, runs),
    )
