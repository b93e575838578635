"""int8 files of models in which a layer is zero for every example."""

from __future__ import annotations

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


def test_other_files_stay_as_they_are() -> None:
    model = model_with_a_dead_layer(0.0)
    for name in ("dead", "dead_too", "depthwise"):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel, np.abs(bias) * 0 + 0.1])
    for content in (converted(model, examples()), converted(model, None)):
        assert zero_tensors_scaled(content) is content
