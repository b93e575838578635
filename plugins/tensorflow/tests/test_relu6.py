"""int8 files of models in which the converter cannot fuse a ReLU6 into the layer in front of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from litert_files import converted, interpreter_of, run_one_by_one
from micro_interpreter import micro_run
from reds_litert.graph import read_graph
from reds_litert.relu6_operators import relu6_replaced

from reds_core.framework import Arrays


def behind_concatenation(x: Any) -> Any:
    x = L.Concatenate()([L.Conv2D(2, 3, padding="same")(x), x])
    return L.GlobalAveragePooling2D()(L.ReLU(6.0)(x))


def before_activation(x: Any) -> Any:
    """A residual block whose shortcut takes what the activation does not change."""
    x = L.Conv2D(2, 3, padding="same")(x)
    return L.Add()([L.Conv2D(2, 3, padding="same")(L.ReLU(6.0)(x)), x])


def network(layers: Callable[[Any], Any]) -> tuple[Any, Arrays]:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 2))
    x = np.random.default_rng(0).normal(scale=3, size=(40, 8, 8, 2)).astype(np.float32)
    return keras.Model(inputs, layers(inputs)), Arrays(x, np.zeros(40, np.int64))


@pytest.mark.parametrize("layers", [behind_concatenation, before_activation])
def test_microcontrollers_compute_what_keras_does(layers: Callable[[Any], Any]) -> None:
    model, data = network(layers)
    expected = model.predict(data.x, verbose=0).reshape(40, -1)
    content = converted(model, data)
    (by_litert,) = run_one_by_one(interpreter_of(content), (data.x,))
    graph = read_graph(content)
    source, made = (graph.tensors[index] for index in (graph.inputs[0], graph.outputs[0]))
    integers = np.clip(np.rint(data.x / source.scale) + source.zero_point, -128, 127).astype(np.int8)
    outputs = np.stack(micro_run(content, [[each[None]] for each in integers]))
    by_micro = (outputs.astype(np.float64) - made.zero_point) * made.scale
    for found in (by_litert, by_micro):
        error = np.sqrt(np.mean((found.reshape(40, -1) - expected) ** 2))
        assert error < 0.05 * expected.std()


def test_other_files_stay_as_they_are() -> None:
    model, data = network(lambda x: L.GlobalAveragePooling2D()(L.ReLU(6.0)(L.Conv2D(2, 3)(x))))
    for content in (converted(model, data), converted(model, None), converted(*network(behind_concatenation), "16x8")):
        assert relu6_replaced(content) is content
