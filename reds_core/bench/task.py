"""What crosses between the processes of a comparison: the task of one solve, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reds_core.bench.record import SolveOutcome
from reds_core.knapsack.solution import Limit, Status
from reds_core.system.machine import Machine

READY, WARM, ANSWERED = "ready", "warm", "answered"
"""Points that the process of a solve comes to: plugin and problem loaded; libraries loaded by a first small solve, the
timed solve begins; the solve has returned or raised."""


@dataclass(frozen=True)
class SolveLimits:
    """What each solve is told and allowed.

    Attributes:
        time_limit_s: told to the solver; the process is ended some time after it.
        memory_limit_bytes: of the process and its children together, resident; None: no limit.
        threads, seed: told to the solver; None leaves them to it.
    """

    time_limit_s: float
    memory_limit_bytes: int | None
    threads: int | None
    seed: int | None


@dataclass(frozen=True)
class SolveTask:
    """One solve. The problem travels by content, so that it can run on another machine.

    Attributes:
        problem: a file of format reds-problem/1.
        solver: name of the plugin.
        version: of its distribution; another one where the task runs is an error.
        settings: its options as typed; the others have their defaults.
    """

    problem: bytes
    solver: str
    version: str
    settings: Mapping[str, str]
    limits: SolveLimits


@dataclass(frozen=True)
class SolverAnswer:
    """What a solver answered, not yet believed.

    Attributes:
        choice: one option index a group.
    """

    status: Status
    limit: Limit | None
    choice: tuple[int, ...] | None
    bound: int | None
    backend_s: float | None
    detail: tuple[str, ...]


@dataclass(frozen=True)
class Reply:
    """What the process of a solve says at its end.

    Attributes:
        answer: where the solver answered; otherwise `outcome` and `reason` say what happened.
        wall_s: seconds of the timed call.
        peak_memory_bytes: the most resident memory of the process, or of a child that it waited for.
    """

    outcome: SolveOutcome
    reason: str | None
    answer: SolverAnswer | None
    wall_s: float
    peak_memory_bytes: int | None


@dataclass(frozen=True)
class SolveResult:
    """What the watching process makes of it.

    Attributes:
        detail: what a process that gave no answer complained of, if anything.
    """

    reply: Reply
    started_at: str
    machine: Machine
    versions: Mapping[str, str]
    detail: tuple[str, ...] = ()
