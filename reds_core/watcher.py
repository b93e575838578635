"""What runs and comparisons tell those who watch them. Command lines show it; libraries ignore it."""

from __future__ import annotations

from reds_core.framework.finetuning import EpochProgress


class Watcher:
    """Hears what a run does. Does nothing with it: override what is wanted."""

    def stage(self, text: str) -> None:
        """A stage of the run begins."""

    def epoch(self, progress: EpochProgress) -> None:
        """Training goes on."""

    def warn(self, text: str) -> None:
        """Something the user should know, one sentence."""


class ComparisonWatcher:
    """Hears what a comparison does, be it of solvers or of pruning runs. Does nothing with it."""

    def planned(self, count: int, kept: int) -> None:
        """The command stands for `count` pieces of work, of which `kept` are done already."""

    def reporting(self) -> None:
        """All work is done, or was interrupted; the report is being written."""
