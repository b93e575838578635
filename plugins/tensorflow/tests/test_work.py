"""Handlers count the multiply-accumulates of the operations of TensorFlow that the layers make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
from keras import layers as L
from reds_tensorflow.call_records import Given
from reds_tensorflow.calls import Call
from reds_tensorflow.reading import STOCK
from reds_tensorflow.tracing import inspect
from reds_tensorflow.work import work_of

from reds_core.cost import macs
from reds_core.network import fixed_dims

IMAGE, VIDEO, SEQUENCE = (8, 7, 6), (4, 6, 5, 6), (6, 6)
LAYERS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "Conv1D": (lambda: L.Conv1D(4, 3, padding="same"), SEQUENCE),
    "causal": (lambda: L.Conv1D(4, 3, padding="causal", dilation_rate=2), SEQUENCE),
    "Conv2D": (lambda: L.Conv2D(4, (3, 2), strides=2), IMAGE),
    "Conv2D in groups": (lambda: L.Conv2D(9, 3, groups=3), IMAGE),
    "Conv3D": (lambda: L.Conv3D(4, 2), VIDEO),
    "DepthwiseConv1D": (lambda: L.DepthwiseConv1D(3, depth_multiplier=2), SEQUENCE),
    "DepthwiseConv2D": (lambda: L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), IMAGE),
    "SeparableConv1D": (lambda: L.SeparableConv1D(4, 3), SEQUENCE),
    "SeparableConv2D": (lambda: L.SeparableConv2D(4, 3, depth_multiplier=2), IMAGE),
    "Conv1DTranspose": (lambda: L.Conv1DTranspose(4, 3, strides=2), SEQUENCE),
    "Conv2DTranspose": (lambda: L.Conv2DTranspose(4, 3, strides=2), IMAGE),
    "Conv3DTranspose": (lambda: L.Conv3DTranspose(4, 2), VIDEO),
    "Dense": (lambda: L.Dense(5), (6,)),
    "Dense on images": (lambda: L.Dense(5), IMAGE),
    "EinsumDense": (lambda: L.EinsumDense("abc,cde->abde", (6, 3, 4), bias_axes="de"), SEQUENCE),
    "Embedding": (lambda: L.Embedding(9, 5), (6,)),
    "LSTM": (lambda: L.LSTM(5), SEQUENCE),
    "GRU": (lambda: L.GRU(5, return_sequences=True), SEQUENCE),
    "GRU that resets before": (lambda: L.GRU(5, reset_after=False), SEQUENCE),
    "SimpleRNN": (lambda: L.SimpleRNN(5), SEQUENCE),
    "cells": (lambda: L.RNN([L.LSTMCell(4), L.GRUCell(3)]), SEQUENCE),
    "ConvLSTM1D": (lambda: L.ConvLSTM1D(3, 3, padding="same"), (4, 5, 2)),
    "ConvLSTM2D": (lambda: L.ConvLSTM2D(3, 3), (4, 6, 5, 2)),
    "Bidirectional": (lambda: L.Bidirectional(L.LSTM(5)), SEQUENCE),
    "TimeDistributed": (lambda: L.TimeDistributed(L.Conv2D(3, 2)), VIDEO),
    "SpectralNormalization": (lambda: L.SpectralNormalization(L.Conv2D(3, 2)), IMAGE),
    "BatchNormalization": (L.BatchNormalization, IMAGE),
    "LayerNormalization": (L.LayerNormalization, IMAGE),
    "GroupNormalization": (lambda: L.GroupNormalization(3), IMAGE),
    "RMSNormalization": (L.RMSNormalization, IMAGE),
    "PReLU": (L.PReLU, IMAGE),
    "MelSpectrogram": (
        lambda: L.MelSpectrogram(num_mel_bins=8, fft_length=16, sequence_stride=8, min_freq=200.0), (64,),
    ),
    "STFTSpectrogram": (lambda: L.STFTSpectrogram(frame_length=16, frame_step=8, fft_length=16), (64, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_handlers_count_what_the_operations_of_a_layer_do(name: str) -> None:
    make, shape = LAYERS[name]
    inputs, layer = keras.Input(shape), make()
    assert by_handler(keras.Model(inputs, layer(inputs))) == by_operations(layer, inputs)


@pytest.mark.parametrize("gate", [False, True])
def test_handlers_count_what_the_operations_of_attention_do(gate: bool) -> None:
    inputs, others = keras.Input(SEQUENCE), keras.Input((4, 5))
    layer = L.MultiHeadAttention(3, 2, value_dim=4, use_gate=gate)
    model = keras.Model([inputs, others], layer(inputs, others))
    assert by_handler(model) == by_operations(layer, inputs, others)
    several = keras.Input((6, 8))
    grouped = L.GroupQueryAttention(3, 4, 2)
    assert by_handler(keras.Model(several, grouped(several, several))) == by_operations(grouped, several, several)
    products = L.Attention()
    assert by_handler(keras.Model(inputs, products([inputs, inputs]))) == by_operations(products, [inputs, inputs])


def by_handler(model: Any) -> int:
    network = inspect(model)
    return macs(network).at(network.channels)


def by_operations(layer: Any, *args: Any) -> int:
    """What is counted of a call where nothing is known but the operations that it makes."""
    tensors = keras.tree.flatten(args)
    given = Given(tuple(fixed_dims(t.shape[1:]) for t in tensors), (), symbolic=(args, {}))
    call = Call.__new__(Call)
    call.layer, call.given = layer, given
    work = work_of(call, lambda *_: None)
    assert work.missing == ""
    return work.macs


def test_every_layer_of_keras_that_works_on_tensors_is_in_the_table() -> None:
    named = {kind for kind in vars(L).values() if isinstance(kind, type) and issubclass(kind, L.Layer)}
    abstract = {L.Layer, L.Wrapper, L.AbstractRNNCell} if hasattr(L, "AbstractRNNCell") else {L.Layer, L.Wrapper}
    without = {kind.__name__ for kind in named - abstract if kind not in STOCK.handlers}
    assert without <= {"InputLayer", "MaxNumBoundingBoxes", "Pipeline"}, without
