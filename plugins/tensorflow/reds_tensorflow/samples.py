"""Sample models for `reds check tensorflow`: small networks with all kinds of connections between channels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers as L

from reds_core.framework import BuiltSample, SampleModel

EXAMPLES = 48
CLASSES = 3


def convolutional() -> Any:
    """Batch norms, a residual block, squeeze-and-excite, a depthwise convolution, a concatenation and Flatten."""
    inputs = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(inputs)
    x = L.ReLU(name="stem_relu")(L.BatchNormalization(name="stem_norm")(x))
    y = L.Conv2D(6, 3, padding="same", activation="relu", name="inner")(x)
    y = L.BatchNormalization(name="norm")(L.Conv2D(8, 1, name="back")(y))
    x = L.Add(name="add")([x, y])
    gate = L.Dense(4, activation="relu", name="squeeze")(L.GlobalAveragePooling2D(keepdims=True, name="mean")(x))
    x = L.Multiply(name="gated")([x, L.Dense(8, activation="sigmoid", name="excite")(gate)])
    y = L.DepthwiseConv2D(3, padding="same", activation="relu6", name="depthwise")(x)
    x = L.Concatenate(name="joined")([x, L.Conv2D(5, 1, name="pointwise")(y)])
    x = L.Flatten(name="flat")(L.MaxPooling2D(2, name="pool")(x))
    return keras.Model(inputs, L.Dense(CLASSES, name="out")(x), name="convolutional")


CONVOLUTIONAL_MACS = (
    16 * (27 * 8 + 8 * 9 * 6 + 6 * 8)  # stem, inner, back: 4 x 4 positions
    + 8 * 4 * 2  # squeeze, excite
    + 16 * (8 * 9 + 8 * 5)  # depthwise, pointwise
    + 4 * 13 * CLASSES
)


def attention() -> Any:
    """Self-attention with a residual connection, over a sequence, and a gated hidden layer."""
    inputs = keras.Input((6, 5), name="sequence")
    x = L.Dense(8, name="embed")(inputs)
    x = L.Add(name="attended")([x, L.MultiHeadAttention(4, 3, name="attention")(x, x)])
    y = L.Multiply(name="gated")(
        [L.Dense(7, name="hidden")(x), L.Dense(7, activation="sigmoid", name="gate")(x)],
    )
    x = L.GlobalAveragePooling1D(name="mean")(L.Dense(6, activation="tanh", name="last")(y))
    return keras.Model(inputs, L.Dense(CLASSES, name="out")(x), name="attention")


def recurrent() -> Any:
    """A convolution over time, a recurrent layer, and a dense layer."""
    inputs = keras.Input((8, 4), name="sequence")
    x = L.Conv1D(6, 3, activation="relu", name="conv")(inputs)
    x = L.Dense(5, activation="relu", name="dense")(L.LSTM(6, name="lstm")(x))
    return keras.Model(inputs, L.Dense(CLASSES, name="out")(x), name="recurrent")


def lively(build: Callable[[], Any]) -> Callable[[], BuiltSample]:
    """Return a builder of a sample: the model of `build` with random weights, and random examples with labels.

    Kernels are scaled by their fan-in, so that outputs vary, and the last bias is chosen such that every class occurs.
    Labels are the model's own predictions, some of them changed.

    Args:
        build: returns a model of one input whose last layer is named "out" and has one output per class.
    """

    def sample() -> BuiltSample:
        rng = np.random.default_rng(0)
        model = build()
        x = rng.normal(size=(EXAMPLES, *model.input_shape[1:])).astype(np.float32)
        for variable in model.variables:
            variable.assign(_drawn(rng, variable.name, tuple(variable.shape)))
        bias = model.get_layer("out").bias
        bias.assign(bias - np.median(np.asarray(model(x, training=False)), axis=0))
        y = np.asarray(model(x, training=False)).argmax(axis=-1)
        y[::6] = (y[::6] + 1) % CLASSES
        return model, x, y.astype(np.int64)

    return sample


def _drawn(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Any:
    """Return random values for a weight of that name."""
    if name in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 1.5, shape)
    if len(shape) > 1:
        return rng.normal(0, math.sqrt(2 / math.prod(shape[:-1])), shape)
    return rng.normal(0, 0.3, shape)


SAMPLES = (
    SampleModel("convolutional", lively(convolutional), macs=CONVOLUTIONAL_MACS),
    SampleModel("attention", lively(attention)),
    SampleModel("recurrent", lively(recurrent)),
)
