"""LSTM layers in files for the device: LiteRT's operator for whole sequences, which computes what Keras does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import keras_reference as reference
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from keras import layers as L
from litert_files import converted
from reds_tensorflow.fused_lstm import keras_lstm
from slow_cases import slow_except

from reds_core.framework import Arrays

STEPS, FEATURES = 11, 3
LSTM, LOOP = "UNIDIRECTIONAL_SEQUENCE_LSTM", "WHILE"
KINDS = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
FUSED: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "one": (1, lambda x: L.LSTM(7)(x)),
    "all outputs": (1, lambda x: L.LSTM(5, return_sequences=True)(x)),
    "one unit": (1, lambda x: L.LSTM(1, return_sequences=True)(x)),
    "without bias": (1, lambda x: L.LSTM(6, use_bias=False)(x)),
    "backwards": (1, lambda x: L.LSTM(9, go_backwards=True, return_sequences=True)(x)),
    "unrolled": (1, lambda x: L.LSTM(3, unroll=True)(x)),
    "a cell": (1, lambda x: L.RNN(L.LSTMCell(6))(x)),
    "stacked cells": (2, lambda x: L.RNN([L.LSTMCell(6), L.LSTMCell(5)])(x)),
    "stacked": (3, lambda x: L.LSTM(3)(L.LSTM(5, return_sequences=True)(L.LSTM(13, return_sequences=True)(x)))),
    "both directions": (2, lambda x: L.Bidirectional(L.LSTM(5, return_sequences=True))(x)),
    "both directions, summed": (2, lambda x: L.Bidirectional(L.LSTM(6), merge_mode="sum")(x)),
    "dropout": (1, lambda x: L.LSTM(5, dropout=0.5, recurrent_dropout=0.5)(x)),
    "shared": (2, lambda x: twice(L.LSTM(4), x)),
    "each of several": (STEPS, lambda x: L.TimeDistributed(L.LSTM(4))(L.Reshape((STEPS, FEATURES, 1))(x))),
    "nested": (1, lambda x: keras.Sequential([keras.Input((STEPS, FEATURES)), L.LSTM(5), L.Dense(4)])(x)),
}
OTHERS: dict[str, Callable[[Any], Any]] = {
    "GRU": lambda x: L.GRU(4)(x),
    "masked": lambda x: L.LSTM(4)(L.Masking()(x)),
    "another activation": lambda x: L.LSTM(4, activation="relu")(x),
    "another gate": lambda x: L.LSTM(4, recurrent_activation="hard_sigmoid")(x),
    "states given": lambda x: L.LSTM(4)(x, initial_state=[L.Dense(4)(x[:, 0]), L.Dense(4)(x[:, 1])]),
    "states put out": lambda x: L.Concatenate()(L.LSTM(4, return_state=True)(x)),
}


def twice(layer: Any, x: Any) -> Any:
    return L.Concatenate()([layer(x), layer(x[:, ::-1])])


def network(layers: Callable[[Any], Any]) -> tuple[Any, np.ndarray]:
    """A network of these layers, and inputs on which its outputs vary."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((STEPS, FEATURES))
    model = keras.Model(inputs, layers(inputs))
    x = np.random.default_rng(0).normal(size=(48, STEPS, FEATURES)).astype(np.float32)
    reference.enliven(model, x)
    return model, x


def operators(content: bytes) -> list[str]:
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    return [KINDS[model.operatorCodes[o.opcodeIndex].builtinCode] for o in model.subgraphs[0].operators]


def examples(x: np.ndarray) -> Arrays:
    return Arrays(x, np.zeros(len(x)))


