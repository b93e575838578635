"""Importance of channels by the scale of the batch norm after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import UnsupportedError, argument
from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network, WeightKind
from reds_core.scoring import Normalisation, Scorer, ScoreTable, filters, normalise


@dataclass(frozen=True)
class BatchNormScaleOptions:
    """Settings of `bn-scale`.

    Attributes:
        without: how groups without a batch norm are handled: "refuse" raises an error that names the first of them;
            "magnitude" scores their channels by the sum of the absolute values of their kernels, rescaled to the mean
            of the batch-norm scales of all other groups.
        normalise: how scores are made comparable across groups: "log" (the value of a width is the logarithm of the
            share of the group's score that it keeps), "none", or division by "mean", "max", "sum" or "l2" norm.
    """

    without: Literal["refuse", "magnitude"] = "refuse"
    normalise: Normalisation = "log"


class BatchNormScaleScorer(Scorer):
    """Scores a channel by the mean of |gamma| over the batch norms that scale it. Needs no data and no inferences.

    Liu et al., Learning Efficient Convolutional Networks through Network Slimming (arXiv 1708.06519). They train with
    a penalty that drives scales to zero; without it, scales are less informative. Networks whose batch norms were
    folded into the convolutions have no scales to read.
    """

    name = "bn-scale"
    needs_data = False
    Options = BatchNormScaleOptions

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        weights = dict(enumerate(framework.weights(model, network)))

        def of_kind(kind: WeightKind) -> dict[str, FloatArray]:
            return filters(network, {i: np.abs(a) for i, a in weights.items() if network.weights[i].kind is kind})

        gammas = {g: scales.mean(axis=1) for g, scales in of_kind(WeightKind.SCALE).items() if scales.shape[1]}
        missing = [g for g in network.channels if g not in gammas]
        if missing and self.options.without == "refuse":
            raise UnsupportedError(
                f"group '{missing[0]}' has no batch norm, whose scale scorer 'bn-scale' reads",
                "use another scorer such as magnitude, or give "
                + argument("options", {"bn-scale": {"without": "magnitude"}}),
            )
        typical = float(np.concatenate(list(gammas.values())).mean()) if gammas else 1.0
        kernels = of_kind(WeightKind.KERNEL)
        for group in missing:
            sums = kernels[group].sum(axis=1)
            gammas[group] = sums * (typical / (float(sums.mean()) or 1.0))
        return normalise(ScoreTable({g: gammas[g] for g in network.channels}), self.options.normalise)
