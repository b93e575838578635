"""Pairs of the same solver with and without presolve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reds_core.bench.report.measures import Ratios, time_ratios
from reds_core.bench.report.results import SolverResults


@dataclass(frozen=True)
class PresolvePair:
    """The results of one solver with and without presolve.

    Attributes:
        label: label of the solver with presolve.
        on, off: results with and without presolve.
    """

    label: str
    on: SolverResults
    off: SolverResults

    @property
    def ratios(self) -> Ratios | None:
        """Ratios of the time without presolve to the time with it, over the problems proved both ways."""
        return time_ratios(self.on.proof_times, self.off.proof_times)

    @property
    def times_s(self) -> tuple[tuple[str, float, float], ...]:
        """(problem, seconds without, seconds with presolve) of each problem proved both ways."""
        on, off = self.on.proof_times, self.off.proof_times
        pairs = ((name, off[name], on[name]) for name in off if name in on)
        return tuple(pair for pair in pairs if all(map(math.isfinite, pair[1:])))


def presolve_pairs(solvers: Sequence[SolverResults]) -> tuple[PresolvePair, ...]:
    """Find the pairs whose options and settings differ only in presolve."""
    without = {_all_but_presolve(e): e for e in solvers if e.contender.presolve is False}
    return tuple(
        PresolvePair(e.label, e, without[_all_but_presolve(e)])
        for e in solvers
        if e.contender.presolve is True and _all_but_presolve(e) in without
    )


def _all_but_presolve(solver: SolverResults) -> tuple[object, ...]:
    """What must be equal for two solvers to make a pair."""
    contender = solver.contender
    options = tuple(sorted((k, v) for k, v in contender.options.items() if k != "presolve"))
    records = [s.record for run in solver.runs.values() for s in run.solves]
    settings = frozenset((r.time_limit_s, r.memory_limit_bytes, r.threads, r.gap_asked) for r in records)
    return (contender.solver, options, contender.distribution, contender.version, settings)
