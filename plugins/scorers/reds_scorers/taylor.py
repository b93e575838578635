"""Importance of a channel by what its removal does to the loss, to first order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network
from reds_core.scoring import Importance, ScoreLevel, Scorer, ScoreTable, attribute_to_channels, attribute_to_kernels
from reds_scorers.examples import check_counts, training_examples
from reds_scorers.normalising import ByLevel, normalised, of_level


@dataclass(frozen=True)
class TaylorOptions:
    """Settings of `taylor`.

    Attributes:
        criterion: "abs" sums |gradient x weight| over a channel's weights with the gradient accumulated over all
            batches (REDS); "squared" squares the sum of gradient x weight over a channel's weights, batch by batch
            (Molchanov).
        batch_size: examples a gradient.
        examples: the most training examples used, of every class alike, drawn by the seed; 0 means all.
        normalise: how groups are brought to one scale: log (the value of a width is the logarithm of the share that it
            keeps), none (REDS: losses add up), or divided by their mean, max, sum or l2 norm; auto is log for channels
            and none for kernels.

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
    """First-order Taylor estimate of the loss without a channel. Needs training data; costs one epoch of gradients.

    "abs": Corti et al., REDS (arXiv 2311.13349), section 3. "squared": Molchanov et al., Importance Estimation for
    Neural Network Pruning (arXiv 1906.10771), eq. 8, on the weights that produce a channel. At kernel level
    each kernel that joins two channels has its own sum, as REDS has it for depthwise separable networks.
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
        return normalised(ScoreTable(channels), of_level(self.options.normalise, "log"))

    def score_kernels(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        data = training_examples(self.name, data, self.options.examples, seed)
        channels, pairs = self._sums(framework, model, network, data, task, attribute_to_kernels)
        return normalised(ScoreTable(channels, pairs), of_level(self.options.normalise, "none"))

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
    """`sums`, or zeros where there are none yet, with the squares of `terms` added."""
    return {key: sums.get(key, 0.0) + np.square(array) for key, array in terms.items()}
