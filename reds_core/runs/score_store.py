"""Scores of the input model on disk, for runs that decide several families by the same scores."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reds_core.errors import InputError
from reds_core.runs.checkpoint import load_scores, save_scores
from reds_core.scoring.scorer import ScoreTable
from reds_core.system.files import make_folder


@dataclass(frozen=True)
class ScoreStore:
    """Stores the scores that one scorer gives the channels of one model.

    Attributes:
        folder: The folder of the files.
    """

    folder: Path

    def scores(self, seed: int, compute: Callable[[], ScoreTable]) -> ScoreTable:
        """The scores for a seed, which are computed and saved if there is no readable file of them.

        Args:
            seed: The seed of the scorer.
            compute: Returns the scores for this seed.

        Raises:
            InputError: If the file cannot be written.
        """
        path = self.folder / f"scores-{seed}.npz"
        if path.exists():
            with suppress(InputError):
                return load_scores(path)
        table = compute()
        make_folder(self.folder)
        save_scores(path, table)
        return table
