"""Random scores, the baseline that every other scorer should beat."""

from __future__ import annotations

from typing import Any

import numpy as np

from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network
from reds_core.scoring import Scorer, ScoreTable


class RandomScorer(Scorer):
    """Scores channels by uniform random numbers from 0 to 1. Needs no data and no inferences.

    The baseline of Mittal et al., Recovering from Random Pruning (arXiv 1801.10447). All channels are equally important
    on average, so the widths depend on the costs only.
    """

    name = "random"
    needs_data = False
    informed = False

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        generator = np.random.default_rng(seed)
        return ScoreTable({g.name: generator.random(g.channels) for g in network.groups})
