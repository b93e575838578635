"""Files of older Keras, made by rewriting files of the installed one: loaded, and equal in what they compute."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers as L
from keras_files import Config, Edit, edited, layer_config, layer_entries, with_old_calls, with_weights, written_by
from reds_tensorflow.loading import load_model
from reds_tensorflow.model_files.container import open_model_file
from reds_tensorflow.model_files.entries import entries
from reds_tensorflow.model_files.old_configs import SPELLINGS

from reds_core.errors import UnsupportedError

BOTH = (".keras", ".h5")


@dataclass(frozen=True)
class Case:
    """An old spelling: a model, and how to write its config so.

    Attributes:
        tried: formats; of a spelling that only one of them had, that one.
    """

    name: str
    model: Callable[[], Any]
    edit: Edit
    tried: tuple[str, ...] = BOTH


def sequential(shape: tuple[int, ...], *layers: Any) -> Callable[[], Any]:
    return lambda: keras.Sequential([keras.Input(shape), *layers])


def set_in(kind: str, **values: Any) -> Edit:
    return lambda config: layer_config(config, kind).update(values)


def without(kind: str, key: str) -> Edit:
    def edit(config: Config) -> None:
        del layer_config(config, kind)[key]

    return edit


def convolutional() -> Any:
    return keras.Sequential([keras.Input((12, 12, 3)), L.Conv2D(10, 3), L.Flatten(), L.Dense(4)])


def shape_in_first_layer(config: Config) -> None:
    shape = config["config"]["layers"].pop(0)["config"]["batch_shape"]
    config["config"]["layers"][0]["config"]["batch_input_shape"] = shape
    config["config"].pop("build_input_shape", None)


def shape_in_both(config: Config) -> None:
    first, second = config["config"]["layers"][:2]
    first["config"]["batch_input_shape"] = first["config"].pop("batch_shape")
    second["config"]["batch_input_shape"] = first["config"]["batch_input_shape"]


def list_of_layers(config: Config) -> None:
    shape_in_first_layer(config)
    config["config"] = config["config"]["layers"]


def initializer_dtype(config: Config) -> None:
    for layer in layer_entries(config):
        for key, value in layer["config"].items():
            if key.endswith("_initializer") and isinstance(value, dict):
                value["config"]["dtype"] = "float32"


def inner_without_module(config: Config) -> None:
    for layer in layer_entries(config):
        for key in ("layer", "backward_layer", "cell"):
            inner = layer["config"].get(key)
            if isinstance(inner, dict):
                for each in (inner, *inner["config"].get("cells", ())):
                    for gone in ("module", "registered_name", "build_config"):
                        each.pop(gone, None)


def wrapped() -> Any:
    x = keras.Input((7, 3))
    y = L.Bidirectional(L.LSTM(4, return_sequences=True))(x)
    y = L.TimeDistributed(L.Dense(5))(y)
    y = L.RNN([L.GRUCell(4), L.LSTMCell(3)])(y)
    return keras.Model(x, y)


def model_in_time_distributed() -> Any:
    inner = keras.Sequential([keras.Input((8, 8, 2)), L.Conv2D(3, 3), L.Flatten()])
    return keras.Sequential([keras.Input((4, 8, 8, 2)), L.TimeDistributed(inner), L.LSTM(3)])


def nested(kind: str) -> Callable[[], Any]:
    def build() -> Any:
        inner: Any = keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(4, 3), L.Conv2D(3, 3)], name="inner")
        if kind == "functional":
            inner = keras.Model(inner.inputs[0], inner.outputs[0], name="inner")
        a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
        both = L.Concatenate()([inner(a), inner(b)])
        return keras.Model([a, b], [L.Dense(2)(L.Flatten()(both)), inner(b)])

    return build


def functional_in_sequential() -> Any:
    x = keras.Input((8, 8, 3))
    inner = keras.Model(x, L.Conv2D(4, 3)(x))
    return keras.Sequential([keras.Input((8, 8, 3)), inner, L.GlobalAveragePooling2D(), L.Dense(2)])


def moved_modules(config: Config) -> None:
    config["module"] = "keras.src.engine.functional"
    for layer in layer_entries(config):
        if "module" in layer:
            layer["module"] = (
                "keras.src.engine.functional" if layer["class_name"] == "Functional" else "keras.src.layers"
            )


def seq2seq() -> Any:
    a, b = keras.Input((7, 3)), keras.Input((5, 2))
    _, h, c = L.LSTM(6, return_state=True)(a)
    return keras.Model([a, b], L.LSTM(6, return_sequences=True)(b, initial_state=[h, c]))


def attentive() -> Any:
    a = keras.Input((7, 6))
    return keras.Model(a, L.MultiHeadAttention(2, 3)(a, a))


def attentive_as_keras_2(config: Config) -> None:
    with_old_calls(config)
    layer_config(config, "MultiHeadAttention").update({key: [1] for key in ("query_shape", "key_shape", "value_shape")})


def queried() -> Any:
    a, b = keras.Input((7, 6)), keras.Input((5, 6))
    return keras.Model([a, b], L.Attention()([a, b]))


def slashed() -> Any:
    x = keras.Input((6,))
    y = L.Dense(4, name="block_conv")(x)
    return keras.Model(x, L.Add(name="block_add")([L.Dense(4, name="block_project")(y), y]))


def with_slashes(config: Config) -> None:
    with_old_calls(config)

    def renamed(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("block_"):
            return value.replace("_", "/")
        if isinstance(value, list):
            return [renamed(each) for each in value]
        return {key: renamed(each) for key, each in value.items()} if isinstance(value, dict) else value

    config["config"] = renamed(config["config"])


def calculated() -> Any:
    x = keras.Input((7, 4))
    y = x / 127.5 - 1.0
    y = keras.ops.relu(L.Dense(4)(y))
    y = keras.ops.concatenate([y + x, x], axis=-1)
    return keras.Model(x, keras.ops.mean(y, axis=1, keepdims=True))


def with_array() -> Any:
    x = keras.Input((7, 4))
    y = L.Dense(4)(x) + np.linspace(0, 1, 28, dtype="float32").reshape(1, 7, 4)
    return keras.Model(x, L.Add()([y, keras.activations.relu(y)])[:, 1:])


def nothing(config: Config) -> None:
    """What the installed Keras writes is the case."""


_TF_FUNCTIONS = {
    "TrueDivide": "math.truediv",
    "Subtract": "math.subtract",
    "Relu": "nn.relu",
    "Add": "__operators__.add",
    "Concatenate": "concat",
    "Mean": "math.reduce_mean",
}


def with_tf_functions(config: Config) -> None:
    """Operations as Keras 2 wrote them: the second operand among the keyword arguments of the first."""
    for layer in config["config"]["layers"]:
        if layer["class_name"] in _TF_FUNCTIONS:
            (node,) = layer["inbound_nodes"]
            settings = {key: layer["config"][key] for key in ("axis", "keepdims") if key in layer["config"]}
            first, *others = node["args"]
            listed = first if isinstance(first, list) else [first]
            keywords = {**dict(zip("y", others, strict=False)), **settings, "name": None}
            keywords = {key: _history(value) for key, value in keywords.items()}
            calls = [[*_history(tensor), keywords] for tensor in listed]
            layer["inbound_nodes"] = [calls if isinstance(first, list) else calls[0]]
            function = _TF_FUNCTIONS[layer["class_name"]]
            config_ = {"name": layer["name"], "trainable": True, "dtype": "float32", "function": function}
            layer.update(class_name="TFOpLambda", config=config_, module="keras.src.layers.core.tf_op_layer")


def _history(value: Any) -> Any:
    return value["config"]["keras_history"] if isinstance(value, dict) else value


def as_policies(config: Config) -> None:
    for layer in layer_entries(config):
        layer["config"]["dtype"] = {"class_name": "Policy", "config": {"name": "float32"}}


def gru_as_keras_2(config: Config) -> None:
    settings = layer_config(config, "GRU")
    settings["implementation"] = 1
    del settings["reset_after"]


def to_thresholded(config: Config) -> None:
    layer = next(layer for layer in layer_entries(config) if layer["class_name"] == "ReLU")
    layer["class_name"] = "ThresholdedReLU"
    layer["config"] = {"name": layer["config"]["name"], "theta": layer["config"]["threshold"]}


CASES = (
    Case("shape in the first layer", convolutional, shape_in_first_layer),
    Case("shape in the first two layers", convolutional, shape_in_both),
    Case("shape in a first Dense", sequential((7,), L.Dense(5), L.Dense(3)), shape_in_first_layer),
    Case("shape in a first Bidirectional", sequential((7, 3), L.Bidirectional(L.GRU(5))), shape_in_first_layer),
    Case("list of layers", convolutional, list_of_layers, (".h5",)),
    Case("dtype of initializers", convolutional, initializer_dtype),
    Case("wrappers", wrapped, inner_without_module),
    Case("model in TimeDistributed", model_in_time_distributed, inner_without_module),
    Case("time_major", sequential((7, 3), L.LSTM(8)), set_in("LSTM", time_major=False)),
    Case("nested Sequential", nested("sequential"), with_old_calls),
    Case("nested Functional", nested("functional"), with_old_calls),
    Case("Functional in Sequential", functional_in_sequential, with_old_calls),
    Case("moved modules", nested("functional"), moved_modules, (".keras",)),
    Case("initial states", seq2seq, with_old_calls),
    Case("attention", attentive, attentive_as_keras_2),
    Case("score_mode", queried, set_in("Attention", score_mode="dot")),
    Case("causal", queried, set_in("Attention", causal=False)),
    Case("several axes", sequential((6, 5, 4), L.LayerNormalization(axis=[1, 2])), nothing),
    Case("operations in HDF5", calculated, nothing, (".h5",)),
    Case("an array in HDF5", with_array, nothing, (".h5",)),
    Case("slashes", slashed, with_slashes),
    Case("functions of TensorFlow", calculated, with_tf_functions),
    Case("policies", convolutional, as_policies),
    Case("reset before", sequential((7, 3), L.GRU(5, reset_after=False)), gru_as_keras_2),
    Case("groups", sequential((8, 8, 4), L.DepthwiseConv2D(3)), set_in("DepthwiseConv2D", groups=1)),
    Case("groups transposed", sequential((8, 8, 4), L.Conv2DTranspose(3, 3)), set_in("Conv2DTranspose", groups=1)),
    Case("kernel", sequential((8, 8, 4), L.SeparableConv2D(3, 3)), set_in("SeparableConv2D", kernel_initializer=None)),
    Case("axis", sequential((8, 4), L.BatchNormalization()), set_in("BatchNormalization", axis=[2])),
    Case(
        "spatial",
        sequential((8, 4), L.SpatialDropout1D(0.1)),
        set_in("SpatialDropout1D", trainable=True, noise_shape=None),
    ),
    Case("thresholded", sequential((8,), L.Dense(4), L.ReLU(threshold=0.3)), to_thresholded),
)


def enlivened(model: Any) -> Any:
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.3, 1.2, w.shape) * random.choice([-1, 1]) for w in model.get_weights()])
    return model


def outputs(model: Any) -> list[Any]:
    random = np.random.default_rng(1)
    x = [random.normal(size=(3, *tensor.shape[1:])).astype("float32") for tensor in model.inputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [np.asarray(y) for y in keras.tree.flatten(model(x if len(x) > 1 else x[0], training=False))]


def assert_same(loaded: Any, model: Any) -> None:
    for one, other in zip(outputs(loaded), outputs(model), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def saved(model: Any, folder: Path, suffix: str) -> Path:
    path = folder / f"model{suffix}"
    model.save(path)
    return path


@pytest.mark.parametrize(("case", "suffix"), [pytest.param(c, s, id=f"{c.name}{s}") for c in CASES for s in c.tried])
def test_an_old_spelling_loads_and_computes_the_same(case: Case, suffix: str, tmp_path: Path) -> None:
    model = enlivened(case.model())
    assert_same(load_model(edited(saved(model, tmp_path, suffix), case.edit)), model)


@pytest.mark.parametrize("name", ["old.keras", "old.bin"])
def test_an_old_hdf5_file_under_another_name(name: str, tmp_path: Path) -> None:
    model = enlivened(convolutional())
    old = edited(saved(model, tmp_path, ".h5"), shape_in_first_layer)
    assert_same(load_model(old.rename(tmp_path / name)), model)


@pytest.mark.slow
def test_every_spelling_of_the_table_is_tried(tmp_path: Path) -> None:
    """Each line changes the config of one of the cases at least."""
    used = set()
    for case in CASES:
        for suffix in case.tried:
            path = edited(saved(case.model(), tmp_path, suffix), case.edit)
            used |= _spellings_used(path)
    assert used == {spelling.what for spelling in SPELLINGS}


def _spellings_used(path: Path) -> set[str]:
    config = json.loads(open_model_file(path).config)
    used = set()
    for spelling in SPELLINGS:
        before = json.dumps(config)
        for entry in entries(config):
            spelling.translate(entry)
        if json.dumps(config) != before:
            used.add(spelling.what)
    return used


def to_windows(file: h5py.File) -> None:
    """As Keras 2 on Windows joined names: the groups of layers have names such as layers\\dense."""
    for name in list(file["layers"]):
        file.move(f"layers/{name}", f"layers\\{name}")
    del file["layers"]


def test_weights_written_on_windows(tmp_path: Path) -> None:
    model = enlivened(nested("functional")())
    assert_same(load_model(with_weights(saved(model, tmp_path, ".keras"), to_windows)), model)


def to_checkpoint_dependencies(file: h5py.File) -> None:
    """As Keras 2.12 and 2.13 named layers: layers with weights took two numbers each."""
    groups: list[h5py.Group] = []
    file.visititems(lambda name, item: groups.append(item) if name.rpartition("/")[2] == "layers" else None)
    for group in groups:
        for name in sorted(group, key=lambda name: -int("0" + name.rpartition("_")[2]) if name[-1].isdigit() else 0):
            base, _, number = name.rpartition("_")
            if number.isdigit() and len(group[name].get("vars", ())):
                group.move(name, f"{base}_{2 * int(number)}")
    for path in sorted((group.name for group in groups), key=len, reverse=True):
        file.move(path, path.rpartition("/")[0] + "/_layer_checkpoint_dependencies")


def test_weights_of_keras_2_13(tmp_path: Path) -> None:
    model = enlivened(nested("sequential")())
    assert_same(load_model(with_weights(saved(model, tmp_path, ".keras"), to_checkpoint_dependencies)), model)


def test_a_dozen_layers_of_one_type_of_keras_2_13_are_not_mixed_up(tmp_path: Path) -> None:
    model = enlivened(keras.Sequential([keras.Input((5,)), *(L.Dense(5, activation="tanh") for _ in range(12))]))
    assert_same(load_model(with_weights(saved(model, tmp_path, ".keras"), to_checkpoint_dependencies)), model)


# --- hard_sigmoid, which is another function in Keras 2 ---------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
def old_hard_sigmoid(x: Any) -> Any:
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


HARD = (
    ("LSTM", (6, 3), lambda f: L.LSTM(5, recurrent_activation=f)),
    ("GRU", (6, 3), lambda f: L.GRU(5, recurrent_activation=f)),
    ("GRU that resets before", (6, 3), lambda f: L.GRU(5, recurrent_activation=f, reset_after=False)),
    ("Bidirectional", (6, 3), lambda f: L.Bidirectional(L.LSTM(5, recurrent_activation=f))),
    ("ConvLSTM2D", (3, 6, 6, 2), lambda f: L.ConvLSTM2D(4, 3, recurrent_activation=f)),
    ("SimpleRNN", (6, 3), lambda f: L.SimpleRNN(5, activation=f)),
    ("Dense", (6,), lambda f: L.Dense(5, activation=f)),
    ("Conv2D", (6, 6, 3), lambda f: L.Conv2D(4, 3, activation=f)),
    ("SeparableConv2D", (6, 6, 3), lambda f: L.SeparableConv2D(4, 3, activation=f)),
    ("DepthwiseConv2D", (6, 6, 3), lambda f: L.DepthwiseConv2D(3, activation=f)),
)


@pytest.mark.parametrize(("shape", "layer"), [pytest.param(s, f, id=name) for name, s, f in HARD])
@pytest.mark.parametrize("suffix", BOTH)
def test_hard_sigmoid_of_keras_2(
    suffix: str, shape: tuple[int, ...], layer: Callable[[Any], Any], tmp_path: Path
) -> None:
    meant = enlivened(keras.Sequential([keras.Input(shape), layer(old_hard_sigmoid)]))
    written = keras.Sequential([keras.Input(shape), layer("hard_sigmoid")])
    written.set_weights(meant.get_weights())
    path = saved(written, tmp_path, suffix)
    assert_same(load_model(written_by(path, "2.15.0")), meant)
    assert_same(load_model(path), written)  # of Keras 3 it is what Keras 3 says


def test_hard_sigmoid_without_weights_before_it_is_refused(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), L.Activation("hard_sigmoid", name="gate")])
    path = written_by(saved(model, tmp_path, ".h5"), "2.2.4")
    with pytest.raises(UnsupportedError, match=r"layer 'gate' has the activation hard_sigmoid.*Keras 2\.2\.4"):
        load_model(path)


def test_bilinear_upsampling_of_standalone_keras_is_refused(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4, 4, 2)), L.UpSampling2D(interpolation="bilinear", name="up")])
    path = saved(model, tmp_path, ".h5")
    with pytest.raises(UnsupportedError, match=r"layer 'up' interpolates at other points in Keras 2\.3\.1"):
        load_model(written_by(path, "2.3.1"))
    assert_same(load_model(written_by(path, "2.4.0")), model)


# --- what cannot be read ----------------------------------------------------------------------------------------------


def refused(edit: Edit, model: Any, version: str, folder: Path, suffix: str) -> str:
    path = written_by(edited(saved(model, folder, suffix), edit), version)
    with pytest.raises(UnsupportedError) as caught:
        load_model(path)
    return str(caught.value)


def test_a_layer_that_keras_3_does_not_have(tmp_path: Path) -> None:
    def edit(config: Config) -> None:
        config["config"]["layers"][1]["class_name"] = "LocallyConnected2D"

    for suffix in BOTH:
        told = refused(edit, convolutional(), "2.13.1", tmp_path, suffix)
        assert (
            "is of type LocallyConnected2D, which Keras 3 does not have (the file was written by Keras 2.13.1)" in told
        )


def test_a_function_that_is_not_translated_is_named(tmp_path: Path) -> None:
    def edit(config: Config) -> None:
        with_tf_functions(config)
        layer_config(config, "TFOpLambda")["function"] = "image.per_image_standardization"

    told = refused(edit, calculated(), "2.10.0", tmp_path, ".h5")
    assert "is of type TFOpLambda (tf.image.per_image_standardization), which Keras 3 does not have" in told


def test_time_major_that_means_something_is_refused(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((7, 3)), L.LSTM(8, name="lstm")])
    told = refused(set_in("LSTM", time_major=True), model, "2.13.1", tmp_path, ".keras")
    assert told.startswith("layer 'lstm' of type LSTM cannot be loaded")
    assert told.endswith("(the file was written by Keras 2.13.1); load it in Keras 2.13.1 and save it as .h5")
