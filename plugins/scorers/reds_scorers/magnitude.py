"""Importance of channels by the norm of their kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network, WeightKind
from reds_core.scoring import ScoreLevel, Scorer, ScoreTable, attribute_to_channels, attribute_to_kernels, normalise
from reds_scorers.normalising import ByLevel, of_level


@dataclass(frozen=True)
class MagnitudeOptions:
    """Settings of `magnitude`.

    Attributes:
        norm: "l2" sums squares, "l1" sums absolute values.
        normalise: how scores are made comparable across groups: "log" (the value of a width is the logarithm of the
            share of the group's score that it keeps), "none", or division by "mean", "max", "sum" or "l2" norm; "auto"
            is "log" for channels and "sum" for kernels.
    """

    norm: Literal["l2", "l1"] = "l2"
    normalise: ByLevel = "auto"


class MagnitudeScorer(Scorer):
    """Scores a channel by the sum of squares or absolute values of its kernels. Needs no data and no inferences.

    Li et al., Pruning Filters for Efficient ConvNets (arXiv 1608.08710), for the absolute values. Biases and batch
    norms do not count. At kernel level, each kernel that connects two channels has its own sum.
    """

    name = "magnitude"
    needs_data = False
    levels = frozenset(ScoreLevel)
    Options = MagnitudeOptions

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        channels = attribute_to_channels(network, self._sizes(framework, model, network))
        return normalise(ScoreTable(channels), of_level(self.options.normalise, "log"))

    def score_kernels(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        channels, pairs = attribute_to_kernels(network, self._sizes(framework, model, network))
        return normalise(ScoreTable(channels, pairs), of_level(self.options.normalise, "sum"))

    def _sizes(self, framework: Framework, model: Any, network: Network) -> dict[int, FloatArray]:
        weights = framework.weights(model, network)
        size = np.abs if self.options.norm == "l1" else np.square
        kernels = [i for i, w in enumerate(network.weights) if w.kind is WeightKind.KERNEL]
        return {i: size(weights[i].astype(np.float64)) for i in kernels}
