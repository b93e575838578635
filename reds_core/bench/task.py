"""The messages between the processes of a comparison: the task of one solve and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reds_core.bench.record import SolveOutcome
from reds_core.knapsack.solution import Limit, Status
from reds_core.knapsack.solver import Controls
from reds_core.system.machine import Machine

READY, WARM, ANSWERED = "ready", "warm", "answered"
"""Points in the process of a solve: plugin and problem are loaded; libraries are loaded by a small solve and the timed
solve begins; the timed solve has returned or raised."""


@dataclass(frozen=True)
class SolveLimits:
    """The limits and controls of each solve.

    Attributes:
        time_limit_s: time limit that is passed to the solver; the process is killed some time after it.
        memory_limit_bytes: limit on the resident memory of the process with its children; None means no limit.
        threads, seed: passed to the solver; None leaves the choice to the solver.
        gap: proven relative gap at which the solver may stop; None asks for a proof of optimality.
    """

    time_limit_s: float
    memory_limit_bytes: int | None
    threads: int | None
    seed: int | None
    gap: float | None = None

    def controls(self, memory_limit_bytes: int | None) -> Controls:
        """The controls that are passed to the solver, with its share of the memory limit."""
        return Controls(self.time_limit_s, self.seed, self.threads, memory_limit_bytes=memory_limit_bytes, gap=self.gap)


@dataclass(frozen=True)
class SolveTask:
    """One solve. It carries the content of the problem file, so that it can run on another machine.

    Attributes:
        problem: content of a file of format reds-problem/1.
        solver: name of the plugin.
        version: version of the plugin's distribution; the machine that runs the task must have the same.
        settings: options of the plugin as typed; the others have their defaults.
        limits: limits and controls of the solve.
    """

    problem: bytes
    solver: str
    version: str
    settings: Mapping[str, str]
    limits: SolveLimits


@dataclass(frozen=True)
class SolverAnswer:
    """The unverified answer of a solver.

    Attributes:
        status, limit, bound, detail: as in `Solution`.
        choice: the option index of each group, or None.
        backend_s: seconds in the back end, as reported by the solver.
    """

    status: Status
    limit: Limit | None
    choice: tuple[int, ...] | None
    bound: int | None
    backend_s: float | None
    detail: tuple[str, ...]


@dataclass(frozen=True)
class Reply:
    """What the process of a solve reports at its end.

    Attributes:
        outcome: how the solve ended.
        reason: why, unless the solver answered.
        answer: the answer of the solver; None for all outcomes but ANSWERED.
        wall_s: seconds of the timed call.
        peak_memory_bytes: peak resident memory of the process, or of a child that it waited for if that is larger.
        cpu_s: processor seconds of the timed call, with all threads and the children that the process waited for.
    """

    outcome: SolveOutcome
    reason: str | None
    answer: SolverAnswer | None
    wall_s: float
    peak_memory_bytes: int | None
    cpu_s: float | None = None


@dataclass(frozen=True)
class SolveResult:
    """The reply of a solve with what the supervising process adds.

    Attributes:
        reply: the reply of the process, or one that says why there is none.
        started_at: UTC, ISO 8601.
        machine: where the solve ran.
        versions: versions of the libraries by name.
        detail: the last lines on stderr of a process that gave no answer.
        load: load average of the machine over the minute before the solve; None if the system has none.
    """

    reply: Reply
    started_at: str
    machine: Machine
    versions: Mapping[str, str]
    detail: tuple[str, ...] = ()
    load: float | None = None
