"""Corrections of Keras functions for models that are traced with a batch size of 1.

Addition: Keras uses `bias_add` if only one dimension of the second tensor is larger than 1. With a batch size of 1 this
includes a sequence of one channel, (1, steps, 1). It is added as a bias of the second dimension, which LiteRT cannot
convert, or of the last dimension if that has the same length, which is wrong (Keras 3.15, backend/tensorflow/numpy.py).

Reversal: Keras reverses sequences by REVERSE_V2, whose input and output may have different scales in an int8 file,
although LiteRT's kernel copies integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from keras.src import backend

from reds_tensorflow.fused_lstm import reversed_along
from reds_tensorflow.replacing import replaced


@contextmanager
def addends_kept_apart() -> Iterator[None]:
    """Add such tensors elementwise within the context; biases of the last dimension are still added by `bias_add`."""
    add = backend.numpy.add

    def added(x1: Any, x2: Any) -> Any:
        one, other = (tuple(getattr(x, "shape", ())) for x in (x1, x2))
        if len(one) == len(other) > 1 and other[-1] == 1 and x1.dtype == x2.dtype:
            return tf.add(x1, x2)
        return add(x1, x2)

    with replaced((backend.numpy, "add", added)):
        yield


@contextmanager
def scales_kept_in_reversal() -> Iterator[None]:
    """Reverse tensors of fixed shape within the context by GATHER, whose input and output have the same scale."""
    flip = backend.numpy.flip

    def flipped(x: Any, axis: Any = None) -> Any:
        if not tf.TensorShape(x.shape).is_fully_defined():
            return flip(x, axis=axis)
        axes = range(len(x.shape)) if axis is None else [axis] if isinstance(axis, int) else axis
        return reversed_along(tf.convert_to_tensor(x), list(axes))

    with replaced((backend.numpy, "flip", flipped)):
        yield
