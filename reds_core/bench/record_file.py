"""records.jsonl of a solver comparison as it is written, and what makes two of its solves one."""

from __future__ import annotations

from collections.abc import Hashable

from reds_core.bench.reader import SOLVES
from reds_core.bench.record import Contender, SolveRecord
from reds_core.bench.task import SolveLimits

opened = SOLVES.opened


def solve_key(sha256: str, contender: Contender, repeat: int, limits: SolveLimits) -> Hashable:
    """What makes two solves one: problem, solver with its options and version, repeat, limits, threads and seed."""
    options = tuple(sorted(contender.options.items()))
    return sha256, contender.solver, options, contender.version, repeat, limits


def key_of(record: SolveRecord) -> Hashable:
    """The key of the solve that the record tells of."""
    limits = SolveLimits(record.time_limit_s, record.memory_limit_bytes, record.threads, record.seed)
    return solve_key(record.problem.sha256, record.contender, record.repeat, limits)
