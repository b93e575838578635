"""How a step of the training computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reds_core.framework import MemberChoice, Precision
from reds_tensorflow.augmenting import Augmenter
from reds_tensorflow.distillation import Distillation


@dataclass(frozen=True, eq=False)
class StepSettings:
    """How a step of the training computes.

    Attributes:
        members_per_step: how many members are trained in a step beside the full network; None trains all.
        member_choice: which members these are.
        anchor: half of it, times the sum of the squared distances of the weights from where they begin, is added to the
            loss.
        dropout: share of the dropout rates that is kept.
        precision: precision in which layers compute.
        distillation: the teacher, or None.
        augmenter: changes the examples of a step, or None.
        relabel: returns the labels of augmented examples, where these change with the examples, or None.
        has_soft_targets: whether batches hold the teacher's outputs beside the labels.
        seed: seed of the random choice of members.
        steps: number of steps of the whole training, by which projections of weights know how far it is.
    """

    members_per_step: int | None = None
    member_choice: MemberChoice = MemberChoice.IN_TURN
    anchor: float = 0.0
    dropout: float = 0.0
    precision: Precision = Precision.FLOAT32
    distillation: Distillation | None = None
    augmenter: Augmenter | None = None
    relabel: Callable[[Any], Any] | None = None
    has_soft_targets: bool = False
    seed: int = 0
    steps: int = 0
