"""What a comparison of pruning runs shows on stderr while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reds_core.compare.grid import RunPlan
from reds_core.compare.record import ResultRecord, RunOutcome
from reds_core.compare.watcher import CompareWatcher
from reds_core.comparison.view import JobsView
from reds_core.progress import Verbose

if TYPE_CHECKING:
    from rich.console import Console

_STAGE_CHARACTERS = 60


class CompareView(JobsView, CompareWatcher):
    """A bar with the finished runs, the current run and its stage."""

    def __init__(self, verbose: Verbose = "auto", console: Console | None = None) -> None:
        super().__init__("runs", "runs", counts_down=False, verbose=verbose, console=console)

    def started(self, run: RunPlan) -> None:
        self.show(note="")
        self.begin(run.name)

    def stage(self, text: str) -> None:
        self.show(note=text[:_STAGE_CHARACTERS])

    def ended(self, run: RunPlan, records: tuple[ResultRecord, ...]) -> None:
        self.finish(run.name)
        for record in records:
            if record.outcome is not RunOutcome.FINISHED:
                self.complain(f"{run.name} failed: {record.reason}")
        for reason in dict.fromkeys(record.audit_failure for record in records if record.audit_failure):
            self.complain(f"{run.name} is not audited: {reason}")

    def reporting(self) -> None:
        self.show("writing the report", "")
