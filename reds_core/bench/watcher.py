"""What a comparison of solvers tells while it works. The base class says nothing."""

from __future__ import annotations

from reds_core.bench.record import SolveRecord
from reds_core.bench.verification import Question
from reds_core.watcher import ComparisonWatcher


class BenchWatcher(ComparisonWatcher):
    """Told of each solve, between `planned` and `reporting`; `started` may come from another thread."""

    def warn(self, text: str) -> None:
        """Something that the user should know, a clause without a full stop; before the first solve."""

    def started(self, question: Question) -> None:
        """A solve was handed out."""

    def ended(self, question: Question, record: SolveRecord) -> None:
        """Its record is on disk."""
