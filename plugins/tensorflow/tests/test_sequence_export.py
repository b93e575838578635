"""Files for the device of networks over sequences: equal to Keras, and int8 where a loop could not be quantised."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import keras_reference as reference
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from keras import layers as L
from keras_zoo_sequences import CASES
from litert_files import converted, export
from reds_tensorflow.extraction import extract
from reds_tensorflow.framework import TensorFlowFramework
from reds_tensorflow.options import TensorFlowOptions
from reds_tensorflow.reading import Reading
from reds_tensorflow.tracing import inspect

from reds_core.framework import Arrays

STEPS = 12
FAST = ("residual_attention", "states", "embedded", "layer_norms_pruned")
SLOW = tuple(name for name in CASES if name not in FAST)


def lite(path: Path, x: np.ndarray) -> np.ndarray:
    """Outputs of a file, dequantised, one example at a time."""
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for example in x:
        scale, zero = source["quantization"]
        given = example[None] if not scale else np.clip(np.round(example[None] / scale) + zero, -128, 127)
        interpreter.set_tensor(source["index"], given.astype(source["dtype"]))
        interpreter.invoke()
        scale, zero = target["quantization"]
        got = interpreter.get_tensor(target["index"])[0]
        found.append(got if not scale else (got.astype(np.float32) - zero) * scale)
    return np.stack(found)


def input_type(path: Path) -> Any:
    return Interpreter(model_path=str(path)).get_input_details()[0]["dtype"]


@pytest.mark.parametrize("name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_a_pruned_network_computes_in_litert_what_it_does_in_keras(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    model, rng = case.build(), np.random.default_rng(0)
    shape = (6, *model.inputs[0].shape[1:])
    x = (rng.integers(0, case.tokens, shape) if case.tokens else rng.normal(size=shape)).astype(np.float32)
    reference.enliven(model, x)
    reading = Reading(options=TensorFlowOptions(case.normalised))
    network = inspect(model, reading)
    small = extract(model, network, reference.random_kept(network, 0.6, seed=0), reading)
    export(small, tmp_path / "small.tflite", None, quantise=False)
    expected = np.asarray(small(x))
    assert np.abs(lite(tmp_path / "small.tflite", x) - expected).max() < 1e-3 * max(1.0, np.abs(expected).max())


def sequences(steps: int = 5) -> tuple[Any, Arrays]:
    x = np.random.default_rng(0).normal(size=(64, steps, 4)).astype(np.float32)
    return keras.Input((steps, 4)), Arrays(x, np.zeros(64, np.int64))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: L.LSTM(6, activation="relu"),
        pytest.param(lambda: L.Bidirectional(L.GRU(5, reset_after=False)), marks=pytest.mark.slow),
        pytest.param(lambda: L.RNN([L.LSTMCell(4), L.GRUCell(3)]), marks=pytest.mark.slow),
    ],
)
def test_recurrent_layers_are_quantised_step_by_step(layer: Any, tmp_path: Path) -> None:
    """As a loop, a recurrent layer ended the converter's process."""
    inputs, data = sequences()
    model = keras.Model(inputs, L.Dense(3)(layer()(inputs)))
    reference.enliven(model, data.x)
    export(model, tmp_path / "int8.tflite", data, quantise=True)
    expected = np.asarray(model(data.x))
    error = np.abs(lite(tmp_path / "int8.tflite", data.x) - expected).max()
    assert error < 0.15 * np.ptp(expected)
    assert not any(r.unroll for r in model._flatten_layers() if isinstance(r, L.RNN))


