"""Importance of channels by the Fisher information of a gate on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network
from reds_core.scoring import Normalisation, Scorer, ScoreTable, attribute_to_readers, check_readers, normalise
from reds_scorers.examples import check_counts, training_examples


@dataclass(frozen=True)
class FisherOptions:
    """Settings of `fisher`.

    Attributes:
        batch_size: number of examples per gradient. 1 is the criterion as published; larger batches are faster, but
            square the mean gradient of each batch.
        examples: maximum number of training examples, drawn at random and balanced over classes; 0 means all.
        normalise: how scores are made comparable across groups: "log" (the value of a width is the logarithm of the
            share of the group's score that it keeps), "none" (losses add up, as published), or division by "mean",
            "max", "sum" or "l2" norm.

    Raises:
        InputError: if a number is out of range.
    """

    batch_size: int = 1
    examples: int = 1024
    normalise: Normalisation = "log"

    def __post_init__(self) -> None:
        check_counts("fisher", self.batch_size, self.examples)


class FisherScorer(Scorer):
    """Scores a channel by half the mean over examples of the squared gradient of a gate on it. Needs training data.

    Theis et al., Faster gaze prediction with dense networks and Fisher pruning (arXiv 1801.05787), eq. 6: the increase
    of the loss when the channel is removed, to second order, at a minimum. The gate is where other layers read the
    channel, so closing it is the same as removing the channel. Its gradient is the sum of gradient x weight over the
    weights that read the channel. Costs `examples` gradients of one example each.
    """

    name = "fisher"
    needs_data = True
    Options = FisherOptions

    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        check_readers(network, f"scorer '{self.name}'")
        data = training_examples(self.name, data, self.options.examples, seed)
        weights = [w.astype(np.float64) for w in framework.weights(model, network)]
        squares = {g.name: np.zeros(g.channels) for g in network.groups}
        count = 0
        for gradients in framework.gradients(model, network, data, task, self.options.batch_size):
            gates = attribute_to_readers(network, {i: g * weights[i] for i, g in enumerate(gradients)})
            for group, gradient in gates.items():
                squares[group] += np.square(gradient)
            count += 1
        return normalise(ScoreTable({g: s / (2 * count) for g, s in squares.items()}), self.options.normalise)
