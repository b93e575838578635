"""The results of the conformance kit, and the report of all results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class CheckOutcome(Enum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    EXPECTED = "failed as expected"


@dataclass(frozen=True)
class Result:
    """The result of one check.

    Attributes:
        name: the name of the check.
        outcome: how it ended.
        reason: why it failed or was skipped; if it passed, why the behaviour matters.
        seconds: the time that it took, including the checks that it depends on.
    """

    name: str
    outcome: CheckOutcome
    reason: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """The results of all checks of one plugin.

    Attributes:
        plugin: its name.
        kind: the kind of the plugin, such as solver.
        results: one for each check, in the order of the kit.
    """

    plugin: str
    kind: str
    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.with_outcome(CheckOutcome.FAILED)

    def with_outcome(self, outcome: CheckOutcome) -> tuple[Result, ...]:
        """The results with this outcome."""
        return tuple(r for r in self.results if r.outcome is outcome)

    def __str__(self) -> str:
        width = max((len(r.name) for r in self.results), default=0)
        lines = [f"{r.outcome.value:<8} {r.name:<{width}}  {r.reason}" for r in self.results]
        counts = [(o, len(self.with_outcome(o))) for o in CheckOutcome]
        total = ", ".join(f"{count} {o.value}" for o, count in counts if count)
        return "\n".join([*lines, f"{self.kind} '{self.plugin}': {total or 'no checks'}"])


@dataclass(frozen=True)
class Settings:
    """The expectations that the author of a plugin states.

    Attributes:
        proves: whether a solver proves its answer to every small problem: OPTIMAL or INFEASIBLE.
        expected_failures: name of a check -> why it fails for now. The entry itself becomes a failure once the
            behaviour is fixed, so that it is removed in time.
        time_limit_s: the time limit for each small problem, for solvers that honour one.
        seeds: the number of random problems of each kind.
    """

    proves: bool = False
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    time_limit_s: float = 10.0
    seeds: int = 3


class Skip(Exception):
    """Raised by a check that does not apply, with the reason as its message."""


class Failure(AssertionError):
    """Raised by a check that found a fault; the message names the fault and the problem."""
