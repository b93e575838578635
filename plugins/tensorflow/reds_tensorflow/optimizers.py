"""Keras optimizers from the settings of fine-tuning."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.errors import InputError
from reds_core.framework import FinetuneSettings, Precision

_SGD_MOMENTUM = 0.9
_LEFT_OUT = frozenset({"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap", "ScheduleFreeAdamW"})
"""Classes that are not optimizers on their own, and one whose trained weights differ from the final ones."""


class Rates(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A schedule with a given learning rate for every step, which stays constant after the last."""

    def __init__(self, rates: npt.NDArray[np.float64]) -> None:
        self._rates = tf.constant(rates, tf.float32)

    def __call__(self, step: Any) -> Any:
        return tf.gather(self._rates, tf.minimum(tf.cast(step, tf.int32), len(self._rates) - 1))

    def get_config(self) -> dict[str, Any]:
        """Return the rates, since callbacks that log the optimizer serialize its schedule."""
        return {"rates": self._rates.numpy().tolist()}


def optimizer_of(settings: FinetuneSettings, rates: npt.NDArray[np.float64], undecayed: Sequence[Any] = ()) -> Any:
    """Return the optimizer, not yet built. For mixed_float16 it scales the loss.

    Args:
        settings: the settings of fine-tuning.
        rates: the learning rate of every step.
        undecayed: variables without weight decay.

    Raises:
        InputError: if the optimizer is unknown, or a momentum is given and it has none.
    """
    kind = _kinds().get(settings.optimizer.lower())
    if kind is None:
        names = sorted(_kinds())
        near = difflib.get_close_matches(settings.optimizer.lower(), names, 1)
        raise InputError(
            f"optimizer '{settings.optimizer}' is unknown", f"give {near[0] if near else 'one of ' + ', '.join(names)}"
        )
    # A constant rate is a number, which callbacks can change.
    rate = Rates(rates) if np.ptp(rates) > 0 else settings.learning_rate
    options: dict[str, Any] = {"learning_rate": rate, "global_clipnorm": settings.clip_norm}
    if settings.weight_decay is not None:
        options["weight_decay"] = settings.weight_decay
    has_momentum = "momentum" in inspect.signature(kind).parameters
    if settings.momentum is not None and not has_momentum:
        raise InputError(f"optimizer '{settings.optimizer}' has no momentum to set", "leave it out, or use sgd")
    if settings.momentum is not None or kind is keras.optimizers.SGD:
        options["momentum"] = _SGD_MOMENTUM if settings.momentum is None else settings.momentum
    optimizer = kind(**options)
    optimizer.exclude_from_weight_decay(list(undecayed))
    return keras.optimizers.LossScaleOptimizer(optimizer) if settings.precision is Precision.FLOAT16 else optimizer


def prepared(given: Any | None, settings: FinetuneSettings, steps_per_epoch: int, undecayed: Sequence[Any]) -> Any:
    """Return the optimizer of a training, not yet built.

    Args:
        given: an optimizer that the caller gives, of which a copy is returned, or None.
        settings: the settings of fine-tuning, by which the optimizer is made if none is given.
        steps_per_epoch: number of steps in an epoch.
        undecayed: variables without weight decay, unless an optimizer is given.
    """
    if given is None:
        return optimizer_of(settings, settings.rates(steps_per_epoch), undecayed)
    optimizer = copied(given)
    scales = settings.precision is Precision.FLOAT16 and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return keras.optimizers.LossScaleOptimizer(optimizer) if scales else optimizer


def copied(optimizer: Any) -> Any:
    """Return a new optimizer with the configuration of `optimizer`, but none of its state.

    Raises:
        InputError: if its configuration cannot be read, such as that of a learning-rate schedule without `get_config`.
    """
    try:
        made = type(optimizer).from_config(optimizer.get_config())
    except Exception as error:  # classes of the user may raise anything
        raise InputError(
            f"optimizer {type(optimizer).__name__} cannot be copied ({type(error).__name__}: {error})",
            "give it a schedule with get_config and from_config, or give another optimizer",
        ) from error
    _exclude_alike(optimizer, made)
    return made


def _exclude_alike(optimizer: Any, copy: Any) -> None:
    """Leave the same variables out of weight decay, which the configuration of an optimizer does not say.

    Raises:
        InputError: if they are given as variables, since a family is trained with variables of its own.
    """
    given, made = (getattr(each, "inner_optimizer", each) for each in (optimizer, copy))
    if getattr(given, "_exclude_from_weight_decay", None):
        raise InputError(
            f"optimizer {type(given).__name__} leaves variables out of weight decay by var_list",
            "name them by var_names instead, since a family is trained with variables of its own",
        )
    pattern = getattr(given, "_exclude_from_weight_decay_pattern", None)
    if pattern is not None:
        made.exclude_from_weight_decay(var_names=[pattern.pattern])


def _kinds() -> dict[str, Any]:
    """Return optimizer classes by identifier."""
    return {
        name.lower(): kind
        for name, kind in vars(keras.optimizers).items()
        if inspect.isclass(kind) and issubclass(kind, keras.optimizers.Optimizer) and name not in _LEFT_OUT
    }
