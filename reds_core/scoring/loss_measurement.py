"""Losses of a model under other weights, with the statistics of its batch norms measured anew for each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from reds_core.framework.data import Arrays, Data, sampled
from reds_core.framework.family import Family
from reds_core.framework.finetuning import EpochProgress, FinetuneSettings
from reds_core.framework.framework import Framework, WeightArrays
from reds_core.framework.task import Task
from reds_core.framework.training import Training
from reds_core.network.description import Network, WeightKind

MEASURED_EXAMPLES = 2048
"""The number of examples on which losses are measured by default."""


@dataclass(frozen=True, eq=False)
class LossMeasurement:
    """How losses are measured before training.

    Changed weights shift the inputs of batch norms, whose statistics are then wrong. Measuring these statistics anew
    removes most of that part of the loss, as training would.

    Attributes:
        framework: The framework of the model.
        model: The model, which does not change.
        network: Its description.
        train: Training examples, on which the statistics are measured.
        examples: The examples on which the losses are measured. They must not be test data.
        task: How outputs are compared with labels.
        seed: The seed by which examples for the statistics are drawn.
    """

    framework: Framework
    model: Any
    network: Network
    train: Data
    examples: Arrays
    task: Task = Task()
    seed: int = 0

    @classmethod
    def sampled(
        cls,
        framework: Framework,
        model: Any,
        network: Network,
        train: Data,
        task: Task = Task(),
        seed: int = 0,
        examples: int = MEASURED_EXAMPLES,
    ) -> LossMeasurement:
        """Return a measurement on at most `examples` training examples that are drawn at random.

        Args:
            framework: The framework of the model.
            model: The model.
            network: Its description.
            train: Training examples.
            task: How outputs are compared with labels.
            seed: The seed by which examples are drawn.
            examples: The maximum number of examples.
        """
        return cls(framework, model, network, train, sampled(train, examples, seed + 1), task, seed)

    def losses(self, variants: Iterable[WeightArrays]) -> Iterator[float]:
        """Yield the mean loss on `examples` under each of `variants`, with statistics measured anew.

        Args:
            variants: Weights in the order of `network.weights`, with the same shapes. They are consumed lazily.
        """
        return self.framework.losses(self.model, self.network, self.recalibrated(variants), self.examples, self.task)

    def recalibrated(self, variants: Iterable[WeightArrays]) -> Iterator[WeightArrays]:
        """Yield each of `variants` with batch-norm statistics that are measured anew on training examples.

        Args:
            variants: Weights in the order of `network.weights`, with the same shapes. They are consumed lazily.
        """
        if all(weight.kind is not WeightKind.STATISTIC for weight in self.network.weights):
            yield from variants
            return
        framework, network = self.framework, self.network
        copy = framework.extract(self.model, network, {})
        own = Family(copy, (copy,), (network.channels,))
        settings = replace(FinetuneSettings(), epochs=0, recalibrate=True)  # 0 epochs: only the statistics
        for weights in variants:
            framework.assign(copy, network, weights)
            framework.finetune(own, Training(self.train, settings, self.seed, _ignored, self.task))
            yield framework.weights(copy, network)


def _ignored(progress: EpochProgress) -> None:
    """Receives the progress of a training of no epochs, of which there is none."""
