"""Profiles by tflite-micro, and files that it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from keras import layers as L
from reds_litert.device_files import LiteRtFile
from reds_litert.schema import packed, unpacked
from reds_litert.targets import Int8Target
from reds_tensorflow.framework import TensorFlowFramework
from reds_tflite_micro.device import TfliteMicro

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework import Arrays, ExportSource, Task

runtime = pytest.importorskip("tflite_micro", reason="tflite-micro is not installed").runtime
FRAMEWORK = TensorFlowFramework()


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An int8 file of a small convolutional network with a branch, for images of 12 x 12 x 2 and five classes."""
    keras.utils.set_random_seed(3)
    x = inputs = keras.Input((12, 12, 2), name="image")
    random = {"bias_initializer": "random_normal"}
    x = L.Conv2D(8, 3, padding="same", activation="relu", **random)(x)
    x = L.Add()([x, L.DepthwiseConv2D(3, padding="same", **random)(x)])
    x = L.Conv2D(12, 1, strides=2, activation="relu", **random)(x)
    model = keras.Model(inputs, L.Dense(5, **random)(L.GlobalAveragePooling2D()(x)))
    path = tmp_path_factory.mktemp("files") / "small-int8.tflite"
    calibration = Arrays(examples(40), np.zeros(40))
    Int8Target().export(ExportSource(FRAMEWORK, model, FRAMEWORK.inspect(model), calibration=calibration), path)
    return path


def examples(count: int) -> np.ndarray:
    """Images (count, 12, 12, 2) whose means differ, so that outputs do."""
    random = np.random.default_rng(count)
    return (random.normal(size=(count, 12, 12, 2)) + random.normal(size=(count, 1, 1, 2))).astype(np.float32)


def test_the_arena_is_what_the_interpreter_needs(file: Path) -> None:
    profile, content = TfliteMicro().profile(file), file.read_bytes()
    assert profile.arena is not None
    assert profile.arena_head is not None
    # the two tensors before and after the Add are live at once with the one that it adds
    assert 2 * 12 * 12 * 8 <= profile.arena_head <= 3 * 12 * 12 * 8 + 64
    assert profile.arena_head < profile.arena
    runtime.Interpreter.from_bytes(content, arena_size=profile.arena + 1024)
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(content, arena_size=profile.arena - 64)


def test_flash_and_operators(file: Path) -> None:
    profile = TfliteMicro().profile(file)
    weights = 8 * 9 * 2 + 8 * 9 + 12 * 8 + 5 * 12
    biases = 4 * (8 + 8 + 12 + 5)
    assert profile.flash == file.stat().st_size
    assert profile.flash_weights is not None
    assert weights + biases <= profile.flash_weights <= weights + biases + 32  # and axes of the mean
    assert profile.flash == profile.flash_weights + (profile.flash_metadata or 0)
    kinds = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 1, "ADD": 1, "MEAN": 1, "FULLY_CONNECTED": 1}
    assert profile.operators == kinds
    assert profile.latency_ns is None


def test_nothing_is_printed_and_nothing_of_other_threads_is_lost(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    stop, written = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            written.append(os.write(2, b"x"))

    writer = threading.Thread(target=write)
    writer.start()
    profile = TfliteMicro().profile(file)
    stop.set()
    writer.join()
    captured = capfd.readouterr()
    assert captured.err == "x" * len(written)
    assert captured.out == ""
    assert profile.arena is not None


def changed(file: Path, kind: int, custom: bytes | None = None) -> bytes:
    """The file with another operator in place of the mean."""
    model = unpacked(file.read_bytes())
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.MEAN:
            code.builtinCode, code.deprecatedBuiltinCode, code.customCode = kind, min(kind, 127), custom
    content: bytes = packed(model)
    return content


def test_an_operator_that_is_missing_is_named(file: Path, tmp_path: Path) -> None:
    for kind, custom, name in (
        (schema.BuiltinOperator.GELU, None, "GELU"),
        (schema.BuiltinOperator.CUSTOM, b"Whiten", "Whiten"),
    ):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(changed(file, kind, custom))
        with pytest.raises(
            UnsupportedError, match=f"tflite-micro has no operator {name}, which '.*{name}.tflite' needs"
        ):
            TfliteMicro().profile(path)


@pytest.mark.parametrize("content", [b"", bytes(64), b"nonsTFL3" * 9, None])
def test_damaged_files_are_refused(file: Path, content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(file.read_bytes()[:-4000] if content is None else content)
    for attempt in (TfliteMicro().profile, lambda path: TfliteMicro().load(FRAMEWORK, path)):
        with pytest.raises(InputError, match="cannot be read"):
            attempt(path)


def test_answers_are_those_of_litert_up_to_rounding(file: Path) -> None:
    x = examples(60)
    micro, litert = TfliteMicro().load(FRAMEWORK, file), LiteRtFile(FRAMEWORK, file)
    assert isinstance(micro, LiteRtFile)
    (found,), (expected,) = micro.run((x,)), litert.run((x,))
    scale = np.diff(np.unique(expected)).min()
    assert found.shape == expected.shape == (60, 5)
    assert np.abs(found - expected).max() <= 4 * scale
    assert len(np.unique(found)) > 20, "outputs vary"
    again, fresh = micro.run((x[:5],)), TfliteMicro().load(FRAMEWORK, file).run((x[:5],))  # type: ignore[attr-defined]
    assert np.array_equal(again[0], found[:5])
    assert np.array_equal(fresh[0], found[:5])


def test_accuracy_and_answers(file: Path) -> None:
    x = examples(50)
    micro = TfliteMicro().load(FRAMEWORK, file)
    (outputs,) = micro.run((x,))  # type: ignore[attr-defined]
    labels = outputs.argmax(axis=1)
    figures = micro.evaluate(micro.check_data(Arrays(x, labels), "data"), Task())
    assert (figures.metric, figures.examples) == (1.0, 50)
    assert figures.answers is not None
    assert np.array_equal(figures.answers, labels)


def test_an_assertion_of_the_interpreter_is_an_error(tmp_path: Path) -> None:
    """Which it makes for probabilities of several hundred classes that all round to zero."""
    inputs = keras.Input((4,))
    model = keras.Model(inputs, L.Softmax()(L.Dense(700, kernel_initializer="zeros")(inputs)))
    x, path = np.eye(4, dtype=np.float32), tmp_path / "alike-int8.tflite"
    calibration = Arrays(x, np.zeros(4))
    Int8Target().export(ExportSource(FRAMEWORK, model, FRAMEWORK.inspect(model), calibration=calibration), path)
    assert TfliteMicro().profile(path).arena is not None
    micro = TfliteMicro().load(FRAMEWORK, path)
    with pytest.raises(UnsupportedError, match=r"crashed while it ran '.*alike-int8\.tflite', as it does where"):
        micro.outputs(x)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["tensorflow", "tflite_micro"])
def test_it_lives_beside_tensorflow_in_either_order(first: str, file: Path) -> None:
    code = (
        f"import {first}, tensorflow, tflite_micro, sys\n"
        "content = open(sys.argv[1], 'rb').read()\n"
        "from tflite_micro import runtime\n"
        "runtime.Interpreter.from_bytes(content, arena_size=1 << 20).invoke()\n"
        "tensorflow.constant([1.0]) + 1\n"
    )
    subprocess.run([sys.executable, "-c", code, file], check=True, capture_output=True, timeout=300)
