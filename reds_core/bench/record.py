"""The records of a solver comparison: one line of records.jsonl describes one solve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from reds_core.knapsack.levels import LevelSettings
from reds_core.knapsack.solution import Limit, Status
from reds_core.system.machine import Machine
from reds_core.system.records import LEFT_OUT


class SolveOutcome(Enum):
    """How a solve ended, as the comparison saw it. Only answered records describe a solution."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """The solver does not support a feature of the problem, or its size."""
    BROKE_CONTRACT = "broke_contract"
    """The answer exceeds a budget, makes a false claim or is malformed."""
    RAISED = "raised"
    """The solver raised an exception."""
    CRASHED = "crashed"
    """The process was ended by a signal, or exited without an answer."""
    TIMED_OUT = "timed_out"
    """The process was killed well past the time limit."""
    OUT_OF_MEMORY = "out_of_memory"
    """The process was killed at the memory limit, or failed to allocate memory."""


@dataclass(frozen=True)
class ProblemFacts:
    """The description of a problem in a record.

    Attributes:
        name: unique within the comparison: the stem of the file, or the name of the instance in its suite.
        sha256: hash of the problem's content.
        groups: number of groups.
        options: number of options of all groups.
        pairs: number of pairs of groups with pairwise terms.
        resources: names of the resources.
        optimum: proven optimal value if it is known from elsewhere.
        lp_bound: value of the LP relaxation, rounded down, if it is known.
    """

    name: str
    sha256: str
    groups: int
    options: int
    pairs: int
    resources: tuple[str, ...]
    optimum: int | None = None
    lp_bound: int | None = None


@dataclass(frozen=True)
class Contender:
    """A solver with its options that takes part in a comparison.

    Attributes:
        label: unique within the comparison, such as "cpsat" or "cpsat[presolve=false]".
        solver: name of the plugin.
        options: all options of the solver as texts, defaults included.
        presolve: value of the option `presolve`; None if the solver does not have it.
        distribution: name of the package that provides the solver.
        version: version of that package.
    """

    label: str
    solver: str
    options: Mapping[str, str]
    presolve: bool | None
    distribution: str
    version: str


@dataclass(frozen=True)
class SolveRecord:
    """One solve. Values that do not exist are None.

    Attributes:
        problem: the problem.
        contender: the solver with its options.
        repeat: number of the repeat, from 0.
        outcome: how the solve ended.
        reason: why it ended so, in a sentence; None if it was answered.
        status: what the solver found and proved.
        limit: why the solver stopped early; None if it did not.
        value: value of the choice.
        bound: proven upper bound on the value of every choice.
        gap: (bound - value) / |value|; 0 for a choice that is proven optimal.
        widths: number of channels kept, by group.
        wall_s: seconds of the solve call, without starting the process and reading the problem; if the call did not
            return, seconds until the process was killed.
        backend_s: seconds in the back end, as reported by the solver.
        peak_memory_bytes: peak resident memory of the process and its children.
        time_limit_s: time limit of the solve, which was also passed to the solver.
        memory_limit_bytes: memory limit of the solve.
        threads: number of threads that was passed to the solver; None if none was.
        seed: seed that was passed to the solver; None if none was.
        jobs: number of solves that ran at the same time; above 1 they may have shared cores.
        started_at: UTC, ISO 8601.
        machine: where the solve ran.
        versions: versions of the solver's libraries, reds-core and numpy, by name.
        detail: remarks of the solver, or the last lines on stderr of a process that failed.
        settings: the chosen levels of everything besides widths; left out if nothing else was decided.
        cpu_s: processor seconds of the solve call, with all threads and child processes. None in records of versions
            that did not measure it.
        load: load average of the machine over the minute before the solve; None if the system has none.
        gap_asked: the proven relative gap at which the solver was allowed to stop; left out if none was asked for.
    """

    problem: ProblemFacts
    contender: Contender
    repeat: int
    outcome: SolveOutcome
    reason: str | None
    status: Status | None
    limit: Limit | None
    value: int | None
    bound: int | None
    gap: float | None
    widths: Mapping[str, int] | None
    wall_s: float
    backend_s: float | None
    peak_memory_bytes: int | None
    time_limit_s: float
    memory_limit_bytes: int | None
    threads: int | None
    seed: int | None
    jobs: int
    started_at: str
    machine: Machine
    versions: Mapping[str, str]
    detail: tuple[str, ...] = field(default=())
    settings: LevelSettings = field(default_factory=LevelSettings, metadata={LEFT_OUT: True})
    cpu_s: float | None = None
    load: float | None = None
    gap_asked: float | None = field(default=None, metadata={LEFT_OUT: True})
