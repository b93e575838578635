"""How networks are trained: the settings of fine-tuning, and the progress that is told of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from reds_core.errors import InputError


@dataclass(frozen=True)
class FinetuneSettings:
    """How a family is trained.

    Attributes:
        epochs: passes over the training data.
        batch_size: examples a step.
        learning_rate: at the start; it falls to zero along a cosine.

    Raises:
        InputError: if a figure is out of range.
    """

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise InputError(f"{self.epochs} epochs of training are asked for", "give 0 or more")
        if self.batch_size < 1:
            raise InputError(f"a batch size of {self.batch_size} is asked for", "give 1 or more")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning rate {self.learning_rate} is not above 0", "give a rate such as 0.001")


@dataclass(frozen=True)
class EpochProgress:
    """Where training stands. Sent after every few batches and at the end of each epoch.

    Attributes:
        epoch: from 0.
        epochs: how many there will be.
        batch: finished batches of this epoch.
        batches: of an epoch.
        loss: running mean of the weighted loss over this epoch.
        accuracy: running accuracy (or metric) of the full network over this epoch's batches.
    """

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float
    accuracy: float


Progress = Callable[[EpochProgress], None]
