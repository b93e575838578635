"""Importance of channels by the first-order change of the loss when they are removed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network
from reds_core.scoring import (
    Importance,
    ScoreLevel,
    Scorer,
    ScoreTable,
    attribute_to_channels,
    attribute_to_kernels,
    normalise,
)
from reds_scorers.examples import check_counts, training_examples
from reds_scorers.normalising import ByLevel, of_level


@dataclass(frozen=True)
class TaylorOptions:
    """Settings of `taylor`.

    Attributes:
        criterion: "abs" sums |gradient x weight| over a channel's weights, with the gradient accumulated over all
            batches (REDS); "squared" squares the sum of gradient x weight over a channel's weights for each batch
            (Molchanov et al.).
        batch_size: number of examples per gradient.
        examples: maximum number of training examples, drawn at random and balanced over classes; 0 means all.
        normalise: how scores are made comparable across groups: "log" (the value of a width is the logarithm of the
            share of the group's score that it keeps), "none" (losses add up, as in REDS), or division by "mean", "max",
            "sum" or "l2" norm; "auto" is "log" for channels and "none" for kernels.

    Raises:
        InputError: if a number is out of range.
    """

    criterion: Literal["abs", "squared"] = "abs"
    batch_size: int = 256
    examples: int = 0
    normalise: ByLevel = "auto"

    def __post_init__(self) -> None:
        check_counts("taylor", self.batch_size, self.examples)


_K = TypeVar("_K", bound=Hashable)
Tables = tuple[Mapping[str, FloatArray], Mapping[tuple[str, str], FloatArray]]
Attribution = Callable[[Network, Importance], Tables]


class TaylorScorer(Scorer):
    """Scores a channel by a first-order Taylor estimate of the change of the loss without it. Needs training data.

    "abs": Corti et al., REDS (arXiv 2311.13349), section 3. "squared": Molchanov et al., Importance Estimation for
    Neural Network Pruning (arXiv 1906.10771), eq. 8, on the weights that produce a channel. At kernel level, each
    kernel that connects two channels has its own sum, as in REDS for depthwise separable networks. Costs one epoch of
    gradients.
    """

    name = "taylor"
    needs_data = True
    levels = frozenset(ScoreLevel)
    Options = TaylorOptions

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        data = training_examples(self.name, data, self.options.examples, seed)
        channels, _ = self._sums(framework, model, network, data, task, lambda n, i: (attribute_to_channels(n, i), {}))
        return normalise(ScoreTable(channels), of_level(self.options.normalise, "log"))

    def score_kernels(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        data = training_examples(self.name, data, self.options.examples, seed)
        channels, pairs = self._sums(framework, model, network, data, task, attribute_to_kernels)
        return normalise(ScoreTable(channels, pairs), of_level(self.options.normalise, "none"))

    def _sums(
        self, framework: Framework, model: Any, network: Network, data: Arrays, task: Task, attribute: Attribution
    ) -> Tables:
        weights = [w.astype(np.float64) for w in framework.weights(model, network)]
        measured = [i for i, w in enumerate(network.weights) if w.has_gradient]
        batches = framework.gradients(model, network, data, task, self.options.batch_size)
        if self.options.criterion == "abs":
            total = {i: np.zeros_like(weights[i]) for i in measured}
            for gradients in batches:
                for i in measured:
                    total[i] += gradients[i]
            return attribute(network, {i: np.abs(total[i] * weights[i]) for i in measured})
        channels: Mapping[str, FloatArray] = {}
        pairs: Mapping[tuple[str, str], FloatArray] = {}
        for gradients in batches:
            signed = attribute(network, {i: gradients[i] * weights[i] for i in measured})
            channels, pairs = _with_squares(channels, signed[0]), _with_squares(pairs, signed[1])
        return channels, pairs


def _with_squares(sums: Mapping[_K, FloatArray], terms: Mapping[_K, FloatArray]) -> dict[_K, FloatArray]:
    """Return `sums` plus the squares of `terms`; missing sums count as zero."""
    return {key: sums.get(key, 0.0) + np.square(array) for key, array in terms.items()}
