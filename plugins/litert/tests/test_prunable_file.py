"""Files of pruned networks that are cut from that of the full network, against those that are converted."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from reds_litert.device_files import interpreter_of
from reds_litert.graph import read_graph
from reds_litert.prunable_file import PrunableFile
from reds_litert.targets import Int8Target
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.errors import UnsupportedError
from reds_core.framework import ExportSource, member_kept

FRAMEWORK = TensorFlowFramework()


def branched() -> Any:
    """A residual, a depthwise convolution, a concatenation, zero padding, pooling, and Dense after Flatten."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 3))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(8, 3, padding="same", name="stem")(x)))
    x = L.Add()([x, L.Conv2D(8, 1, name="inside")(x)])
    x = L.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    x = L.Concatenate()([L.Conv2D(6, 1, activation="relu", name="left")(x), L.Conv2D(5, 1, name="right")(x)])
    x = L.AveragePooling2D(2)(L.ZeroPadding2D(1)(x))
    x = L.Dense(12, activation="relu", name="hidden")(L.Flatten()(x))
    return keras.Model(inputs, L.Dense(4, activation="softmax")(x))


def int8(model: Any) -> bytes:
    examples = FRAMEWORK.segmenter().examples(model)
    return Int8Target().plain(ExportSource(FRAMEWORK, model, FRAMEWORK.inspect(model), calibration=examples))


@pytest.fixture(scope="module")
def model() -> Any:
    return branched()


@pytest.fixture(scope="module")
def file(model: Any) -> PrunableFile:
    network = FRAMEWORK.inspect(model)
    return PrunableFile(int8(model), network, FRAMEWORK.weights(model, network))


def test_a_cut_file_has_the_shapes_of_a_converted_one(model: Any, file: PrunableFile) -> None:
    network = FRAMEWORK.inspect(model)
    widths = {group: max(n // 2 + place % 2, 1) for place, (group, n) in enumerate(network.channels.items())}
    small = FRAMEWORK.extract(model, network, member_kept(widths))
    cut, converted = read_graph(file.at(widths)), read_graph(int8(small))
    assert [op.kind for op in cut.operators] == [op.kind for op in converted.operators]
    for one, other in zip(cut.operators, converted.operators, strict=True):
        for a, b in zip((*one.inputs, *one.outputs), (*other.inputs, *other.outputs), strict=True):
            if min(a, b) >= 0:
                assert cut.tensors[a].shape == converted.tensors[b].shape
                assert cut.tensors[a].dtype == converted.tensors[b].dtype


def test_a_cut_file_runs(file: PrunableFile) -> None:
    interpreter = interpreter_of(file.at(dict.fromkeys(file.channels, 3)))
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(given["index"], np.ones(given["shape"], given["dtype"]))
    interpreter.invoke()
    assert interpreter.get_tensor(result["index"]).shape == (1, 4)


def test_the_groups_of_operators(file: PrunableFile) -> None:
    groups = [file.groups_at(index) for index in range(len(file.graph.operators))]
    kinds = [operator.kind for operator in file.graph.operators]
    assert groups[kinds.index("ADD")] == ("stem",)
    assert groups[kinds.index("CONCATENATION")] == ("left", "right")
    dense = [found for found, kind in zip(groups, kinds, strict=True) if kind == "FULLY_CONNECTED"]
    assert dense == [("left", "right", "hidden"), ("hidden",)]


def test_the_full_file_is_unchanged_apart_from_names(model: Any, file: PrunableFile) -> None:
    cut = read_graph(file.at({}))
    for index, (one, other) in enumerate(zip(cut.tensors, file.graph.tensors, strict=True)):
        assert one.name == f"t{index}"
        assert one.shape == other.shape
        assert (one.data is None) == (other.data is None)
        assert one.data is None or np.array_equal(one.data, other.data)


def test_an_operator_that_is_not_known_is_named() -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 4))
    x = L.LSTM(8, unroll=False)(L.Conv1D(6, 1, name="before")(inputs))
    lstm = keras.Model(inputs, L.Dense(3)(x))
    network = FRAMEWORK.inspect(lstm)
    with pytest.raises(UnsupportedError, match=r"operator|graphs|not found"):
        PrunableFile(int8(lstm), network, FRAMEWORK.weights(lstm, network))
