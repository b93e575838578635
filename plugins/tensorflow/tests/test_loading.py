"""Model files: told apart by content, refused in one sentence, Keras 2 read, written whole or not at all."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers as L
from keras_files import edited, layer_config, written_by
from keras_reference import enliven
from reds_tensorflow.loading import load_model, save_model
from reds_tensorflow.tracing import inspect

from reds_core.errors import InputError, RedsError, UnsupportedError

X = np.random.default_rng(0).normal(size=(4, 8, 8, 4)).astype("float32")


class Doubled(L.Layer):
    def call(self, x: Any) -> Any:
        return 2 * x


def doubled(x: Any) -> Any:
    return 2 * x


@pytest.fixture(scope="module")
def model() -> Any:
    layers = [
        L.DepthwiseConv2D(3, name="depthwise"),
        L.Conv2DTranspose(3, 3, name="transposed"),
        L.SeparableConv2D(5, 3, name="separable"),
        L.BatchNormalization(name="norm"),
        L.Dense(3, name="dense"),
    ]
    return enliven(keras.Sequential([keras.Input((8, 8, 4)), *layers]), X)


@pytest.fixture(params=[".keras", ".h5"])
def saved(request: pytest.FixtureRequest, model: Any, tmp_path: Path) -> Path:
    path = tmp_path / f"model{request.param}"
    model.save(path)
    return path


def saved_with(layer: Any, path: Path) -> Path:
    keras.Sequential([keras.Input((4,)), layer]).save(path)
    return path


@pytest.mark.parametrize("name", ["renamed.keras", "renamed.h5", "renamed.bin", "renamed"])
def test_the_content_tells_the_format_not_the_name(saved: Path, name: str, model: Any) -> None:
    loaded = load_model(saved.rename(saved.with_name(name)))
    np.testing.assert_array_equal(np.asarray(loaded(X)), np.asarray(model(X)))


def test_a_loaded_model_is_not_compiled(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), L.Dense(3)])
    model.compile("adam", "mse")
    model.save(tmp_path / "compiled.keras")
    assert not load_model(tmp_path / "compiled.keras").compiled


def as_keras_2(config: dict[str, Any]) -> None:
    """What Keras 2 wrote into configs beside what Keras 3 knows."""
    for kind in ("DepthwiseConv2D", "Conv2DTranspose", "SeparableConv2D"):
        layer_config(config, kind)["groups"] = 1
    separable = layer_config(config, "SeparableConv2D")
    separable |= {"kernel_initializer": None, "kernel_regularizer": None, "kernel_constraint": None}
    layer_config(config, "BatchNormalization")["axis"] = [3]


def test_files_of_keras_2_load_and_compute_the_same(saved: Path, model: Any) -> None:
    old = edited(saved, as_keras_2)
    if old.suffix == ".keras":  # lest Keras itself has learnt to read them and this tests nothing
        with pytest.raises(Exception, match="could not be deserialized"):
            keras.models.load_model(old, compile=False)
    loaded = load_model(old)
    np.testing.assert_array_equal(np.asarray(loaded(X)), np.asarray(model(X)))
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]


def test_groups_that_mean_something_are_not_dropped(saved: Path) -> None:
    path = edited(saved, lambda config: layer_config(config, "DepthwiseConv2D").update(groups=2))
    with pytest.raises(UnsupportedError, match=r"layer 'depthwise' of type DepthwiseConv2D cannot be loaded .*groups"):
        load_model(path)


def test_a_layer_with_an_argument_of_another_version_is_named(saved: Path) -> None:
    path = edited(saved, lambda config: layer_config(config, "Dense").update(sparkle=3))
    with pytest.raises(UnsupportedError, match=r"layer 'dense' of type Dense cannot be loaded .*sparkle"):
        load_model(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_is_refused_in_one_sentence(tmp_path: Path, suffix: str) -> None:
    path = saved_with(L.Lambda(lambda x: 2 * x, name="code"), tmp_path / f"code{suffix}")
    with pytest.raises(UnsupportedError, match="layer 'code' is a Lambda") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_code_in_a_nested_model_is_refused(tmp_path: Path) -> None:
    inner = keras.Sequential([keras.Input((4,)), L.Lambda(lambda x: 2 * x, name="code")])
    with pytest.raises(UnsupportedError, match="layer 'code' is a Lambda"):
        load_model(saved_with(inner, tmp_path / "nested.keras"))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_layer_of_the_users_own_is_named(tmp_path: Path, suffix: str) -> None:
    path = saved_with(Doubled(name="mine"), tmp_path / f"custom{suffix}")
    with pytest.raises(UnsupportedError, match="layer 'mine' is of type Doubled, which is neither Keras's own"):
        load_model(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_layer_with_a_function_of_the_users_own_is_named(tmp_path: Path, suffix: str) -> None:
    path = saved_with(L.Dense(3, activation=doubled, name="dense"), tmp_path / f"function{suffix}")
    with pytest.raises(UnsupportedError, match=r"layer 'dense' of type Dense cannot be loaded .*doubled"):
        load_model(path)


def test_the_way_on_is_told(tmp_path: Path) -> None:
    for layer in (L.Lambda(lambda x: 2 * x), Doubled()):
        with pytest.raises(UnsupportedError, match=r"or load it yourself and give the object to reds_core.prune"):
            load_model(saved_with(layer, tmp_path / "mine.keras"))
    with pytest.raises(UnsupportedError, match=r"imports=.my_layers\.py."):
        load_model(saved_with(Doubled(), tmp_path / "mine.keras"))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_the_layer_at_fault_is_named_and_no_other(tmp_path: Path, suffix: str) -> None:
    """The layers before it are sound, each in its own way of being read."""
    x = keras.Input((5,))
    y = L.Dense(4, name="first")(L.Embedding(9, 4, name="tokens")(x))
    y = L.TimeDistributed(L.Dense(3, name="inside"), name="wrapper")(y)
    keras.Model(x, y).save(tmp_path / f"model{suffix}")

    def spoil(config: Any) -> None:
        layer_config(config, "TimeDistributed")["layer"]["config"]["sparkle"] = 3

    path = written_by(edited(tmp_path / f"model{suffix}", spoil), "2.10.0")
    with pytest.raises(UnsupportedError) as caught:
        load_model(path)
    told = str(caught.value)
    assert told.startswith("layer 'wrapper' of type TimeDistributed cannot be loaded (Unrecognized keyword arguments")
    assert "sparkle" in told
    assert "(the file was written by Keras 2.10.0)" in told
    assert "replace it" not in told


def test_layers_in_a_list_are_named(tmp_path: Path) -> None:
    path = saved_with(L.Lambda(lambda x: 2 * x, name="code"), tmp_path / "list.h5")

    def as_list(config: Any) -> None:
        config["config"] = config["config"]["layers"]

    with pytest.raises(UnsupportedError, match="layer 'code' is a Lambda"):
        load_model(edited(path, as_list))


def test_a_model_without_the_shape_of_its_input(tmp_path: Path) -> None:
    path = saved_with(L.Dense(3), tmp_path / "open.h5")

    def open_up(config: Any) -> None:
        del config["config"]["layers"][0]
        config["config"].pop("build_input_shape", None)

    with pytest.raises(UnsupportedError, match=r"does not hold the shape of its input \(the file was written by Keras"):
        load_model(edited(path, open_up))


@pytest.mark.parametrize("damage", [{"config": 3}, {"config": {"layers": 3}}, {"config": {"layers": [3]}}])
def test_a_config_of_the_wrong_types(saved: Path, damage: dict[str, Any]) -> None:
    with pytest.raises(RedsError):
        load_model(edited(saved, lambda config: config.update(damage)))


def test_a_layer_that_the_user_registered_loads(tmp_path: Path) -> None:
    with keras.saving.custom_object_scope({"Doubled": Doubled}):
        path = saved_with(Doubled(name="mine"), tmp_path / "custom.keras")
        assert isinstance(load_model(path).layers[-1], Doubled)


def test_a_function_of_another_module_is_never_looked_up(saved: Path) -> None:
    function = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    path = edited(saved, lambda config: layer_config(config, "Dense").update(activation=function))
    with pytest.raises(UnsupportedError, match="layer 'dense' refers to 'function', which is neither Keras's own"):
        load_model(path)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_model(tmp_path / "nothing.keras")
    with pytest.raises(InputError, match="is a folder"):
        load_model(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK", b"hello, world", b"\x1c\x00\x00\x00TFL3"])
def test_what_is_no_model_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a Keras model file"):
        load_model(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="is damaged") as caught:
        load_model(saved)
    assert "\n" not in str(caught.value)


def test_a_zip_with_a_changed_byte(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    model.save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        load_model(path)


def test_a_zip_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=X)
    with pytest.raises(InputError, match="holds no Keras model"):
        load_model(path)


def test_weights_without_a_model(model: Any, tmp_path: Path) -> None:
    model.save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(InputError, match="may hold weights, but holds no model"):
        load_model(tmp_path / "only.weights.h5")


@pytest.mark.parametrize("broken", ["{", "[]", "{}", '"text"'])
def test_a_config_that_is_none(model: Any, tmp_path: Path, broken: str) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", broken)
    with pytest.raises(InputError):
        load_model(path)


def test_weights_that_are_missing(saved: Path) -> None:
    if saved.suffix == ".h5":
        with h5py.File(saved, "r+") as file:
            del file["model_weights"]
    else:
        with zipfile.ZipFile(saved) as old:
            config = old.read("config.json")
        with zipfile.ZipFile(saved, "w") as new:
            new.writestr("config.json", config)
    with pytest.raises(InputError):
        load_model(saved)


def test_saved_models_load_and_no_other_file_is_left(model: Any, tmp_path: Path) -> None:
    for name in ("a.keras", "b.h5"):
        save_model(model, tmp_path / name)
        np.testing.assert_array_equal(np.asarray(load_model(tmp_path / name)(X)), np.asarray(model(X)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.keras", "b.h5"]


def test_saving_where_it_cannot_be(model: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        save_model(model, tmp_path / "missing" / "a.keras")
    with pytest.raises(InputError, match="no suffix of a model file"):
        save_model(model, tmp_path / "a.tflite")


def test_loading_and_saving_are_silent(model: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save_model(model, tmp_path / "a.h5")
    load_model(tmp_path / "a.h5")
    assert capfd.readouterr() == ("", "")


class Unheard(keras.Model):
    """A subclassed model."""

    def call(self, x: Any) -> Any:
        return 2 * x


class OwnLoss(keras.losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.square(y_true - y_pred))


def test_a_subclassed_model_is_refused_as_such(tmp_path: Path) -> None:
    model = Unheard()
    model(np.zeros((1, 3)))
    model.save(tmp_path / "m.keras")
    with pytest.raises(
        UnsupportedError, match=r"is a model of type Unheard, whose .*; build it as a Functional or Sequential"
    ):
        load_model(tmp_path / "m.keras")


def test_a_loss_of_the_users_own_is_no_obstacle(tmp_path: Path) -> None:
    """It is not used: models are loaded uncompiled."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", OwnLoss())
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "m.keras").get_weights()[0], model.get_weights()[0])


