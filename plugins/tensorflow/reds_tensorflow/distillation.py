"""Distillation: training on the outputs of another network in addition to the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import tensorflow as tf

from reds_core.errors import InputError, argument
from reds_core.framework import FinetuneSettings, Teacher, columns, each
from reds_tensorflow.task import (
    Activation,
    Head,
    Labels,
    Objective,
    Outputs,
    are_exit_outputs,
    inputs_for,
    outputs_in_order,
    outputs_of,
)

_SMALLEST = 1e-7


@dataclass(frozen=True, eq=False)
class Distillation:
    """The teacher and the loss of a distillation.

    Attributes:
        weight: share of the soft loss in the total; the loss of the labels has the rest.
        aim: loss of the labels.
        soft_losses: for each output, a function of (teacher's output, network's output, weights of the examples or
            None) that returns the soft loss, a scalar tensor.
        teacher: the model that teaches all networks; None if the full network of the family teaches the members.
    """

    weight: float
    aim: Objective
    soft_losses: tuple[Callable[[Any, Any, Any], Any], ...]
    teacher: Any | None

    def outputs(self, x: Any) -> Any | None:
        """Return the soft targets of a batch, given as tensors; None if the full network teaches."""
        if self.teacher is None:
            return None
        outputs = outputs_in_order(self.teacher, self.teacher(inputs_for(self.teacher, x), training=False))
        return each(lambda output: tf.stop_gradient(tf.cast(output, tf.float32)), self.targets(outputs))

    def targets(self, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the soft targets of each output, given the outputs of the teacher: all exits learn from the last."""
        is_last = self.aim.are_exits or len(outputs) > len(self.aim.heads)
        return (outputs[-1],) * len(self.aim.heads) if is_last else outputs

    def own_targets(self, outputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Return the soft targets of the full network if it teaches: its early exits learn from its last one."""
        if not self.aim.are_exits:
            return None
        return (*(tf.stop_gradient(outputs[-1]),) * (len(outputs) - 1), None)

    def of(self, positions: Sequence[int]) -> Distillation:
        """Return the distillation of a network that has some of the outputs."""
        return replace(
            self, aim=self.aim.of(positions), soft_losses=tuple(self.soft_losses[position] for position in positions)
        )

    def loss(self, labels: Any, soft_targets: Any, outputs: Any, weights: Any) -> Any:
        """Return the loss of a network: that of the labels blended with the soft loss, output by output.

        An output without soft targets, which is None in their place, only has the loss of the labels.
        """
        total = tf.constant(0.0)
        given = zip(
            self.aim.heads, self.soft_losses, columns(labels), _columns(soft_targets), columns(outputs), strict=True
        )
        for head, soft_loss, y, wanted, found in given:
            hard = tf.cast(head.loss(head.loss_targets(y), found, weights), tf.float32)
            if wanted is None:
                total += head.weight * hard
            else:
                soft = soft_loss(tf.cast(wanted, tf.float32), tf.cast(found, tf.float32), weights)
                total += head.weight * ((1 - self.weight) * hard + self.weight * soft)
        return total


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
    if settings.distill is Teacher.FULL:
        teacher = None
    elif teacher is None:
        return None
    elif _outputs_to_match(teacher) != _outputs_to_match(model):
        raise InputError(
            "the network to distil from has other outputs",
            f"give {argument('distill', 'full')} or {argument('distill', 'none')}",
        )
    soft_losses = tuple(soft_loss(head, settings.distill_temperature) for head in aim.heads)
    return Distillation(settings.distill_weight, aim, soft_losses, teacher)


def _outputs_to_match(model: Any) -> tuple[Outputs, ...]:
    """Return the outputs that a teacher and a network must have alike: of those with exits, the last one."""
    return outputs_of(model)[-1:] if are_exit_outputs(model) else outputs_of(model)


def soft_loss(head: Head, temperature: float) -> Callable[[Any, Any, Any], Any]:
    """Return the soft loss of an output: a function of (teacher's output, network's output, weights of the examples).

    It is averaged over examples. For classes it is temperature^2 x KL(softmax(teacher / T) || softmax(network / T));
    the factor keeps the gradients of soft and hard targets in proportion (Hinton et al., arXiv 1503.02531, section
    2.1). For binary outputs it is the same over the two outcomes of each output. For real numbers it is the task's
    loss, without a temperature.
    """
    activation = head.outputs.activation
    if activation is Activation.OTHER and head.labels is Labels.REAL:
        return head.loss
    binary = activation is Activation.SIGMOID or (activation is Activation.OTHER and head.labels is Labels.BINARY)
    probable = activation is not Activation.OTHER

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

    def loss(teacher: Any, network: Any, weights: Any = None) -> Any:
        wanted, found = log_probabilities(teacher), log_probabilities(network)
        divergence = tf.reduce_sum(tf.exp(wanted) * (wanted - found), axis=-1)
        if weights is not None:
            by_example = tf.cast(weights, tf.float32)
            divergence *= tf.reshape(by_example, (-1, *(1 for _ in divergence.shape[1:])))
        mask = keras.src.backend.get_keras_mask(network)
        if mask is not None:  # as in losses of Keras, the mean is over the positions that count
            counted = tf.cast(mask, tf.float32)
            divergence *= counted / tf.maximum(tf.reduce_mean(counted), _SMALLEST)
        return temperature**2 * tf.reduce_mean(divergence)

    return loss


def _columns(soft_targets: Any) -> tuple[Any | None, ...]:
    """Return the soft targets of each output, of which some may be None."""
    return soft_targets if isinstance(soft_targets, tuple) else (soft_targets,)
