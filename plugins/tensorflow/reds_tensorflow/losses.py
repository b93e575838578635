"""Losses of Keras and of the user as functions of one signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from reds_core.errors import InputError
from reds_tensorflow.features import FEATURE_LOSSES
from reds_tensorflow.identifiers import keras_object
from reds_tensorflow.targets import TakesLabels, form_for

_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")


@dataclass(frozen=True)
class BuiltLoss(TakesLabels):
    """A loss.

    Attributes:
        mean: function of (targets, outputs, weights (N,) or None) that returns the mean over examples, a scalar tensor.
    """

    mean: Callable[..., Any]


def built_loss(given: Any, from_logits: bool) -> BuiltLoss:
    """Return the loss that the user gives.

    Args:
        given: name of a Keras loss, a Loss object or class, or a function of (targets, outputs) that returns the loss
            of each example (N, ...) or its mean.
        from_logits: whether the outputs are logits. Losses that are given by name are told so; functions and objects
            have settings of their own.

    Raises:
        InputError: if it is unknown or cannot be called.
    """
    if isinstance(given, str):
        found: Any = FEATURE_LOSSES.get(given) or keras_object("loss", given, {"from_logits": from_logits})
        if not isinstance(found, keras.losses.Loss) and "from_logits" in inspect.signature(found).parameters:
            found = partial(found, from_logits=from_logits)
        form = form_for(given, found)
        name = given
    else:
        found = given() if inspect.isclass(given) else given
        if not callable(found):
            raise InputError(f"a loss of type {type(given).__name__} cannot be used", "give a Keras loss or a function")
        form = form_for(given, found)
        name = getattr(found, "__name__", type(found).__name__)
    mean = _mean_of_object if isinstance(found, keras.losses.Loss) else _mean_of_function
    ignored = getattr(found, "ignore_class", None)
    return BuiltLoss(name, form, ignored, partial(mean, found))


def _mean_of_function(function: Callable[..., Any], targets: Any, outputs: Any, weights: Any = None) -> Any:
    values = function(targets, outputs)
    if weights is not None:
        # A function may return the mean of the batch, which can only be weighted as a whole.
        values = values * keras.ops.cast(_of_rank(weights, max(len(values.shape), 1)), values.dtype)
    return keras.ops.mean(values)


def _mean_of_object(loss: Any, targets: Any, outputs: Any, weights: Any = None) -> Any:
    if weights is not None and len(outputs.shape) > 2:
        # Keras aligns weights with losses from the left only if their ranks are equal.
        weights = _of_rank(weights, max(len(loss.call(targets, outputs).shape), 1))
    value = keras.ops.mean(loss(targets, outputs, sample_weight=weights))
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas > 1 and loss.reduction in _MEANS:  # a Loss object divides by their number, a function does not
        value = value * replicas
    return value


def _of_rank(weights: Any, rank: int) -> Any:
    """Return weights (N,) with dimensions of 1 behind."""
    return keras.ops.reshape(weights, (-1, *[1] * (rank - 1)))
