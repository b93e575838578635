"""Files for the device: what stands in them, and that nothing else is left behind."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras_reference import run_exported
from litert_files import export, interpreter_of, litert_file, run_one_by_one
from reds_tensorflow.evaluation import accuracy, predict

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework import Arrays, Task


def convolutional(width: int = 4, activation: str | None = None) -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 8, offset=-1),
            layers.Conv2D(5, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, strides=2),
            layers.Flatten(),
            layers.Dense(width, activation=activation, kernel_initializer="he_normal"),
        ]
    )


def examples(count: int = 64, classes: int = 4) -> Arrays:
    generator = np.random.default_rng(0)
    return Arrays(generator.uniform(0, 16, (count, 8, 8, 1)).astype(np.float32), generator.integers(0, classes, count))


def details(path: Path) -> tuple[Any, Any, Any]:
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    return interpreter, interpreter.get_input_details()[0], interpreter.get_output_details()[0]


def run(path: Path, x: Any) -> Any:
    interpreter, source, target = details(path)
    found = []
    for example in x:
        interpreter.set_tensor(source["index"], example[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(target["index"])[0])
    return np.stack(found)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, Path]:
    folder = tmp_path_factory.mktemp("exported")
    model = convolutional()
    export(model, folder / "float.tflite", None, quantise=False)
    export(model, folder / "int8.tflite", examples(), quantise=True)
    return model, folder / "float.tflite", folder / "int8.tflite"


def test_float_file_computes_what_keras_does(exported: tuple[Any, Path, Path]) -> None:
    model, path, _ = exported
    data = examples()
    expected = predict(model, data.x)
    assert np.ptp(expected, axis=0).min() > 0.1, "outputs must vary for the comparison to say anything"
    np.testing.assert_allclose(run(path, data.x), expected, atol=1e-4)


def test_float_file_takes_one_example_at_a_time(exported: tuple[Any, Path, Path]) -> None:
    _, source, target = details(exported[1])
    assert source["shape_signature"].tolist() == [1, 8, 8, 1]
    assert target["shape_signature"].tolist() == [1, 4]
    assert source["dtype"] == target["dtype"] == np.float32


def test_int8_file_is_int8_throughout(exported: tuple[Any, Path, Path]) -> None:
    interpreter, source, target = details(exported[2])
    assert source["dtype"] == target["dtype"] == np.int8
    assert source["quantization"][0] > 0
    kinds = {np.dtype(t["dtype"]) for t in interpreter.get_tensor_details() if t["name"]}
    assert kinds <= {np.dtype(np.int8), np.dtype(np.int32)}  # biases, and shapes of reshapes, are int32


def test_int8_file_is_close_to_keras(exported: tuple[Any, Path, Path]) -> None:
    model, _, path = exported
    x = examples().x
    expected = predict(model, x)
    _, source, target = details(path)
    scale, zero = source["quantization"]
    q = np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8)
    out_scale, out_zero = target["quantization"]
    found = (run(path, q).astype(np.float32) - out_zero) * out_scale
    assert np.abs(found - expected).max() < 0.05 * np.ptp(expected)


def test_accuracies_of_the_files(exported: tuple[Any, Path, Path]) -> None:
    model, plain, quantised = exported
    x = examples().x
    data = Arrays(x, predict(model, x).argmax(axis=1))  # labels by the model itself: it is always right
    assert accuracy(model, data, Task()) == 1.0
    assert litert_file(plain).evaluate(data, Task()).metric == 1.0
    assert 0.85 < litert_file(quantised).evaluate(data, Task()).metric <= 1.0
    wrong = Arrays(x, (data.y + 1) % 4)
    assert litert_file(plain).evaluate(wrong, Task()).metric == 0.0


@pytest.mark.parametrize("quantise", [False, True])
@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_binary_files_are_known_by_their_last_operator(tmp_path: Path, activation: str | None, quantise: bool) -> None:
    """A logit is positive from 0, a probability from 0.5: only the file itself can tell which it holds."""
    model, path = convolutional(1, activation), tmp_path / "m.tflite"
    x = examples().x
    z = predict(model, x)[:, 0]
    middle = np.median(z)
    logit_shift = middle if activation is None else np.log(middle / (1 - middle))
    model.layers[-1].bias.assign_sub([float(logit_shift)])
    y = (predict(model, x)[:, 0] > (0.5 if activation else 0)).astype(int)
    assert 0.4 < y.mean() < 0.6
    data = Arrays(x, y)
    export(model, path, data, quantise)
    assert litert_file(path).evaluate(data, Task()).metric >= (0.9 if quantise else 1.0)


def test_export_is_silent_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    elsewhere, target = tmp_path / "temporary", tmp_path / "out"
    elsewhere.mkdir()
    target.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    for quantise in (False, True):
        export(convolutional(), target / f"{quantise}.tflite", examples(), quantise)
        litert_file(target / f"{quantise}.tflite").evaluate(examples(), Task())
    assert capfd.readouterr() == ("", "")
    assert list(elsewhere.iterdir()) == []
    assert sorted(p.name for p in target.iterdir()) == ["False.tflite", "True.tflite"]


def test_export_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = convolutional()
    config, values = model.get_config(), model.get_weights()
    export(model, tmp_path / "m.tflite", examples(), True)
    assert model.get_config() == config
    assert all(np.array_equal(a, b) for a, b in zip(values, model.get_weights(), strict=True))


@pytest.mark.parametrize("calibration", [None, examples(0)])
def test_int8_without_data_is_refused(tmp_path: Path, calibration: Arrays | None) -> None:
    with pytest.raises(InputError, match="examples to calibrate"):
        export(convolutional(), tmp_path / "m.tflite", calibration, quantise=True)
    assert list(tmp_path.iterdir()) == []


def test_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        export(convolutional(), tmp_path / "missing" / "m.tflite", None, quantise=False)


def test_models_of_several_inputs_and_outputs_become_files_whose_inputs_have_their_names(tmp_path: Path) -> None:
    """They need no data: nothing is measured."""
    keras.utils.set_random_seed(0)
    left, right = keras.Input((6,), name="left"), keras.Input((4,), name="right")
    both = keras.layers.Concatenate()([left, right])
    model = keras.Model({"right": right, "left": left}, [keras.layers.Dense(3)(both), keras.layers.Dense(5)(right)])
    export(model, tmp_path / "m.tflite", None, quantise=False)
    x = np.random.default_rng(0).normal(size=(1, 10)).astype(np.float32)
    interpreter = Interpreter(model_path=str(tmp_path / "m.tflite"))
    interpreter.allocate_tensors()
    for source in interpreter.get_input_details():
        interpreter.set_tensor(source["index"], x[:, :6] if "left" in source["name"] else x[:, 6:])
    interpreter.invoke()
    found = {t["shape"][1]: interpreter.get_tensor(t["index"]) for t in interpreter.get_output_details()}
    expected = model({"left": x[:, :6], "right": x[:, 6:]})
    np.testing.assert_allclose(found[3], expected[0], atol=1e-5)
    np.testing.assert_allclose(found[5], expected[1], atol=1e-5)


@pytest.mark.parametrize("features", [1, 5], ids=["on a dimension of its own", "on one as long as the last"])
def test_a_sequence_of_one_channel_is_no_bias(features: int, tmp_path: Path) -> None:
    """Keras adds it as one where there is one example, which LiteRT cannot convert or which is another sum."""
    inputs = keras.Input((5, 3))
    wide, narrow = (keras.layers.Conv1D(n, 2, padding="same")(inputs) for n in (features, 1))
    model = keras.Model(inputs, keras.layers.Flatten()(keras.layers.Add()([wide, narrow])))
    export(model, tmp_path / "m.tflite", None, quantise=False)
    x = np.random.default_rng(0).normal(size=(3, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(run_exported(tmp_path / "m.tflite", x), model(x), atol=1e-5)


def test_model_that_litert_cannot_express_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.ops.svd(keras.layers.Reshape((2, 2))(inputs), compute_uv=False))
    with pytest.raises(UnsupportedError, match="cannot be converted to LiteRT: LiteRT has no operation Svd; replace"):
        export(model, tmp_path / "m.tflite", None, quantise=False)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


class OfMany(keras.layers.Layer):
    """A layer of a user's own that refuses a single example."""

    def call(self, x: Any) -> Any:
        if x.shape[0] == 1:
            raise ValueError("takes two examples or more. Give more.")
        return x


