"""Networks with whole models in wrappers, by kind of wrapper and kind of model inside.

Each is `times` as wide as the smallest of its kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers as L

FRAME = (9, 8, 2)
"""What a model inside takes."""


@keras.saving.register_keras_serializable("reds-tests")
class Halved(L.Wrapper):
    """A wrapper of the user's own, around any layer; it calls the layer as TimeDistributed does."""

    def call(self, x: Any) -> Any:
        return 0.5 * self.layer.call(x)

    def compute_output_shape(self, shape: Any) -> Any:
        return self.layer.compute_output_shape(shape)


@keras.saving.register_keras_serializable("reds-tests")
class DenseCell(L.Layer):
    """A cell of the user's own, with a layer of Keras inside."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units
        self.inner = L.Dense(units, activation="tanh")

    def build(self, shape: Any) -> None:
        self.inner.build((*shape[:-1], shape[-1] + self.units))
        self.built = True

    def call(self, inputs: Any, states: Any) -> Any:
        made = self.inner(keras.ops.concatenate([inputs, states[0]], axis=-1))
        return made, [made]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("reds-tests")
class Squeezed(L.Layer):
    """A block of the user's own: layers of Keras and a product with a weight of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = L.Dense(3, activation="relu")

    def build(self, shape: Any) -> None:
        self.inner.build(shape)
        self.back = self.add_weight(shape=(3, shape[-1]), name="back_kernel")

    def call(self, x: Any) -> Any:
        return x + keras.ops.matmul(self.inner(x), self.back)

    def own_macs(self, shape: tuple[int, ...]) -> int:
        """Of the product with the weight of its own, for an input of this shape."""
        return math.prod(shape[:-1]) * 3 * shape[-1]


def sequential(times: int = 1) -> Any:
    return keras.Sequential(
        [
            L.Input(FRAME),
            L.Conv2D(6 * times, 3, activation="relu"),
            L.BatchNormalization(),
            L.MaxPooling2D(),
            L.Conv2D(5 * times, 2),
            L.Flatten(),
            L.Dense(7 * times, activation="relu"),
        ]
    )


def branching(times: int = 1) -> Any:
    inputs = L.Input(FRAME)
    x = L.Conv2D(6 * times, 3, padding="same", activation="relu")(inputs)
    y = L.Conv2D(6 * times, 3, padding="same")(L.BatchNormalization()(x))
    z = L.Concatenate()([L.Add()([x, y]), L.SeparableConv2D(4 * times, 3, padding="same")(inputs)])
    z = L.DepthwiseConv2D(3)(L.ReLU()(z))
    gate = L.Dense(10 * times, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(z))
    return keras.Model(inputs, L.Conv2D(5 * times, 2, strides=2)(L.Multiply()([z, gate])))


def repeating(times: int = 1) -> Any:
    """One layer called twice, on images of two sizes."""
    inputs = L.Input(FRAME)
    again = L.Conv2D(5 * times, 2, activation="relu")
    x = again(L.Conv2D(5 * times, 2)(inputs))
    return keras.Model(inputs, L.GlobalMaxPooling2D()(again(x)))


def models_in_models(times: int = 1) -> Any:
    inputs = L.Input(FRAME)
    block = keras.Sequential(
        [L.Input((None, None, 5 * times)), L.Conv2D(5 * times, 3, padding="same"), L.BatchNormalization(), L.ReLU()]
    )
    head = keras.Sequential(
        [L.Input((2, 2, 5 * times)), keras.Sequential([L.Input((2, 2, 5 * times)), L.Flatten()]), L.Dense(6 * times)]
    )
    x = L.MaxPooling2D(4)(block(block(L.Conv2D(5 * times, 1)(inputs))))
    return keras.Model(inputs, head(x))


def attending(times: int = 1) -> Any:
    inputs = L.Input(FRAME)
    x = L.Dense(6 * times)(
        L.Reshape((16, 18 * times))(L.AveragePooling2D(2)(L.Conv2D(18 * times, 2, padding="same")(inputs)))
    )
    x = L.Add()([x, L.MultiHeadAttention(3 * times, 2)(x, x)])
    return keras.Model(inputs, L.GlobalAveragePooling1D()(L.Dense(5 * times, activation="gelu")(x)))


def recurrent(times: int = 1) -> Any:
    """Rows are steps: a sequence in each step of a sequence."""
    inputs = L.Input(FRAME)
    x = L.TimeDistributed(L.Dense(5 * times))(L.Reshape((9, 16))(inputs))
    x = L.Bidirectional(L.LSTM(4 * times, return_sequences=True))(x)
    return keras.Model(inputs, L.GRU(5 * times)(x))


def functions(times: int = 1) -> Any:
    inputs = L.Input(FRAME)
    x = keras.activations.relu(L.Conv2D(6 * times, 3)(inputs))
    x = keras.activations.glu(L.Conv2D(8 * times, 2)(x * 0.5))
    return keras.Model(inputs, keras.ops.mean(keras.ops.tanh(x), axis=(1, 2)))


def with_a_block_of_ones_own(times: int = 1) -> Any:
    inputs = L.Input(FRAME)
    x = Squeezed()(L.Conv2D(6 * times, 3, activation="relu")(inputs))
    return keras.Model(inputs, L.Dense(6 * times, activation="relu")(L.Flatten()(L.Conv2D(8 * times, 3)(x))))


INNER: dict[str, Callable[[int], Any]] = {
    "sequential": sequential,
    "branching": branching,
    "repeating": repeating,
    "models in models": models_in_models,
    "attending": attending,
    "recurrent": recurrent,
    "functions": functions,
    "own block": with_a_block_of_ones_own,
}


