"""The scorer boundary: how important is each channel?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from reds_core.axis import Kept
from reds_core.errors import ContractViolation
from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network
from reds_core.plugin import Plugin

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ScoreTable:
    """Importance of every channel, accumulated in float64.

    Attributes:
        channels: by group name float64 (channels,), finite; larger is more important.
        pairs: by (producer group, consumer group) float64 (channels of producer, channels of consumer): importance of
            each kernel that joins two channels. Where a scorer gives them, they count beside `channels`.
    """

    channels: Mapping[str, FloatArray]
    pairs: Mapping[tuple[str, str], FloatArray] = field(default_factory=dict)

    def totals(self) -> dict[str, FloatArray]:
        """Importance of each channel with the kernels of all its pairs added, by which channels are ordered."""
        totals = {group: scores.copy() for group, scores in self.channels.items()}
        for (first, second), kernel in self.pairs.items():
            totals[first] += kernel.sum(axis=1)
            totals[second] += kernel.sum(axis=0)
        return totals

    def ordered(self, order: Kept) -> ScoreTable:
        """The same scores with the channels of each group in another order."""
        return ScoreTable(
            {group: scores[order[group]] for group, scores in self.channels.items()},
            {(a, b): kernel[np.ix_(order[a], order[b])] for (a, b), kernel in self.pairs.items()},
        )


class Scorer(Plugin, ABC):
    """Base class of scorer plugins. An instance holds its options and nothing else.

    Attributes:
        needs_data: whether training data must be given.
    """

    kind = "scorer"
    needs_data: ClassVar[bool]

    @abstractmethod
    def score(
        self, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int
    ) -> ScoreTable:
        """Score every channel of every group of `network`.

        Args:
            framework: gives the weights, gradients and losses of `model`.
            data: training data; None only where `needs_data` is false.
            task: how outputs are compared with labels.
            seed: of whatever is random.
        """


def score(
    scorer: Scorer, framework: Framework, model: Any, network: Network, data: Arrays | None, task: Task, seed: int = 0
) -> ScoreTable:
    """Ask `scorer` and check what it says.

    Raises:
        ContractViolation: if a group has no score, or one of the wrong length or that is not finite.
    """
    table = scorer.score(framework, model, network, data, task, seed)
    for group in network.groups:
        scores = table.channels.get(group.name)
        if scores is None or scores.shape != (group.channels,) or not np.all(np.isfinite(scores)):
            raise ContractViolation(
                f"scorer '{scorer.name}' gave group '{group.name}' no {group.channels} finite scores",
                "report it to its author, or choose another scorer",
            )
    for (first, second), kernel in table.pairs.items():
        if kernel.shape != (network.channels[first], network.channels[second]) or not np.all(np.isfinite(kernel)):
            raise ContractViolation(
                f"scorer '{scorer.name}' gave groups '{first}' and '{second}' no finite channels x channels scores",
                "report it to its author, or choose another scorer",
            )
    return table
