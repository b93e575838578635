"""How networks are trained: the settings of fine-tuning, the learning rate of each step, and progress reports."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError, command
from reds_core.framework.augmentation import augmentations


class Schedule(Enum):
    """How the learning rate decays.

    `cosine` decays to zero along half a cosine wave (Loshchilov & Hutter, arXiv 1608.03983). `exponential` decays to a
    hundredth, by the same factor in each step. `step` decays to a tenth after half and to a hundredth after three
    quarters of the training (He et al., arXiv 1512.03385). `constant` does not decay.
    """

    COSINE = "cosine"
    CONSTANT = "constant"
    STEP = "step"
    EXPONENTIAL = "exponential"


class Precision(Enum):
    """The precision in which training computes. Weights are always kept, and models always saved, in float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "mixed_bfloat16"
    FLOAT16 = "mixed_float16"


class Teacher(Enum):
    """Which network gives soft targets in addition to the labels.

    `input`: the input network, as it was before pruning, teaches all networks (Hinton et al., arXiv 1503.02531).
    `full`: the full network of the family teaches the members while it is trained itself (in-place distillation: Yu &
    Huang, arXiv 1903.05134). If a strategy trains a subnetwork on its own, the full network is not trained, and the
    input network takes its place.
    """

    NONE = "none"
    INPUT = "input"
    FULL = "full"


class MemberChoice(Enum):
    """Which subnetworks a step trains if it does not train all of them.

    `in-turn`: each in its turn. `sandwich`: always the smallest, and random ones of the others (the sandwich rule: Yu &
    Huang, arXiv 1903.05134). The full network is trained in every step.
    """

    IN_TURN = "in-turn"
    SANDWICH = "sandwich"


