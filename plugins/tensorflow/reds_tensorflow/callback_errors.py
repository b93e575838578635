"""Errors of the user's callbacks, in messages that name the callback."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from reds_core.errors import InputError, RedsError, argument

_CHANGE_THE_RATE = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def check_rate_is_free(callbacks: Sequence[Any], optimizer: Any) -> None:
    """Refuse callbacks that change the learning rate of an optimizer whose rate follows a schedule.

    Raises:
        InputError: if there is such a callback.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not isinstance(inner._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        return
    for callback in callbacks:
        if isinstance(callback, _CHANGE_THE_RATE):
            raise InputError(
                f"{type(callback).__name__} cannot change the learning rate, which follows a schedule",
                f"use {argument('schedule', 'constant')}, or give an optimizer with a number as its learning rate",
            )


@contextmanager
def callback_errors_named(callbacks: Sequence[Any]) -> Iterator[None]:
    """Attribute errors that one of the user's callbacks raises within the context to that callback.

    Raises:
        InputError: if a callback raises an error that is not one of reds.
    """
    try:
        with _whole_tracebacks():
            yield
    except (RedsError, MemoryError):
        raise
    except Exception as error:
        callback = _callback_of(error, callbacks)
        if callback is None:
            raise
        raise InputError(
            f"callback {type(callback).__name__} failed with {type(error).__name__}: {error}",
            "correct the callback, or leave it out",
        ) from error


@contextmanager
def _whole_tracebacks() -> Iterator[None]:
    """Have Keras leave its own frames, and so those of its own callbacks, in tracebacks within the context."""
    was_filtering = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if was_filtering:
            keras.config.enable_traceback_filtering()


def _callback_of(error: Exception, callbacks: Sequence[Any]) -> Any | None:
    """Return the callback in whose code the error was raised, or None."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        owner = frame.f_locals.get("self")
        if any(owner is callback for callback in callbacks):
            return owner
    return None
