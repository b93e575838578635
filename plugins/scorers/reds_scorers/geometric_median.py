"""Importance of channels by the distances of their filters to those of other channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network, WeightKind
from reds_core.scoring import Normalisation, Scorer, ScoreTable, filters, normalise

_BLOCK = 64
"""Number of filters whose distances to all others are computed at once."""


@dataclass(frozen=True)
class GeometricMedianOptions:
    """Settings of `fpgm`.

    Attributes:
        normalise: how scores are made comparable across groups: "log" (the value of a width is the logarithm of the
            share of the group's score that it keeps), "none", or division by "mean", "max", "sum" or "l2" norm.
    """

    normalise: Normalisation = "log"


class GeometricMedianScorer(Scorer):
    """Scores a channel by the sum of Euclidean distances of its filter to all others of its group. Needs no data.

    He et al., Filter Pruning via Geometric Median for Deep Convolutional Neural Networks Acceleration (arXiv
    1811.00250), eq. 5 to 7: the filters closest to the geometric median can be replaced by the others. If several
    layers produce a channel (a residual sum, a depthwise convolution after a pointwise one), its filter is the
    concatenation of all its kernels. Costs channels^2 x weights per filter operations. The only channel of a group
    scores 0, and so does a filter that is all zero, because nothing needs to replace it.
    """

    name = "fpgm"
    needs_data = False
    Options = GeometricMedianOptions

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        weights = framework.weights(model, network)
        kernels = {i: weights[i] for i, w in enumerate(network.weights) if w.kind is WeightKind.KERNEL}
        rows_of = filters(network, kernels)
        distances = {g: np.where(rows.any(axis=1), _distances(rows), 0.0) for g, rows in rows_of.items()}
        return normalise(ScoreTable(distances), self.options.normalise)


def _distances(rows: FloatArray) -> FloatArray:
    """Return the sum of the distances of each row to all rows, float64 (rows,)."""
    norms = np.square(rows).sum(axis=1)
    sums = np.zeros(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        squares = norms[block, None] + norms - 2 * rows[block] @ rows.T
        squares[np.arange(len(squares)), np.arange(start, start + len(squares))] = 0  # exact distance to the row itself
        sums[block] = np.sqrt(np.maximum(squares, 0)).sum(axis=1)
    return sums
