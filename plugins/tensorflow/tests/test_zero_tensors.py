"""int8 files of models in which a layer is zero for every example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from litert_files import converted, interpreter_of, run_one_by_one
from reds_litert.graph import read_graph
from reds_litert.zero_tensors import LEAST_SCALE, zero_tensors_scaled

from reds_core.framework import Arrays


def model_with_a_dead_layer(bias_after: float) -> Any:
    """A residual block and a gate, in both of which a convolution is zero behind its ReLU."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((6, 6, 3))
    x = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    y = L.Conv2D(5, 3, padding="same", activation="relu", name="dead")(x)
    y = L.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(y)
    y = L.Conv2D(4, 1, name="last")(y)
    pooled = L.GlobalAveragePooling2D(keepdims=True)(L.Conv2D(3, 1, activation="relu", name="dead_too")(x))
    gate = L.Conv2D(4, 1, name="gate")(pooled)
    outputs = L.Dense(3)(L.GlobalAveragePooling2D()(L.Multiply()([L.Add()([x, y]), gate])))
    model = keras.Model(inputs, outputs)
    given = {"dead": -1000.0, "dead_too": -50.0, "depthwise": bias_after, "last": np.array([0.3, -0.2, 0.1, 0.5])}
    for name, bias in {**given, "gate": 0.7}.items():
        kernel, zeros = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel, zeros + bias])
    return model


def examples() -> Arrays:
    x = np.random.default_rng(0).normal(size=(40, 6, 6, 3)).astype(np.float32)
    return Arrays(x, np.zeros(40, np.int64))


@pytest.mark.parametrize("bias_after", [0.0, 0.4])
def test_the_default_delegate_runs_files_with_tensors_that_are_zero(bias_after: float) -> None:
    model, data = model_with_a_dead_layer(bias_after), examples()
    content = converted(model, data)
    (found,) = run_one_by_one(interpreter_of(content), (data.x,))
    assert found == pytest.approx(model.predict(data.x, verbose=0), abs=0.03)
    made = [tensor for tensor in read_graph(content).tensors if tensor.data is None and len(tensor.scales) == 1]
    assert min(tensor.scale for tensor in made) > LEAST_SCALE


def flattened(x: Any) -> Any:
    return L.Dense(3, **BIASED)(L.Flatten()(x))


def joined(x: Any) -> Any:
    """Several tensors that are zero and must have the same scale, though each is made by another layer."""
    return L.Conv2D(2, 1, **BIASED)(L.Concatenate()([x, L.ReLU()(-L.ReLU()(x))]))


BIASED: dict[str, Any] = {"bias_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=3)}
BEHIND: dict[str, Callable[[Any], Any]] = {
    "maximum": lambda x: L.Conv2D(2, 1, **BIASED)(L.MaxPooling2D(2)(x)),
    "average": lambda x: L.Conv2D(2, 1, **BIASED)(L.AveragePooling2D(2)(x)),
    "whole maximum": lambda x: L.Dense(3, **BIASED)(L.GlobalMaxPooling2D()(x)),
    "padding": lambda x: L.DepthwiseConv2D(3, strides=2, **BIASED)(L.ZeroPadding2D(1)(x)),
    "dilation": lambda x: L.Conv2D(2, 3, dilation_rate=2, **BIASED)(x),
    "resizing": lambda x: L.Conv2D(2, 3, **BIASED)(L.UpSampling2D(2)(x)),
    "transposed": lambda x: L.Conv2DTranspose(2, 3, strides=2, **BIASED)(x),
    "flattened": flattened,
    "joined": joined,
    "sigmoid": L.Activation("sigmoid"),
    "output": lambda x: x,
}
"""What reads a tensor that is zero for every example."""


@pytest.mark.parametrize("name", BEHIND)
def test_whatever_reads_the_tensor(name: str) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 3))
    dead = L.Conv2D(4, 3, padding="same", activation="relu", bias_initializer=keras.initializers.Constant(-1000.0))
    model, data = keras.Model(inputs, BEHIND[name](dead(inputs))), examples()
    (found,) = run_one_by_one(interpreter_of(converted(model, data)), (data.x,))
    assert found == pytest.approx(model.predict(data.x, verbose=0), abs=0.005)


def test_other_files_stay_as_they_are() -> None:
    model = model_with_a_dead_layer(0.0)
    for name in ("dead", "dead_too", "depthwise"):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel, np.abs(bias) * 0 + 0.1])
    for content in (converted(model, examples()), converted(model, None)):
        assert zero_tensors_scaled(content) is content
