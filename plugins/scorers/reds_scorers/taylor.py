"""Importance of a channel by what its removal does to the loss, to first order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reds_core.attribution import attribute_to_channels
from reds_core.errors import InputError
from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network
from reds_core.scorer import FloatArray, Scorer, ScoreTable


@dataclass(frozen=True)
class TaylorOptions:
    """Settings of `taylor`.

    Attributes:
        criterion: "abs" sums |gradient x weight| over a channel's weights with the gradient accumulated over all
            batches (REDS); "squared" squares the sum of gradient x weight over a channel's weights, batch by batch
            (Molchanov).
        batch_size: examples a gradient.
        examples: the most training examples used, drawn by the seed; 0 means all.

    Raises:
        InputError: if a number is out of range.
    """

    criterion: Literal["abs", "squared"] = "abs"
    batch_size: int = 256
    examples: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise InputError(f"option taylor.batch_size is {self.batch_size}", "give 1 or more")
        if self.examples < 0:
            raise InputError(f"option taylor.examples is {self.examples}", "give 0 for all, or how many")


class TaylorScorer(Scorer):
    """First-order Taylor estimate of the loss without a channel. Needs training data; costs one epoch of gradients.

    "abs": Corti et al., REDS (arXiv 2311.13349), section 3. "squared": Molchanov et al., Importance Estimation for
    Neural Network Pruning (arXiv 1906.10771), eq. 8, on the trainable weights that produce a channel.
    """

    name = "taylor"
    needs_data = True
    Options = TaylorOptions

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        if data is None:
            raise InputError("scorer 'taylor' needs training data", "give --data, or take --scorer magnitude")
        if 0 < self.options.examples < len(data):
            data = data.take(np.sort(np.random.default_rng(seed).permutation(len(data))[: self.options.examples]))
        weights = [w.astype(np.float64) for w in framework.weights(model, network)]
        trainable = [i for i, w in enumerate(network.weights) if w.trainable]
        batches = framework.gradients(model, network, data, task, self.options.batch_size)
        if self.options.criterion == "abs":
            total = {i: np.zeros_like(weights[i]) for i in trainable}
            for gradients in batches:
                for i in trainable:
                    total[i] += gradients[i]
            return ScoreTable(attribute_to_channels(network, {i: np.abs(total[i] * weights[i]) for i in trainable}))
        squares: dict[str, FloatArray] = {g.name: np.zeros(g.channels) for g in network.groups}
        for gradients in batches:
            signed = attribute_to_channels(network, {i: gradients[i] * weights[i] for i in trainable})
            for group, sums in signed.items():
                squares[group] += np.square(sums)
        return ScoreTable(squares)
