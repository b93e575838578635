"""Importance of channels by their activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import UnsupportedError
from reds_core.framework import ActivationStatistics, Arrays, Framework, Task
from reds_core.network import Network
from reds_core.scoring import Normalisation, Scorer, ScoreTable, normalise
from reds_scorers.examples import check_counts, training_examples


@dataclass(frozen=True)
class MeanActivationOptions:
    """Settings of `mean-activation`.

    Attributes:
        batch_size: number of examples per batch.
        examples: maximum number of training examples, drawn at random and balanced over classes; 0 means all.
        normalise: how scores are made comparable across groups: "log" (the value of a width is the logarithm of the
            share of the group's score that it keeps), "none", or division by "mean", "max", "sum" or "l2" norm.

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
    """Settings of `apoz`, which are the same as those of `mean-activation`."""

    name: ClassVar[str] = "apoz"


class MeanActivationScorer(Scorer):
    """Scores a channel by its mean absolute activation over examples and positions. Needs training data, no labels.

    Molchanov et al., Pruning Convolutional Neural Networks for Resource Efficient Inference (arXiv 1611.06440),
    section 2.2. Activations are taken where other layers read the channel, after activation functions and before
    pooling and flattening, and are averaged if there are several such places. Costs `examples` inferences.
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
                    "use another scorer such as taylor",
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
        return normalise(ScoreTable({g: sums[g] / counts[g] for g in sums}), self.options.normalise)

    def _measure(self, statistics: ActivationStatistics) -> FloatArray:
        return statistics.magnitude


class ZerosScorer(MeanActivationScorer):
    """Scores a channel by the share of its activations that are not zero, 1 - APoZ. Needs training data, no labels.

    Hu et al., Network Trimming (arXiv 1607.03250), eq. 1: the average percentage of zeros after a ReLU. Channels whose
    activations are never zero, such as those of linear layers, all score 1, so their order is arbitrary. Activations
    are taken at the same places and cost as much as for `mean-activation`.
    """

    name = "apoz"
    Options = ZerosOptions

    def _measure(self, statistics: ActivationStatistics) -> FloatArray:
        return statistics.active


def read_tensors(network: Network) -> list[int]:
    """Return the indices of the tensors whose channels are read by a weight, each once, before any pooling.

    If a tensor is the output of a layer without weights that changes the number of positions (pooling, flattening), the
    input of that layer is taken instead.
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
    """Whether `tensor` has the channels of its only input at a different number of positions."""
    if len(inputs) != 1 or weights:
        return False
    before, after = network.tensors[inputs[0]], network.tensors[tensor]
    return before.positions != after.positions and before.axis.groups() == after.axis.groups()
