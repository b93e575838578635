"""What the conformance kit finds: one result a check, and the report of all of them."""

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
    """One check.

    Attributes:
        name: of the behaviour checked.
        outcome: how it ended.
        reason: why it failed or was skipped; where it passed, why the behaviour matters.
        seconds: what it took, the checks that it builds on included.
    """

    name: str
    outcome: CheckOutcome
    reason: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """All checks of one plugin.

    Attributes:
        plugin: its name.
        kind: of the plugin, such as solver.
        results: one a check, in the order of the kit.
    """

    plugin: str
    kind: str
    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.with_outcome(CheckOutcome.FAILED)

    def with_outcome(self, outcome: CheckOutcome) -> tuple[Result, ...]:
        """The results that ended so."""
        return tuple(r for r in self.results if r.outcome is outcome)

    def __str__(self) -> str:
        width = max((len(r.name) for r in self.results), default=0)
        lines = [f"{r.outcome.value:<8} {r.name:<{width}}  {r.reason}" for r in self.results]
        counts = [(o, len(self.with_outcome(o))) for o in CheckOutcome]
        total = ", ".join(f"{count} {o.value}" for o, count in counts if count)
        return "\n".join([*lines, f"{self.kind} '{self.plugin}': {total or 'no checks'}"])


@dataclass(frozen=True)
class Settings:
    """What the author says of a plugin to the kit.

    Attributes:
        proves: a solver that answers every small problem with a proof: OPTIMAL or INFEASIBLE.
        expected_failures: name of a check -> why it fails for now. Such a check fails once the behaviour is mended, so
            that the entry does not outlive its reason.
        time_limit_s: what one small problem may take at most, for solvers that honour a time limit.
        seeds: how many problems of each random kind are asked.
    """

    proves: bool = False
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    time_limit_s: float = 10.0
    seeds: int = 3


class Skip(Exception):
    """Raised by a check that does not apply; says why."""


class Failure(AssertionError):
    """Raised by a check that found a fault; says which, and on what problem."""