def _ended(inputs: Any, x: Any) -> Any:
    """A recurrent layer over the steps, and a head."""
    x = L.Reshape((x.shape[1], -1))(x) if len(x.shape) > 3 else x
    return keras.Model(inputs, L.Dense(3)(L.LSTM(6)(x)))


def at_each_step(inner: Any, steps: int) -> Any:
    inputs = L.Input((steps, *FRAME))
    return _ended(inputs, L.TimeDistributed(inner)(inputs))


def at_each_step_of_each_step(inner: Any, steps: int) -> Any:
    inputs = L.Input((2, steps, *FRAME))
    x = L.TimeDistributed(L.TimeDistributed(inner))(inputs)
    return _ended(inputs, L.Reshape((2 * steps, -1))(x))


def in_a_model_at_each_step(inner: Any, steps: int) -> Any:
    """A model at each step of a model at each step."""
    clip = keras.Sequential([L.Input((steps, *FRAME)), L.TimeDistributed(inner), L.Flatten(), L.Dense(5)])
    inputs = L.Input((2, steps, *FRAME))
    return _ended(inputs, L.TimeDistributed(clip)(inputs))


def in_a_nested_model(inner: Any, steps: int) -> Any:
    block = keras.Sequential([L.Input((steps, *FRAME)), L.TimeDistributed(L.Conv2D(2, 1)), L.TimeDistributed(inner)])
    inputs = L.Input((steps, *FRAME))
    return _ended(inputs, block(inputs))


def shared(inner: Any, steps: int) -> Any:
    """The same model at each step of one input and on another input."""
    inputs, still = L.Input((steps, *FRAME)), L.Input(FRAME)
    x = L.Reshape((steps, -1))(L.TimeDistributed(inner)(inputs))
    y = L.Reshape((1, -1))(inner(still))
    return keras.Model([inputs, still], L.Dense(3)(L.GRU(6)(L.Concatenate(axis=1)([x, y]))))


def shared_by_two_wrappers(inner: Any, steps: int) -> Any:
    inputs, others = L.Input((steps, *FRAME)), L.Input((2, *FRAME))
    x = L.Reshape((steps, -1))(L.TimeDistributed(inner)(inputs))
    y = L.Reshape((2, -1))(L.TimeDistributed(inner)(others))
    return keras.Model([inputs, others], L.Dense(3)(L.GRU(6)(L.Concatenate(axis=1)([x, y]))))


def in_a_wrapper_of_ones_own(inner: Any, steps: int) -> Any:
    """It cannot be followed, so that its work is fixed."""
    inputs = L.Input((steps, *FRAME))
    x = L.TimeDistributed(L.Conv2D(8, 3, padding="same"))(inputs)
    return _ended(inputs, L.TimeDistributed(Halved(inner))(L.TimeDistributed(L.Conv2D(2, 3, padding="same"))(x)))


WRAPPERS: dict[str, Callable[[Any, int], Any]] = {
    "at each step": at_each_step,
    "at each step of each step": at_each_step_of_each_step,
    "in a model at each step": in_a_model_at_each_step,
    "in a nested model": in_a_nested_model,
    "shared": shared,
    "shared by two wrappers": shared_by_two_wrappers,
    "own wrapper": in_a_wrapper_of_ones_own,
}


def cells_both_ways(times: int = 1) -> Any:
    inputs = L.Input((6, 5))
    x = L.Bidirectional(L.RNN([L.LSTMCell(4 * times), L.GRUCell(5 * times)], return_sequences=True))(
        L.Dense(7 * times)(inputs)
    )
    return keras.Model(inputs, L.Dense(3)(L.Bidirectional(L.RNN(L.SimpleRNNCell(6 * times)), merge_mode="sum")(x)))


def both_ways_at_each_step(times: int = 1) -> Any:
    inputs = L.Input((3, 6, 5))
    x = L.TimeDistributed(L.Bidirectional(L.LSTM(4 * times, return_sequences=True)))(L.Dense(7 * times)(inputs))
    return _ended(inputs, L.TimeDistributed(L.GRU(5 * times))(x))


def cells_of_ones_own(times: int = 1) -> Any:
    inputs = L.Input((6, 5))
    x = L.Bidirectional(L.RNN(DenseCell(4 * times), return_sequences=True))(
        L.Conv1D(9 * times, 3, padding="same")(inputs)
    )
    x = L.Conv1D(12 * times, 3, padding="same")(x)
    return keras.Model(inputs, L.Dense(3)(L.RNN([L.LSTMCell(4 * times), DenseCell(3 * times)])(x)))


def one_layer_in_two_places(times: int = 1) -> Any:
    """A layer at each step that is called by itself as well."""
    inputs = L.Input((4, 5))
    again = L.Dense(6 * times, activation="relu")
    x = L.TimeDistributed(again)(inputs)
    return keras.Model(
        inputs, L.Dense(3)(L.Concatenate()([L.LSTM(5 * times)(x), again(L.GlobalMaxPooling1D()(inputs))]))
    )


def normalised_by_spectrum(times: int = 1) -> Any:
    inputs = L.Input((3, *FRAME))
    inner = keras.Sequential([L.Input(FRAME), L.SpectralNormalization(L.Conv2D(6 * times, 3)), L.ReLU(), L.Flatten()])
    return _ended(inputs, L.TimeDistributed(inner)(inputs))


OTHERS: dict[str, Callable[[int], Any]] = {
    "cells both ways": cells_both_ways,
    "both ways at each step": both_ways_at_each_step,
    "own cells": cells_of_ones_own,
    "one layer in two places": one_layer_in_two_places,
    "spectral normalisation": normalised_by_spectrum,
}
