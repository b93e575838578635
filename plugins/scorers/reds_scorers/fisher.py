"""Importance of a channel by the Fisher information of a gate on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network
from reds_core.scoring import Scorer, ScoreTable, attribute_to_readers, check_readers
from reds_scorers.examples import check_counts, training_examples
from reds_scorers.normalising import Normalisation, normalised


@dataclass(frozen=True)
class FisherOptions:
    """Settings of `fisher`.

    Attributes:
        batch_size: examples a gradient: 1 is the criterion as published; more is quicker and squares means.
        examples: the most training examples used, of every class alike, drawn by the seed; 0 means all.
        normalise: how groups are brought to one scale: log (the value of a width is the logarithm of the share that it
            keeps), none (losses add up, as published), or divided by their mean, max, sum or l2 norm.

    Raises:
        InputError: if a number is out of range.
    """

    batch_size: int = 1
    examples: int = 1024
    normalise: Normalisation = "log"

    def __post_init__(self) -> None:
        check_counts("fisher", self.batch_size, self.examples)


class FisherScorer(Scorer):
    """Half the mean over examples of (gradient of the loss by a gate on the channel)^2. Needs training data.

    Theis et al., Faster gaze prediction with dense networks and Fisher pruning (arXiv 1801.05787), eq. 6: the loss that
    is added by removing a channel, to second order, at a minimum. The gate stands where other layers read the channel,
    so that closing it is what removal does; its gradient is the sum of gradient x weight over the weights that read
    the channel. Costs a gradient of one example for each of `examples`.
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
        return normalised(ScoreTable({g: s / (2 * count) for g, s in squares.items()}), self.options.normalise)
