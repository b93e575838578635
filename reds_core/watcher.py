"""Callbacks through which runs and comparisons report their progress. The command line displays it."""

from __future__ import annotations

import logging

from reds_core.framework.finetuning import EpochProgress

LOGGER = logging.getLogger("reds")
"""Stages and results at INFO, warnings at WARNING, epochs and solves at DEBUG."""


class Watcher:
    """Callbacks for the progress of a run. They do nothing by default; override the ones you need."""

    def stage(self, text: str) -> None:
        """Called when a stage of the run begins."""

    def epoch(self, progress: EpochProgress) -> None:
        """Called during training to report its progress."""

    def note(self, text: str) -> None:
        """Called with an intermediate result of the run, one sentence."""

    def warn(self, text: str) -> None:
        """Called with a warning for the user, one sentence."""


class ComparisonWatcher:
    """Callbacks for the progress of a comparison of solvers or of pruning runs. They do nothing by default."""

    def planned(self, count: int, kept: int) -> None:
        """Called before the work begins.

        Args:
            count: number of jobs in the comparison.
            kept: number of those jobs whose results exist already.
        """

    def reporting(self) -> None:
        """Called before the report is written, when all jobs are finished or the comparison was interrupted."""
