"""Small networks of functions of keras.ops, and of layers that do the same."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers as L


def vectors_to_images() -> Any:
    """A generator: a Dense layer makes images, channels become pixels (arXiv 1609.05158), by layers and functions."""
    inputs = keras.Input((4,))
    x = L.BatchNormalization()(L.Dense(3 * 3 * 5, activation="relu", name="a")(inputs))
    x = L.Reshape((3, 3, 5))(x)
    x = L.Conv2D(4 * 6, 3, padding="same", activation="relu", name="b")(x)
    x = L.Permute((1, 3, 2, 4, 5))(L.Reshape((3, 3, 2, 2, 6))(x))
    x = L.Conv2D(4 * 4, 1, name="c")(L.Reshape((6, 6, 6))(x))
    x = keras.ops.transpose(keras.ops.reshape(x, (-1, 6, 6, 2, 2, 4)), (0, 1, 3, 2, 4, 5))
    x = keras.ops.reshape(x, (-1, 12, 12, 4))
    return keras.Model(inputs, L.Dense(3, name="out")(keras.ops.reshape(x, (-1, 12 * 12 * 4))))


def functions() -> Any:
    """Functions that move positions, join tensors and split channels."""
    inputs = keras.Input((8, 6, 3))
    o = keras.ops
    x = L.Conv2D(5, 3, padding="same", activation="relu", name="a")(inputs)
    y = L.Conv2D(5, 1, name="b")(o.swapaxes(o.flip(o.roll(o.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0))), 2, 1), 2), 1, 2))
    y = o.image.resize(y, (8, 6))
    x = L.Conv2D(8, 3, padding="same", name="halves")(o.sum(o.stack([x, y], axis=1), axis=1))
    gate, value = o.split(x, 2, axis=-1)
    above, below = o.split(gate * L.Activation("sigmoid")(value), 2, axis=1)
    return keras.Model(inputs, L.Dense(3, name="out")(L.Flatten()(above - below)))


def sums_of_products() -> Any:
    """A non-local block (arXiv 1711.07971) by functions and by layers, and distances."""
    inputs = keras.Input((4, 4, 3))
    x = L.Conv2D(6, 3, padding="same", activation="relu", name="stem")(inputs)
    query, key, value = (L.Reshape((16, n))(L.Conv2D(n, 1, name=name)(x)) for name, n in (("q", 4), ("k", 4), ("v", 5)))
    near = keras.ops.softmax(0.1 * keras.ops.matmul(query, keras.ops.swapaxes(key, 1, 2)))
    far = L.Activation("sigmoid")(L.Dot(axes=2)([key, query]))
    y = L.Dot(axes=(2, 1))([far, keras.ops.matmul(near, value)])
    x = L.Add()([x, L.Conv2D(6, 1, name="back")(L.Reshape((4, 4, 5))(y))])
    left, right = (L.Dense(7, name=name)(L.Flatten()(x)) for name in ("left", "right"))
    apart = keras.ops.sum(keras.ops.square(left - right), axis=-1, keepdims=True)
    return keras.Model(inputs, L.Dense(3, name="out")(L.Concatenate()([apart, L.Dot(axes=-1)([left, right])])))