def looped(layer: Any, *before: Any) -> Any:
    model = keras.Sequential([keras.Input((STEPS, 4)), *before, layer, L.Flatten(), L.Dense(3)])
    reference.enliven(model, np.random.default_rng(0).normal(size=(8, STEPS, 4)).astype(np.float32))
    return model


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (lambda: looped(L.GRU(6)), "'gru' (GRU, 12 steps)"),
        (lambda: looped(L.LSTM(6), L.Masking()), "'lstm' (LSTM with a mask, 12 steps)"),
        (lambda: looped(L.SimpleRNN(6, return_sequences=True)), "'simple_rnn' (SimpleRNN, 12 steps)"),
        pytest.param(
            lambda: looped(L.RNN([L.GRUCell(4), L.LSTMCell(3)])), "'rnn' (RNN, 12 steps)", marks=pytest.mark.slow
        ),
        pytest.param(
            lambda: looped(L.Bidirectional(L.GRU(3, reset_after=False))),
            "'forward_gru' (GRU, 12 steps), 'backward_gru' (GRU, 12 steps)",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda: looped(L.ConvLSTM1D(2, 2), L.Reshape((STEPS, 2, 2))),
            "'conv_lstm1d' (ConvLSTM1D, 12 steps)",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda: looped(L.TimeDistributed(L.GRU(2)), L.Reshape((2, STEPS // 2, 4))),
            "'gru' (GRU, 6 steps)",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_will_be_written_out_is_told_with_its_size(model: Any, told: str) -> None:
    """Before training, from the model alone. The estimate is held against the file that is written."""
    keras.backend.clear_session()
    network = model()
    (note,) = TensorFlowFramework().conversion_notes(network, "int8")
    assert f"hold the steps of {told} one after the other" in note
    assert not any(
        "inner_loop" in vars(layer) or layer.unroll for layer in network._flatten_layers() if "unroll" in vars(layer)
    )
    count, size = re.search(r"about ([\d,]+) operators, ([\d.]+)\sKiB", note).groups()  # type: ignore[union-attr]
    rng = np.random.default_rng(0)
    content = converted(network, Arrays(rng.normal(size=(4, *network.input_shape[1:])).astype(np.float32), np.zeros(4)))
    written = schema.Model.GetRootAs(content).Subgraphs(0).OperatorsLength()
    assert 0.6 < int(count.replace(",", "")) / written < 1.5
    assert 0.5 < float(size) * 1024 / len(content) < 2


@pytest.mark.parametrize("layer", [lambda: L.LSTM(6), lambda: L.Bidirectional(L.LSTM(5)), lambda: L.Conv1D(3, 2)])
def test_nothing_is_told_where_no_steps_are_written_out(layer: Any) -> None:
    assert TensorFlowFramework().conversion_notes(looped(layer()), "int8") == ()


def test_an_int8_file_takes_tokens_as_integers(tmp_path: Path) -> None:
    """Eight bits cannot tell a thousand tokens apart."""
    x = np.random.default_rng(0).integers(0, 1000, (64, 6)).astype(np.float32)
    inputs = keras.Input((6,))
    model = keras.Model(inputs, L.Dense(3)(L.LSTM(4)(L.Embedding(1000, 5, mask_zero=True)(inputs))))
    reference.enliven(model, x)
    data = Arrays(x, np.zeros(64, np.int64))
    export(model, tmp_path / "int8.tflite", data, quantise=True)
    export(model, tmp_path / "float.tflite", None, quantise=False)
    expected = np.asarray(model(x))
    assert input_type(tmp_path / "int8.tflite") == np.int32
    assert input_type(tmp_path / "float.tflite") == np.float32
    assert np.abs(lite(tmp_path / "int8.tflite", x) - expected).max() < 0.1 * np.ptp(expected)


def test_numbers_that_another_layer_reads_are_no_tokens(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 9, (64, 6)).astype(np.float32)
    inputs = keras.Input((6,))
    both = L.Concatenate()([L.Flatten()(L.Embedding(9, 2)(inputs)), L.Dense(3)(inputs)])
    export(keras.Model(inputs, L.Dense(2)(both)), tmp_path / "a.tflite", Arrays(x, np.zeros(64)), quantise=True)
    assert input_type(tmp_path / "a.tflite") == np.int8