def outputs(content: bytes, x: np.ndarray) -> np.ndarray:
    """Outputs of a file for one example after the other, as anyone runs it: nothing is set back between them."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for example in x:
        given, (scale, zero) = example[None], source["quantization"]
        if scale:
            given = np.clip(np.round(given / scale) + zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(source["index"], given)
        interpreter.invoke()
        got, (scale, zero) = interpreter.get_tensor(target["index"])[0], target["quantization"]
        found.append((got.astype(np.float32) - zero) * scale if scale else got)
    return np.stack(found)


@pytest.mark.parametrize("name", slow_except([name for name in FUSED if name != "each of several"], FUSED))
def test_an_lstm_is_one_operator_that_computes_what_keras_does(name: str) -> None:
    """Whatever was computed before: the operator keeps its states, the file sets them back."""
    count, layers = FUSED[name]
    model, x = network(layers)
    expected = np.asarray(model(x))
    assert np.ptp(expected, axis=0).min() > 0.01, "outputs must vary for the comparison to say anything"
    content = converted(model, None)
    assert operators(content).count(LSTM) == count
    assert LOOP not in operators(content)
    np.testing.assert_allclose(outputs(content, x), expected, atol=1e-5)
    quantised = converted(model, examples(x))
    assert operators(quantised).count(LSTM) == count
    assert np.abs(outputs(quantised, x) - expected).max() < 0.06 * np.ptp(expected)
    assert not any("inner_loop" in vars(layer) for layer in model._flatten_layers())


@pytest.mark.parametrize("name", OTHERS)
def test_what_the_operator_cannot_express_is_a_loop(name: str) -> None:
    model, x = network(OTHERS[name])
    content = converted(model, None)
    assert LSTM not in operators(content)
    np.testing.assert_allclose(outputs(content, x), np.asarray(model(x)), atol=1e-5)


def test_cells_that_count_are_neither_clipped_nor_carried_over() -> None:
    """Cells that do not forget would widen ranges from example to example; the converter asks for clipping at 10."""
    model, _ = network(lambda x: L.Dense(2)(L.LSTM(4, return_sequences=True)(x)))
    layer = model.layers[1]
    bias = np.zeros(16, np.float32)
    bias[:4] = bias[4:8] = 9  # all is taken, nothing forgotten
    layer.cell.bias.assign(bias)
    layer.cell.kernel.assign(3 * layer.cell.kernel)
    x = np.random.default_rng(1).normal(size=(64, STEPS, FEATURES)).astype(np.float32)
    x[::4] = 2 + x[::4]  # eleven steps that all count up, so that cells pass 10
    expected = np.asarray(model(x))
    np.testing.assert_allclose(outputs(converted(model, None), x), expected, atol=1e-5)
    found = outputs(converted(model, examples(x)), x)
    assert np.abs(found - expected).mean() < 0.02 * np.ptp(expected)


def test_small_cells_are_computed_by_the_kernel() -> None:
    """In finer units than the kernel knows it leaves memory as it finds it."""
    model, x = network(lambda x: L.LSTM(6)(L.LSTM(5, return_sequences=True)(x)))
    for layer in model.layers[1:]:
        layer.cell.kernel.assign(0.2 * layer.cell.kernel)
        layer.cell.bias.assign(0 * layer.cell.bias)
    expected = np.asarray(model(x))
    found = outputs(converted(model, examples(x)), x)
    assert np.abs(found - expected).max() < 0.06 * np.ptp(expected)


def test_the_function_that_the_converter_replaces_is_an_lstm_itself() -> None:
    model, x = network(lambda x: L.LSTM(6, return_sequences=True)(x))
    cell, zeros = model.layers[1].cell, tf.zeros((1, 6))
    weights = [tf.convert_to_tensor(w.value) for w in (cell.kernel, cell.recurrent_kernel, cell.bias)]
    last, every, hidden, _, _ = keras_lstm(tf.constant(x[:1]), zeros, zeros, *weights)
    np.testing.assert_allclose(every, model(x[:1]), atol=1e-6)
    np.testing.assert_allclose(last, every[:, -1])
    np.testing.assert_allclose(hidden, every[:, -1])


def test_contents_of_tensors_are_aligned() -> None:
    """Kernels of small processors read them in place, and some cannot read across words."""
    model, x = network(lambda x: L.Dense(3)(L.LSTM(7)(x)))
    for content in (converted(model, None), converted(model, examples(x[:2]))):
        packed = schema.Model.GetRootAs(content)
        start = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
        for buffer in (packed.Buffers(i) for i in range(packed.BuffersLength())):
            if buffer.DataLength():
                data = buffer.DataAsNumpy()
                assert (data.__array_interface__["data"][0] - start) % 16 == 0


def test_a_reversed_sequence_keeps_its_scale() -> None:
    """The quantizer gives REVERSE_V2 two scales, here by way of the concatenation, and its kernel knows of neither."""
    model, x = network(lambda x: L.Concatenate()([keras.ops.flip(0.1 * x, axis=1), x]))
    found = outputs(converted(model, examples(x)), x)
    assert np.abs(found - np.asarray(model(x))).max() < 0.03 * float(np.ptp(np.asarray(model(x))))


def test_two_layers_over_many_steps_are_small_files_that_agree_with_keras() -> None:
    """Written out, these were 5,600 operators in 4.5 MiB, which took minutes and answered at random."""
    keras.utils.set_random_seed(0)
    layers = [L.LSTM(64, return_sequences=True), L.LSTM(64), L.Dense(5, activation="softmax")]
    model = keras.Sequential([keras.Input((187, 1)), *layers])
    x = np.cumsum(np.random.default_rng(0).normal(size=(96, 187, 1)), axis=1).astype(np.float32) / 8
    reference.enliven(model, x)
    head = model.layers[-1]
    logits = np.log(np.asarray(model(x)))
    head.kernel.assign(10 * head.kernel)
    head.bias.assign(10 * (head.bias - logits.mean(axis=0)))  # so that each class is the largest somewhere
    began = time.process_time()
    exact, quantised = converted(model, None), converted(model, examples(x))
    assert time.process_time() - began < 30
    assert len(operators(quantised)) < 20
    assert len(quantised) < len(exact) / 2
    expected, found = np.asarray(model(x)), outputs(quantised, x)
    assert len(set(expected.argmax(axis=1))) > 1
    np.testing.assert_allclose(outputs(exact, x), expected, atol=1e-5)
    # a tie may go either way
    clear = np.ptp(np.sort(expected, axis=1)[:, -2:], axis=1) > 0.05
    assert (found.argmax(axis=1) == expected.argmax(axis=1))[clear].mean() > 0.98
    assert np.abs(found - expected).mean() < 0.02
