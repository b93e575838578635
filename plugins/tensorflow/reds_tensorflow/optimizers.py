"""The Keras optimizer that settings ask for."""

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
"""Classes that are no optimizers by themselves, and one that trains other weights than it leaves behind."""


class Rates(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning rate for every step, looked up; behind the last it stays."""

    def __init__(self, rates: npt.NDArray[np.float64]) -> None:
        self._rates = tf.constant(rates, tf.float32)

    def __call__(self, step: Any) -> Any:
        return tf.gather(self._rates, tf.minimum(tf.cast(step, tf.int32), len(self._rates) - 1))


def optimizer_of(settings: FinetuneSettings, rates: npt.NDArray[np.float64], undecayed: Sequence[Any] = ()) -> Any:
    """The optimizer, not yet built; for mixed_float16 one that scales the loss.

    Args:
        rates: learning rate of every step.
        undecayed: variables that weight decay leaves alone.

    Raises:
        InputError: if there is no such optimizer, or it has no momentum and one is given.
    """
    kind = _kinds().get(settings.optimizer.lower())
    if kind is None:
        names = sorted(_kinds())
        near = difflib.get_close_matches(settings.optimizer.lower(), names, 1)
        raise InputError(
            f"optimizer '{settings.optimizer}' is unknown", f"give {near[0] if near else 'one of ' + ', '.join(names)}"
        )
    options: dict[str, Any] = {"learning_rate": Rates(rates), "global_clipnorm": settings.clip_norm}
    if settings.weight_decay is not None:
        options["weight_decay"] = settings.weight_decay
    has_momentum = "momentum" in inspect.signature(kind).parameters
    if settings.momentum is not None and not has_momentum:
        raise InputError(f"optimizer '{settings.optimizer}' has no momentum to set", "leave it out, or take sgd")
    if settings.momentum is not None or kind is keras.optimizers.SGD:
        options["momentum"] = _SGD_MOMENTUM if settings.momentum is None else settings.momentum
    optimizer = kind(**options)
    optimizer.exclude_from_weight_decay(list(undecayed))
    return keras.optimizers.LossScaleOptimizer(optimizer) if settings.precision is Precision.FLOAT16 else optimizer


def _kinds() -> dict[str, Any]:
    """Optimizer classes by identifier."""
    return {
        name.lower(): kind
        for name, kind in vars(keras.optimizers).items()
        if inspect.isclass(kind) and issubclass(kind, keras.optimizers.Optimizer) and name not in _LEFT_OUT
    }
