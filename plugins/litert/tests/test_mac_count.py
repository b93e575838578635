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


def test_several_graphs_do_not_say_how_often_they_run(small_family: Any) -> None:
    model = unpacked(small_family.of_full.int8)
    model.subgraphs.append(model.subgraphs[0])
    assert macs_of(model) is None