def open_model(several: bool = False) -> Any:
    """A model whose images have any size, and a second input that is known."""
    image, known = keras.Input((None, None, 3), name="image"), keras.Input((4,), name="known")
    x = L.GlobalAveragePooling2D(name="mean")(L.Conv2D(6, 3, activation="relu", name="conv")(image))
    if not several:
        return keras.Sequential(
            [keras.Input((None, None, 3), name="image"), L.Conv2D(6, 3), L.GlobalAveragePooling2D()]
        )
    return keras.Model([image, known], L.Dense(3, name="out")(L.Concatenate(name="both")([x, known])))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("text", ["9,7,3", "image=9,7,3"])
@pytest.mark.parametrize("several", [False, True])
def test_open_sizes_of_a_file_are_filled(tmp_path: Path, suffix: str, text: str, several: bool) -> None:
    model, path = open_model(several), tmp_path / f"open{suffix}"
    model.save(path)
    if several and text == "9,7,3":
        text += ";known=4"
    loaded = load_model(path, input_shape=text)
    assert tuple(loaded.inputs[0].shape) == (None, 9, 7, 3)
    assert inspect(loaded).tensors[0].positions == 9 * 7
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(2, *t.shape[1:])).astype(np.float32) for t in loaded.inputs]
    np.testing.assert_array_equal(loaded(x if several else x[0]), model(x if several else x[0]))
    assert tuple(load_model(path).inputs[0].shape) == (None, None, None, 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9,7", r"input 'image' of shape \? x \? x 3 cannot have the shape 9 x 7"),
        ("9,7,4", "cannot have the shape 9 x 7 x 4"),
        ("picture=9,7,3", "the model has no input 'picture' to give a shape; choose from its inputs: image"),
        ("9x7x3", "input shape '9x7x3' cannot be read; write 224,224,3"),
        ("0,7,3", "input shape '0,7,3' cannot be read"),
    ],
)
def test_shapes_that_do_not_fit_are_named(tmp_path: Path, text: str, told: str) -> None:
    open_model().save(tmp_path / "open.keras")
    with pytest.raises(InputError, match=told):
        load_model(tmp_path / "open.keras", input_shape=text)
