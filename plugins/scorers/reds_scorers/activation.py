"""Importance of a channel by what it puts out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import UnsupportedError
from reds_core.framework import ActivationStatistics, Arrays, Framework, Task
from reds_core.network import Network
from reds_core.scoring import Scorer, ScoreTable
from reds_scorers.examples import check_counts, training_examples
from reds_scorers.normalising import Normalisation, normalised


@dataclass(frozen=True)
class MeanActivationOptions:
    """Settings of `mean-activation`.

    Attributes:
        batch_size: examples at a time.
        examples: the most training examples used, of every class alike, drawn by the seed; 0 means all.
        normalise: how groups are brought to one scale: log (the value of a width is the logarithm of the share that it
            keeps), none, or divided by their mean, max, sum or l2 norm.

    Raises:
        InputError: if a number is out of range.
    """

    name: ClassVar[str] = "mean-activation"
    batch_size: int = 256
    examples: int = 2048
    normalise: Normalisation = "log"

    def __post_init__(self) -> None:
        check_counts(self.name, self.batch_size, self.examples)


@dataclass(frozen=True)
class ZerosOptions(MeanActivationOptions):
    """Settings of `apoz`: those of `mean-activation`."""

    name: ClassVar[str] = "apoz"


class MeanActivationScorer(Scorer):
    """Mean over examples and positions of a channel's absolute activation. Needs training data, no labels.

    Molchanov et al., Pruning Convolutional Neural Networks for Resource Efficient Inference (arXiv 1611.06440),
    section 2.2. Taken where other layers read the channel, behind activations and before pooling and flattening; where
    they read it in several places, the mean of these. Costs `examples` inferences.
    """

    name = "mean-activation"
    needs_data = True
    Options = MeanActivationOptions

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        data = training_examples(self.name, data, self.options.examples, seed)
        tensors = read_tensors(network)
        for group in network.channels:
            if not any(group in network.tensors[t].axis.groups() for t in tensors):
                raise UnsupportedError(
                    f"the channels of group '{group}' lie inside a layer, so scorer '{self.name}' cannot see them",
                    "take another scorer such as taylor",
                )
        found = framework.activation_statistics(model, network, tensors, data.x, self.options.batch_size)
        sums = {g.name: np.zeros(g.channels) for g in network.groups}
        counts = {g.name: np.zeros(g.channels) for g in network.groups}
        for t, statistics in zip(tensors, found, strict=True):
            axis = network.tensors[t].axis
            for group in axis.groups():
                owner = axis.owners(group, network.channels)
                np.add.at(sums[group], owner[owner >= 0], self._measure(statistics)[owner >= 0])
                np.add.at(counts[group], owner[owner >= 0], 1)
        return normalised(ScoreTable({g: sums[g] / counts[g] for g in sums}), self.options.normalise)

    def _measure(self, statistics: ActivationStatistics) -> FloatArray:
        return statistics.magnitude


class ZerosScorer(MeanActivationScorer):
    """Share of a channel's activations that are not zero: 1 - APoZ. Needs training data, no labels.

    Hu et al., Network Trimming (arXiv 1607.03250), eq. 1: average percentage of zeros behind a rectifier. Channels
    whose activations are never zero, such as those of linear layers, all score 1: their order means nothing. Taken
    where `mean-activation` takes its means, at the same cost.
    """

    name = "apoz"
    Options = ZerosOptions

    def _measure(self, statistics: ActivationStatistics) -> FloatArray:
        return statistics.active


def read_tensors(network: Network) -> list[int]:
    """The tensors whose channels are read by a layer that mixes them, each once, as they are before they are pooled.

    Layers without weights that change the number of positions (pooling, flattening) are looked through.
    """
    maker = {t: layer for layer in network.layers for t in layer.outputs}
    found: dict[int, None] = {}
    for layer in network.layers:
        read = {
            group
            for i in layer.weights
            for d, axis in enumerate(network.weights[i].axes)
            if network.weights[i].output_axis not in (None, d)
            for group in axis.groups()
        }
        for t in layer.inputs:
            if read.intersection(network.tensors[t].axis.groups()):
                while t in maker and _only_pools(network, t, maker[t].inputs, maker[t].weights):
                    (t,) = maker[t].inputs
                found[t] = None
    return list(found)


def _only_pools(network: Network, tensor: int, inputs: tuple[int, ...], weights: tuple[int, ...]) -> bool:
    """Whether `tensor` is another at fewer positions, or laid out in another way."""
    if len(inputs) != 1 or weights:
        return False
    before, after = network.tensors[inputs[0]], network.tensors[tensor]
    return before.positions != after.positions and before.axis.groups() == after.axis.groups()