@dataclass(frozen=True)
class FinetuneSettings:
    """How a family is trained.

    Attributes:
        epochs: The number of epochs of the whole run, which are passes over the training data.
        batch_size: The number of examples in a training step.
        learning_rate: The highest learning rate.
        optimizer: The name of an optimizer, such as adam, adamw, sgd, rmsprop, lion or nadam.
        momentum: The momentum of the optimizer, if it has one. None means 0.9 for sgd, and the default of other
            optimizers.
        schedule: How the learning rate decays.
        warmup_epochs: The number of epochs over which the learning rate rises from zero at the start, at most half of
            the training.
        weight_decay: The weight decay: each step subtracts this share of every kernel, times the learning rate. It is
            decoupled from the gradient (Loshchilov & Hutter, arXiv 1711.05101). None means that of the optimizer.
        clip_norm: The greatest norm of the gradient of all weights together. Longer gradients are scaled down to it.
            None means no clipping.
        patience: The number of epochs without a lower loss on held-back data after which training stops. None means
            never.
        augment: Random changes of the training images: flip, shift, rotate, zoom and others, of which some take a
            strength, as in shift=0.1. They are listed in `reds_core.framework.augmentation`.
        dropout: The share of the dropout rates of the model that fine-tuning keeps, from 0 to 1. The default is no
            dropout, because a narrow network has little capacity to spare and few epochs to learn in.
        precision: The precision in which training computes.
        distill: Which network gives soft targets in addition to the labels: none, the input network, or the full
            network of the family.
        distill_weight: The share of the soft targets in the loss, from 0 to 1. The labels have the rest.
        distill_temperature: The temperature that softens the outputs of both the teacher and the student.
        members_per_step: The number of subnetworks that a step trains in addition to the full network. Fewer make a
            step faster, so that more epochs fit into the same time. None means all, or 2 by the sandwich rule.
        member_choice: Which subnetworks a step trains if it does not train all: each in its turn, or by the sandwich
            rule the smallest and random others.
        anchor: How strongly trained weights are pulled towards their values before the training, where 0 means not at
            all. Half of this strength, times the sum of the squared distances, is added to the loss, which spares
            the full network in short trainings (L2-SP: Li et al., arXiv 1802.01483).
        recalibrate: Measure the batch-norm statistics of networks that are not trained (0 epochs) on training data.
            Those of trained networks are always measured.

    Raises:
        InputError: if a figure is out of range, or an augmentation is unknown.
    """

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 3e-3
    optimizer: str = "adam"
    momentum: float | None = None
    schedule: Schedule = Schedule.COSINE
    warmup_epochs: float = 0.0
    weight_decay: float | None = None
    clip_norm: float | None = None
    patience: int | None = None
    augment: tuple[str, ...] = ()
    dropout: float = 0.0
    precision: Precision = Precision.FLOAT32
    distill: Teacher = Teacher.INPUT
    distill_weight: float = 0.5
    distill_temperature: float = 4.0
    members_per_step: int | None = None
    member_choice: MemberChoice = MemberChoice.IN_TURN
    anchor: float = 0.0
    recalibrate: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, str):
            raise InputError(
                f"optimizer of type {type(self.optimizer).__name__} is not a name",
                f"give the name of one here, or the object as the argument `optimizer` of {command('prune')}",
            )
        for wrong, what, fix in (
            (self.epochs < 0, f"the number of epochs {self.epochs} is below 0", "give 0 or more"),
            (self.batch_size < 1, f"the batch size {self.batch_size} is below 1", "give 1 or more"),
            (
                not 0 < self.learning_rate < math.inf,
                f"the learning rate {self.learning_rate} is not above 0",
                "give 0.001",
            ),
            (not _share(self.momentum, below=1), f"the momentum {self.momentum} is not from 0 to below 1", "give 0.9"),
            (
                not 0 <= self.warmup_epochs < math.inf,
                f"the number of warm-up epochs {self.warmup_epochs} is not 0 or more",
                "give 1",
            ),
            (not _size(self.weight_decay), f"the weight decay {self.weight_decay} is below 0", "give 0.0001"),
            (not _size(self.clip_norm, zero=False), f"the gradient norm {self.clip_norm} is not above 0", "give 1.0"),
            (
                self.members_per_step is not None and self.members_per_step < 1,
                f"the number of members per step {self.members_per_step} is below 1",
                "give 1 or more",
            ),
            (
                self.member_choice is MemberChoice.SANDWICH and self.members_per_step == 1,
                "the sandwich rule trains the smallest subnetwork and at least one other in each step",
                "give 2 or more members per step",
            ),
            (not _size(self.anchor), f"the anchor {self.anchor} is below 0", "give 0.01, or 0 for none"),
            (self.patience is not None and self.patience < 1, f"the patience {self.patience} is below 1", "give 3"),
            (not _share(self.dropout), f"the dropout {self.dropout} is not a share from 0 to 1", "give 0.5"),
            (
                not _share(self.distill_weight),
                f"the distillation weight {self.distill_weight} is not a share from 0 to 1",
                "give 0.5",
            ),
            (
                not _size(self.distill_temperature, zero=False),
                f"the distillation temperature {self.distill_temperature} is not above 0",
                "give a temperature such as 4",
            ),
        ):
            if wrong:
                raise InputError(what, fix)
        augmentations(self.augment)

    @property
    def members_in_step(self) -> int | None:
        """Number of subnetworks that are trained in a step beside the full network. None means all."""
        is_sandwich = self.member_choice is MemberChoice.SANDWICH
        return 2 if is_sandwich and self.members_per_step is None else self.members_per_step

    def alone(self) -> FinetuneSettings:
        """The settings of a subnetwork that is trained on its own, for which the input network is the teacher."""
        return replace(self, distill=Teacher.INPUT) if self.distill is Teacher.FULL else self

    def rates(self, steps_per_epoch: int) -> npt.NDArray[np.float64]:
        """The learning rate of every step, of shape (epochs x steps_per_epoch,)."""
        steps = self.epochs * steps_per_epoch
        at = np.arange(steps)
        warmup = min(round(self.warmup_epochs * steps_per_epoch), steps // 2)
        done = np.maximum(at - warmup, 0) / max(steps - warmup, 1)
        falling = _FALLING[self.schedule](done)
        rising = np.minimum((at + 1) / (warmup + 1), 1)
        rates: npt.NDArray[np.float64] = self.learning_rate * rising * falling
        return rates


_FALLING: dict[Schedule, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    Schedule.COSINE: lambda done: (1 + np.cos(np.pi * done)) / 2,
    Schedule.CONSTANT: np.ones_like,
    Schedule.STEP: lambda done: np.where(done < 0.5, 1.0, np.where(done < 0.75, 0.1, 0.01)),
    Schedule.EXPONENTIAL: lambda done: 0.01**done,
}
"""The learning rate as a share of the highest one, as a function of the finished share of training after warm-up."""


def _size(figure: float | None, zero: bool = True) -> bool:
    """Whether a figure is None, finite and positive, or zero if zero is allowed."""
    return figure is None or 0 < figure < math.inf or (zero and figure == 0)


def _share(figure: float | None, below: float = math.inf) -> bool:
    """Whether a figure is None, or from 0 to 1 and below `below`."""
    return figure is None or (0 <= figure <= 1 and figure < below)


@dataclass(frozen=True)
class EpochProgress:
    """Progress of a training, reported every few batches and at the end of each epoch.

    Attributes:
        epoch: index of the epoch, from 0.
        epochs: total number of epochs.
        batch: number of finished batches in this epoch.
        batches: number of batches in an epoch.
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
