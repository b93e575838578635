"""Scores that mean nothing: what every other scorer must beat."""

from __future__ import annotations

from typing import Any

import numpy as np

from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network
from reds_core.scoring import Scorer, ScoreTable


class RandomScorer(Scorer):
    """Numbers from 0 to 1 drawn by the seed. Needs no data; costs nothing.

    The baseline of Mittal et al., Recovering from Random Pruning (arXiv 1801.10447). All channels are worth the same on
    average, so the widths follow the costs alone.
    """

    name = "random"
    needs_data = False
    informed = False

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        generator = np.random.default_rng(seed)
        return ScoreTable({g.name: generator.random(g.channels) for g in network.groups})
