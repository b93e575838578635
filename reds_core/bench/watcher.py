"""What a comparison tells while it works. The base class says nothing."""

from __future__ import annotations

from reds_core.bench.record import SolveRecord
from reds_core.bench.verification import Question


class BenchWatcher:
    """Told of what happens, in this order; `started` may come from another thread."""

    def planned(self, solves: int, kept: int) -> None:
        """The command stands for `solves` solves, of which `kept` are done already."""

    def warn(self, text: str) -> None:
        """Something that the user should know, a clause without a full stop."""

    def started(self, question: Question) -> None:
        """A solve was handed out."""

    def ended(self, question: Question, record: SolveRecord) -> None:
        """Its record is on disk."""

    def reporting(self) -> None:
        """All solves are done, or were interrupted; the report is being written."""
