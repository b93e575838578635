"""Opens the records.jsonl of a solver comparison for writing, and identifies the solves in it."""

from __future__ import annotations

from collections.abc import Hashable

from reds_core.bench.reader import SOLVES
from reds_core.bench.record import Contender, SolveRecord
from reds_core.bench.task import SolveLimits

opened = SOLVES.opened


def solve_key(sha256: str, contender: Contender, repeat: int, limits: SolveLimits) -> Hashable:
    """The identity of a solve: problem, solver with options and version, repeat, limits, threads and seed."""
    options = tuple(sorted(contender.options.items()))
    return sha256, contender.solver, options, contender.version, repeat, limits


def limits_of(record: SolveRecord) -> SolveLimits:
    """The limits and controls of the solve that a record describes."""
    return SolveLimits(
        record.time_limit_s, record.memory_limit_bytes, record.threads, record.seed, record.gap_asked or None
    )


def key_of(record: SolveRecord) -> Hashable:
    """The identity of the solve that a record describes."""
    limits = limits_of(record)
    return solve_key(record.problem.sha256, record.contender, record.repeat, limits)
