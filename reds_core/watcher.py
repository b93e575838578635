"""What a run tells those who watch it. Command lines show it; libraries ignore it."""

from __future__ import annotations

from reds_core.finetuning import EpochProgress


class Watcher:
    """Hears what a run does. Does nothing with it: override what is wanted."""

    def stage(self, text: str) -> None:
        """A stage of the run begins."""

    def epoch(self, progress: EpochProgress) -> None:
        """Training goes on."""

    def warn(self, text: str) -> None:
        """Something the user should know, one sentence."""
