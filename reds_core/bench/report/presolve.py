"""Solvers with presolve beside the same without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reds_core.bench.report.measures import Ratios, time_ratios
from reds_core.bench.report.results import SolverResults


@dataclass(frozen=True)
class PresolvePair:
    """One solver, alike but for presolve.

    Attributes:
        label: of the solver with presolve.
        on, off: with and without presolve.
    """

    label: str
    on: SolverResults
    off: SolverResults

    @property
    def ratios(self) -> Ratios | None:
        """How many times as long it needs without presolve, over the problems proved both ways."""
        return time_ratios(self.on.proof_times, self.off.proof_times)

    @property
    def times_s(self) -> tuple[tuple[float, float], ...]:
        """(seconds without, seconds with presolve) of each problem proved both ways."""
        on, off = self.on.proof_times, self.off.proof_times
        pairs = ((off[name], on[name]) for name in off if name in on)
        return tuple(pair for pair in pairs if all(map(math.isfinite, pair)))


def presolve_pairs(solvers: Sequence[SolverResults]) -> tuple[PresolvePair, ...]:
    """Pairs of solvers of one solver whose options and settings differ in nothing but presolve."""
    without = {_likeness(e): e for e in solvers if e.contender.presolve is False}
    return tuple(
        PresolvePair(e.label, e, without[_likeness(e)])
        for e in solvers
        if e.contender.presolve is True and _likeness(e) in without
    )


def _likeness(solver: SolverResults) -> tuple[object, ...]:
    """All that two solvers of a pair share."""
    contender = solver.contender
    options = tuple(sorted((k, v) for k, v in contender.options.items() if k != "presolve"))
    records = [s.record for run in solver.runs.values() for s in run.solves]
    settings = frozenset((r.time_limit_s, r.memory_limit_bytes, r.threads) for r in records)
    return (contender.solver, options, contender.distribution, contender.version, settings)
