"""Importance of a channel by the size of its kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reds_core.attribution import attribute_to_channels
from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network, WeightKind
from reds_core.scorer import Scorer, ScoreTable


@dataclass(frozen=True)
class MagnitudeOptions:
    """Settings of `magnitude`.

    Attributes:
        norm: "l2" sums squares, "l1" sums absolute values.
    """

    norm: Literal["l2", "l1"] = "l2"


class MagnitudeScorer(Scorer):
    """Sum of squares, or of absolute values, of the kernels that produce a channel. Needs no data.

    Li et al., Pruning Filters for Efficient ConvNets (arXiv 1608.08710), for the absolute values. Biases and batch
    norms do not count.
    """

    name = "magnitude"
    needs_data = False
    Options = MagnitudeOptions

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        weights = framework.weights(model, network)
        size = np.abs if self.options.norm == "l1" else np.square
        kernels = [i for i, w in enumerate(network.weights) if w.kind is WeightKind.KERNEL]
        importance = {i: size(weights[i].astype(np.float64)) for i in kernels}
        return ScoreTable(attribute_to_channels(network, importance))
