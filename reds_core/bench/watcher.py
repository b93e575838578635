"""The progress callbacks of a solver comparison. The base class ignores them all."""

from __future__ import annotations

from reds_core.bench.record import SolveRecord
from reds_core.bench.verification import Question
from reds_core.watcher import ComparisonWatcher


class BenchWatcher(ComparisonWatcher):
    """Receives the progress of each solve between `planned` and `reporting`.

    `started` may be called from another thread.
    """

    def warn(self, text: str) -> None:
        """Called before the first solve with a warning for the user, a clause without a full stop."""

    def started(self, question: Question) -> None:
        """Called when a solve was submitted."""

    def ended(self, question: Question, record: SolveRecord) -> None:
        """Called when the record of a solve was written to disk."""
