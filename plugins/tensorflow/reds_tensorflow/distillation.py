"""Distillation: training on the outputs of another network in addition to the labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from reds_core.errors import InputError
from reds_core.framework import FinetuneSettings, Teacher
from reds_tensorflow.task import Activation, Labels, Objective, Outputs, outputs_of

_SMALLEST = 1e-7


@dataclass(frozen=True, eq=False)
class Distillation:
    """The teacher and the loss of a distillation.

    Attributes:
        weight: share of the soft loss in the total; the loss of the labels has the rest.
        loss: function of (teacher's outputs, network's outputs) that returns the soft loss, a scalar tensor.
        teacher: the model that teaches all networks; None if the full network of the family teaches the members.
    """

    weight: float
    loss: Callable[[Any, Any], Any]
    teacher: Any | None

    def outputs(self, x: Any) -> Any | None:
        """Return the teacher's outputs for a batch, given as a tensor; None if the full network teaches."""
        return None if self.teacher is None else tf.stop_gradient(self.teacher(x, training=False))

    def blend(self, hard: Any, soft_targets: Any | None, outputs: Any) -> Any:
        """Return the loss of a network: that of the labels, blended with the soft loss if there are soft targets."""
        if soft_targets is None:
            return hard
        return (1 - self.weight) * hard + self.weight * self.loss(soft_targets, tf.cast(outputs, tf.float32))


def distillation_of(settings: FinetuneSettings, model: Any, aim: Objective, teacher: Any | None) -> Distillation | None:
    """Return the distillation that settings ask for; None if they ask for none, or there is no teacher.

    Args:
        settings: the settings of fine-tuning.
        model: the network in training.
        aim: the objective of the training.
        teacher: the network as it was before pruning; None if the network is new.

    Raises:
        InputError: if the teacher's outputs differ in shape or activation from those of the model.
    """
    if settings.distill is Teacher.NONE or not settings.distill_weight:
        return None
    outputs = outputs_of(model)
    if settings.distill is Teacher.FULL:
        teacher = None
    elif teacher is None:
        return None
    elif outputs_of(teacher) != outputs:
        raise InputError("the network to distil from has other outputs", "use --distill full or none")
    return Distillation(settings.distill_weight, soft_loss(outputs[0], aim, settings.distill_temperature), teacher)


def soft_loss(outputs: Outputs, aim: Objective, temperature: float) -> Callable[[Any, Any], Any]:
    """Return the soft loss, a function of (teacher's outputs, network's outputs), averaged over examples.

    For classes it is temperature^2 x KL(softmax(teacher / T) || softmax(network / T)); the factor keeps the gradients
    of soft and hard targets in proportion (Hinton et al., arXiv 1503.02531, section 2.1). For binary outputs it is the
    same over the two outcomes of each output. For real numbers it is the task's loss, without a temperature.
    """
    if outputs.activation is Activation.OTHER and aim.labels is Labels.REAL:
        return aim.loss
    binary = outputs.activation is Activation.SIGMOID or (
        outputs.activation is Activation.OTHER and aim.labels is Labels.BINARY
    )
    probable = outputs.activation is not Activation.OTHER

    def log_probabilities(given: Any) -> Any:
        """Return log probabilities (..., outcomes)."""
        if not binary:
            # The softmax of log probabilities is that of the logits that they were computed from.
            logits = tf.math.log(tf.maximum(given, _SMALLEST)) if probable else given
            return tf.nn.log_softmax(logits / temperature)
        if probable:
            given = tf.clip_by_value(given, _SMALLEST, 1 - _SMALLEST)
            given = tf.math.log(given) - tf.math.log1p(-given)
        return tf.stack([tf.math.log_sigmoid(given / temperature), tf.math.log_sigmoid(-given / temperature)], axis=-1)

    def loss(teacher: Any, network: Any) -> Any:
        wanted, found = log_probabilities(teacher), log_probabilities(network)
        divergence = tf.reduce_sum(tf.exp(wanted) * (wanted - found), axis=-1)
        return temperature**2 * tf.reduce_mean(divergence)

    return loss
