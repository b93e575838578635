"""What a comparison of solvers shows on stderr while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reds_core.bench.record import SolveOutcome, SolveRecord
from reds_core.bench.verification import Question
from reds_core.bench.watcher import BenchWatcher
from reds_core.comparison.view import JobsView
from reds_core.progress import Verbose

if TYPE_CHECKING:
    from rich.console import Console

FAILURES = (
    SolveOutcome.BROKE_CONTRACT,
    SolveOutcome.RAISED,
    SolveOutcome.CRASHED,
    SolveOutcome.TIMED_OUT,
    SolveOutcome.OUT_OF_MEMORY,
)


class BenchView(JobsView, BenchWatcher):
    """A bar with the finished, running and failed solves and the remaining time."""

    def __init__(self, verbose: Verbose = "auto", console: Console | None = None) -> None:
        super().__init__("solves", "solving", counts_down=True, verbose=verbose, console=console)
        self._failures = 0

    def started(self, question: Question) -> None:
        self.begin(_name(question))

    def ended(self, question: Question, record: SolveRecord) -> None:
        self._failures += record.outcome in FAILURES
        self.show(note=f"{self._failures} failed" if self._failures else "")
        self.finish(_name(question))


def _name(question: Question) -> str:
    return f"{question.contender.label} on {question.facts.name}"