@pytest.mark.parametrize("depth", [1, 2])
def test_what_the_users_own_layer_says_is_the_reason(depth: int, tmp_path: Path) -> None:
    entry = keras.Input((4,))
    model = keras.Model(entry, OfMany()(entry))
    for _ in range(depth - 1):
        model = keras.Model(entry, model(entry))
    with pytest.raises(UnsupportedError, match="cannot be converted to LiteRT: takes two examples or more; replace"):
        export(model, tmp_path / "m.tflite", None, quantise=False)


def test_half_precision_examples_are_quantised_as_their_values_are(exported: tuple[Any, Path, Path]) -> None:
    halves = examples().x.astype(np.float16)
    interpreter = interpreter_of(exported[2].read_bytes())
    np.testing.assert_array_equal(
        run_one_by_one(interpreter, (halves,)), run_one_by_one(interpreter, (halves.astype(np.float32),))
    )


@pytest.mark.parametrize("content", [b"", b"TFL3", b"nonsense" * 100, None])
def test_damaged_file_is_refused(exported: tuple[Any, Path, Path], tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(exported[1].read_bytes()[:1000] if content is None else content)
    with pytest.raises(InputError, match="cannot be read as a LiteRT model"):
        litert_file(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        litert_file(tmp_path / "m.tflite")


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_models_that_compute_in_half_precision_become_float32_files(tmp_path: Path, policy: str) -> None:
    """LiteRT has no half-precision kernels for most operators."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((6, 4))
    x = layers.Conv1D(5, 3, activation="relu", dtype=policy)(inputs)
    x = layers.LSTM(4, dtype=policy)(layers.MultiHeadAttention(2, 3, dtype=policy)(x, x))
    model = keras.Model(inputs, layers.Dense(3, dtype="float32")(x))
    export(model, tmp_path / "m.tflite", None, quantise=False)
    x = np.random.default_rng(0).normal(size=(8, 6, 4)).astype(np.float32)
    expected = predict(model, x)
    np.testing.assert_allclose(run(tmp_path / "m.tflite", x), expected, atol=0.03 * float(np.ptp(expected)))
    assert [layer.dtype_policy.name for layer in model.layers[1:]] == [policy, policy, policy, "float32"]
