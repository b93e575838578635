"""The multiply-accumulates of a file, against those of the model that it was converted from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers as L
from reds_litert.conversion import converted
from reds_litert.footprint import footprint_of
from reds_litert.mac_count import macs_of
from reds_litert.schema import unpacked
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.cost import usage

FRAMEWORK = TensorFlowFramework()


def counted(model: Any) -> int:
    network = FRAMEWORK.inspect(model)
    return usage(network, network.channels)["macs"]


def test_files_have_the_macs_of_their_models(small_family: Any, tied_family: Any) -> None:
    """Convolutions of all kinds, strides, groups, a multiplier, padding, dense layers, and one that is called twice."""
    for family in (small_family, tied_family):
        for model, files in ((family.full, family.of_full), (family.member, family.of_member)):
            for content in (files.int8, files.float32):
                assert macs_of(unpacked(content)) == counted(model)
    assert footprint_of(Path("m.tflite"), small_family.of_full.int8).macs == counted(small_family.full)


def attention() -> Any:
    x = inputs = L.Input((6, 8))
    x = L.MultiHeadAttention(2, 4)(x, x)
    return keras.Model(inputs, L.Dense(5)(L.GlobalAveragePooling1D()(x)))


def lstm() -> Any:
    x = inputs = L.Input((6, 8))
    return keras.Model(inputs, L.Dense(5)(L.LSTM(7)(x)))


@pytest.mark.slow
@pytest.mark.parametrize("make", [attention, lstm], ids=lambda make: make.__name__)
def test_products_of_matrices_and_lstm_layers(make: Callable[[], Any]) -> None:
    model = make()
    found = macs_of(unpacked(converted(FRAMEWORK, model, "float32", None)))
    assert found == counted(model)


def in_batches(model: Any, batch: int) -> Any:
    """The content of a file whose tensors have the batch size in their shapes."""
    for tensor in model.subgraphs[0].tensors:
        is_constant = model.buffers[tensor.buffer].data is not None
        if not is_constant and len(tensor.shape) > 1 and tensor.shape[0] == 1:
            tensor.shape = [batch, *tensor.shape[1:]]
    return model


def test_static_batches_count_for_one_example(small_family: Any) -> None:
    content, expected = small_family.of_full.float32, counted(small_family.full)
    model = in_batches(unpacked(content), 4)
    graph = model.subgraphs[0]
    assert graph.tensors[int(graph.inputs[0])].shape[0] == 4
    assert macs_of(model) == expected
    graph.tensors[int(graph.outputs[0])].shape = [3, 5]
    assert macs_of(model) is None
    assert macs_of(in_batches(unpacked(content), 1)) == expected


def test_several_graphs_do_not_say_how_often_they_run(small_family: Any) -> None:
    model = unpacked(small_family.of_full.int8)
    model.subgraphs.append(model.subgraphs[0])
    assert macs_of(model) is None
