"""What a comparison of runs tells while it works. The base class says nothing."""

from __future__ import annotations

from reds_core.compare.grid import RunPlan
from reds_core.compare.record import ResultRecord


class CompareWatcher:
    """Told of what happens, in this order."""

    def planned(self, runs: int, kept: int) -> None:
        """The command stands for `runs` runs, of which `kept` are done already."""

    def started(self, run: RunPlan) -> None:
        """A run begins, or goes on."""

    def stage(self, text: str) -> None:
        """What it does now."""

    def ended(self, run: RunPlan, records: tuple[ResultRecord, ...]) -> None:
        """Its records are on disk."""

    def reporting(self) -> None:
        """All runs are done, or were interrupted; the report is being written."""
