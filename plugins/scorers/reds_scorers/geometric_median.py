"""Importance of a channel by how far its filter lies from the others of its layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network, WeightKind
from reds_core.scoring import Scorer, ScoreTable, filters
from reds_scorers.normalising import Normalisation, normalised

_BLOCK = 64
"""Filters whose distances to all others are taken at once."""


@dataclass(frozen=True)
class GeometricMedianOptions:
    """Settings of `fpgm`.

    Attributes:
        normalise: how groups are brought to one scale: log (the value of a width is the logarithm of the share that it
            keeps), none, or divided by their mean, max, sum or l2 norm.
    """

    normalise: Normalisation = "log"


class GeometricMedianScorer(Scorer):
    """Sum of the Euclidean distances of a channel's filter to all others of its group. Needs no data.

    He et al., Filter Pruning via Geometric Median for Deep Convolutional Neural Networks Acceleration (arXiv
    1811.00250), eq. 5 to 7: the filters nearest to the geometric median are those that the others can stand for. The
    filter of a channel that several layers produce (a residual sum, a depthwise convolution behind a pointwise one) is
    all its kernels side by side. Costs channels^2 x weights of a filter. The only channel of a group scores 0, and so
    does a filter that is all zero, which nothing need stand for.
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
        return normalised(ScoreTable(distances), self.options.normalise)


def _distances(rows: FloatArray) -> FloatArray:
    """For each row the sum of its distances to all rows."""
    norms = np.square(rows).sum(axis=1)
    sums = np.zeros(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        squares = norms[block, None] + norms - 2 * rows[block] @ rows.T
        squares[np.arange(len(squares)), np.arange(start, start + len(squares))] = 0  # a row is no way from itself
        sums[block] = np.sqrt(np.maximum(squares, 0)).sum(axis=1)
    return sums
