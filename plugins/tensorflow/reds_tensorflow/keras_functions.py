"""Mends what Keras makes of some functions where a model is traced for one example.

Addition: Keras adds tensors of which the second has one dimension above 1 by `bias_add`. With a batch of 1 a sequence
of one channel, (1, steps, 1), looks like that: as a bias of the second dimension, which LiteRT cannot convert, or of
the last one where that is as long, which is another sum (Keras 3.15, backend/tensorflow/numpy.py).

Reversal: Keras reverses sequences by REVERSE_V2, whose input and output get scales of their own in an int8 file, while
LiteRT's kernel copies integers.
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
    """Inside, such tensors are added element by element; biases of the last dimension are still added as such."""
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
    """Inside, tensors of fixed shape are reversed by GATHER, whose input and output share their scale."""
    flip = backend.numpy.flip

    def flipped(x: Any, axis: Any = None) -> Any:
        if not tf.TensorShape(x.shape).is_fully_defined():
            return flip(x, axis=axis)
        axes = range(len(x.shape)) if axis is None else [axis] if isinstance(axis, int) else axis
        return reversed_along(tf.convert_to_tensor(x), list(axes))

    with replaced((backend.numpy, "flip", flipped)):
        yield
