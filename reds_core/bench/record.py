"""One line of records.jsonl: what was asked, of whom, where, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from reds_core.knapsack.solution import Limit, Status
from reds_core.system.machine import Machine


class SolveOutcome(Enum):
    """How a solve ended, as the host saw it. Only ANSWERED has figures of a solution."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """The solver does not take the problem: a feature, or its size."""
    BROKE_CONTRACT = "broke_contract"
    """Over budget, a false claim, a malformed answer."""
    RAISED = "raised"
    """An exception."""
    CRASHED = "crashed"
    """The process ended by a signal or without an answer."""
    TIMED_OUT = "timed_out"
    """Ended by the host, well past the time limit."""
    OUT_OF_MEMORY = "out_of_memory"
    """Ended by the host, or failed, at the memory limit."""


@dataclass(frozen=True)
class ProblemFacts:
    """What a record says of its problem.

    Attributes:
        name: unique in the bench: the file's stem, or the suite's name of it.
        sha256: of the problem, by content.
        groups, options, pairs: how many; options summed over groups.
        resources: names of the resources.
        optimum: proven optimal value where it is known from elsewhere.
        lp_bound: floor of the LP relaxation's value where it is known.
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
    """A solver with its options, as it takes part.

    Attributes:
        label: unique in the bench, such as "cpsat" or "cpsat[presolve=false]".
        solver: name of the plugin.
        options: all of its options as texts, defaults included.
        presolve: the option of that name; None where the solver has none.
        distribution, version: of the package that brings it.
    """

    label: str
    solver: str
    options: Mapping[str, str]
    presolve: bool | None
    distribution: str
    version: str


@dataclass(frozen=True)
class SolveRecord:
    """One solve. Figures that do not exist are None.

    Attributes:
        repeat: from 0.
        outcome: how it ended; `reason` says why in a sentence unless it was ANSWERED.
        status, limit, value, bound, gap: of the solution.
        widths: channels kept, by group.
        wall_s: seconds of the solve call, start of the process and reading of the problem not counted; where the
            solve did not return, until the process was ended.
        backend_s: seconds in the back end, as the solver says.
        peak_memory_bytes: the most resident memory of the process and its children.
        time_limit_s, memory_limit_bytes: what was allowed; the time limit was also told to the solver.
        threads, seed: what the solver was told; None where nothing was.
        jobs: how many solves ran side by side; above 1 they may have shared cores.
        started_at: UTC, ISO 8601.
        versions: of the libraries behind the solver, and of reds-core and numpy.
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
