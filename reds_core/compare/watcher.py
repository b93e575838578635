"""What a comparison of runs tells while it works. The base class says nothing."""

from __future__ import annotations

from reds_core.compare.grid import RunPlan
from reds_core.compare.record import ResultRecord
from reds_core.watcher import ComparisonWatcher


class CompareWatcher(ComparisonWatcher):
    """Told of each run in this order, between `planned` and `reporting`."""

    def started(self, run: RunPlan) -> None:
        """A run begins, or goes on."""

    def stage(self, text: str) -> None:
        """What it does now."""

    def ended(self, run: RunPlan, records: tuple[ResultRecord, ...]) -> None:
        """Its records are on disk."""
