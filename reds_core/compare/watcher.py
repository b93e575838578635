"""The progress callbacks of a comparison of runs. The base class ignores them all."""

from __future__ import annotations

from reds_core.compare.grid import RunPlan
from reds_core.compare.record import ResultRecord
from reds_core.watcher import ComparisonWatcher


class CompareWatcher(ComparisonWatcher):
    """Receives the progress of each run between `planned` and `reporting`, in the order of these methods.

    If several runs are performed at the same time, `started` may be called from another thread.
    """

    def warn(self, text: str) -> None:
        """Called with a warning for the user, a clause without a full stop, before the first run or after one."""

    def started(self, run: RunPlan) -> None:
        """Called when a run starts or resumes, or was submitted to a cluster."""

    def stage(self, text: str) -> None:
        """Called with each new stage of the run, unless runs are performed in parallel or on a cluster."""

    def ended(self, run: RunPlan, records: tuple[ResultRecord, ...]) -> None:
        """Called when the records of a run were written to disk."""
