"""Solvers with presolve beside the same without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reds_core.bench.report.measures import Ratios, time_ratios
from reds_core.bench.report.results import Entrant


@dataclass(frozen=True)
class PresolvePair:
    """One solver, alike but for presolve.

    Attributes:
        label: of the entrant with presolve.
        on, off: with and without presolve.
    """

    label: str
    on: Entrant
    off: Entrant

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


def presolve_pairs(entrants: Sequence[Entrant]) -> tuple[PresolvePair, ...]:
    """Pairs of entrants of one solver whose options and settings differ in nothing but presolve."""
    without = {_likeness(e): e for e in entrants if e.contender.presolve is False}
    return tuple(
        PresolvePair(e.label, e, without[_likeness(e)])
        for e in entrants
        if e.contender.presolve is True and _likeness(e) in without
    )


def _likeness(entrant: Entrant) -> tuple[object, ...]:
    """All that two entrants of a pair share."""
    contender = entrant.contender
    options = tuple(sorted((k, v) for k, v in contender.options.items() if k != "presolve"))
    records = [s.record for run in entrant.runs.values() for s in run.solves]
    settings = frozenset((r.time_limit_s, r.memory_limit_bytes, r.threads) for r in records)
    return (contender.solver, options, contender.distribution, contender.version, settings)
