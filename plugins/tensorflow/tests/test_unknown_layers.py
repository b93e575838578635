"""Layers and functions that are not known: data pass, channels stay, a warning names them."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from keras.src.activations import ALL_OBJECTS
from keras_reference import enliven, masked_outputs, random_kept, relative_error
from reds_tensorflow.extraction import extract, variables
from reds_tensorflow.handlers.operations import OPERATIONS, reduction, softmax, transpose
from reds_tensorflow.loading import load_model
from reds_tensorflow.tracing import inspect

from reds_core.errors import UnsupportedError
from reds_core.network import WeightKind

X = np.random.default_rng(0).normal(size=(32, 6, 5)).astype("float32")


@keras.saving.register_keras_serializable("reds-tests")
class Mixed(L.Layer):
    """A layer of a user's own that mixes channels, with layers and nameless weights inside."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner, self.outer = L.Dense(4, activation="relu"), L.Dense(3)

    def build(self, shape: Any) -> None:
        self.inner.build(shape)
        self.outer.build((*shape[:-1], 4))
        self.one, self.two = self.add_weight(shape=(3,)), self.add_weight(shape=(3,), trainable=False)

    def call(self, x: Any) -> Any:
        return self.outer(self.inner(x)) * self.one + self.two


@keras.saving.register_keras_serializable("reds-tests")
class Block(keras.Model):
    """A subclassed model used as a layer."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = L.Dense(5)

    def call(self, x: Any) -> Any:
        return keras.ops.tanh(self.dense(x))


@keras.saving.register_keras_serializable("reds-tests")
class Uncopied(L.Layer):
    def __init__(self, factors: np.ndarray, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factors = factors

    def call(self, x: Any) -> Any:
        return x * self.factors


@keras.saving.register_keras_serializable("reds-tests")
def swish_times_two(x: Any) -> Any:
    return 2 * keras.activations.swish(x)


@keras.saving.register_keras_serializable("reds-tests")
class OfFour(keras.regularizers.Regularizer):
    """It knows how wide the layer is (as in PointNet's example of keras.io)."""

    def __call__(self, x: Any) -> Any:
        return keras.ops.sum(keras.ops.square(keras.ops.reshape(x, (-1, 2, 2))))

    def get_config(self) -> dict[str, Any]:
        return {}


def around(middle: Callable[[Any], Any]) -> Any:
    """A network with something between two prunable layers and an untouched prunable branch."""
    inputs = keras.Input((6, 5))
    x = middle(L.Dense(4, activation="relu", name="a")(inputs))
    x = L.Flatten()(L.Dense(6, activation="relu", name="b")(x))
    y = L.Dense(7, activation="relu", name="c")(L.GlobalAveragePooling1D()(inputs))
    return keras.Model(inputs, L.Dense(3, name="out")(L.Concatenate()([x, y])))


MATRIX = np.random.default_rng(2).normal(size=(4, 4)).astype("float32")
SHIFT = np.random.default_rng(1).normal(size=(4,)).astype("float32")
PASSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "custom": (Mixed(name="mine"), "layer 'mine' of type Mixed is not known to reds"),
    "subclassed": (Block(name="block"), "layer 'block' of type Block is not known to reds"),
    "reshape": (lambda x: keras.ops.reshape(x, (-1, 8, 3)), "the keras.ops call 'reshape.*' of type Reshape spreads"),
    "examples": (
        lambda x: keras.ops.reshape(keras.ops.reshape(x, (-1, 4)), (-1, 6, 4)),
        "'reshape.*' of type Reshape mixes the examples",
    ),
    "split": (
        lambda x: keras.ops.split(x, [1], axis=-1)[1],
        "the keras.ops call 'split.*' of type Split splits channels at numbers",
    ),
    "slice": (
        lambda x: x[:, :, :2],
        "the keras.ops call 'get_item.*' of type GetItem takes some channels by their number",
    ),
    "channel": (lambda x: keras.ops.expand_dims(x[..., 1], -1), "takes some channels by their number"),
    "flip": (lambda x: keras.ops.flip(x, axis=-1), "the keras.ops call 'flip.*' of type Flip works across"),
    "pad": (lambda x: keras.ops.pad(x, [[0, 0], [0, 0], [1, 1]]), "'pad.*' of type Pad adds channels"),
    "mean": (lambda x: keras.ops.mean(x, -1, keepdims=True), "'mean.*' of type Mean works across channels"),
    "matmul": (
        lambda x: keras.ops.matmul(keras.ops.transpose(x, (0, 2, 1)), x),
        "'matmul.*' of type Matmul has channels on two dimensions",
    ),
    "matrix": (lambda x: keras.ops.matmul(x, MATRIX), "'matmul.*' of type Matmul multiplies by a constant array"),
    "einsum": (lambda x: keras.ops.einsum("bnd,bmd->bnm", x, x), "'einsum.*' of type Einsum is not known"),
    "softmax": (lambda x: keras.ops.softmax(x), "'softmax.*' of type Softmax normalises over channels"),
    "constant": (lambda x: x + SHIFT, "'add.*' of type Add takes a constant array with a number for each channel"),
    "constant tensor": (lambda x: L.Add(name="shift")([x, keras.ops.convert_to_tensor(SHIFT)[None, None]]), "'shift'"),
    "activation": (L.Activation(swish_times_two, name="act"), "'act' of type Activation has activation 'swish_times"),
    "regularizer": (
        L.Dense(4, kernel_regularizer=OfFour(), name="own"),
        "'own' of type Dense has kernel_regularizer 'OfFour', which may need the widths as they are",
    ),
    "cosines": (
        lambda x: L.Dot(2, normalize=True, name="dot")([x, x]),
        "layer 'dot' of type Dot normalises over channels",
    ),
}


@pytest.mark.parametrize("name", PASSED)
def test_what_is_not_known_passes_and_is_named(name: str, tmp_path: Path) -> None:
    middle, message = PASSED[name]
    model = enliven(around(middle), X)
    network = inspect(model)
    assert set(network.channels) == {"b", "c"}
    assert any(re.search(message, warning) for warning in network.warnings), network.warnings
    assert all("of the parameters stay prunable" in warning for warning in network.warnings)
    kept = random_kept(network, 0.5, seed=1)
    small = extract(model, network, kept)
    (expected,) = masked_outputs(model, network, kept, X)
    assert relative_error(np.asarray(small(X)), expected) < 1e-4
    assert small.count_params() < model.count_params()
    assert inspect(small).channels == {g: len(k) for g, k in kept.items()}
    small.save(tmp_path / "small.keras")
    np.testing.assert_array_equal(np.asarray(load_model(tmp_path / "small.keras")(X)), np.asarray(small(X)))


def test_an_activity_regularizer_of_the_users_own_sees_the_outputs_alone() -> None:
    network = inspect(around(L.Dense(4, activity_regularizer=OfFour(), name="own")))
    assert set(network.channels) == {"a", "b", "c"}
    assert "'own' of type Dense has activity_regularizer 'OfFour'" in network.warnings[0]


def test_weights_of_an_unknown_layer_are_counted_whole_and_keep_their_names() -> None:
    model = around(Mixed(name="mine"))
    network = inspect(model)
    own = {w.name: w for w in network.weights if w.layer == "mine"}
    assert sorted(own) == [
        "mine/bias", "mine/bias/2", "mine/kernel", "mine/kernel/2", "mine/variable", "mine/variable/2"
    ]  # fmt: skip
    assert all(weight.kind is WeightKind.OTHER for weight in own.values())
    assert sum(w.trainable for w in own.values()) == 5
    small = extract(model, network, {"c": np.array([1, 2])})
    shapes = [tuple(v.shape) for v in variables(small, network)]
    assert [s for s, w in zip(shapes, network.weights, strict=True) if w.name in own] == [
        tuple(axis.length().constant for axis in w.axes) for w in own.values()
    ]


def test_the_share_that_stays_prunable_is_that_of_weights_with_channels_to_choose() -> None:
    model = around(Mixed())
    network = inspect(model)
    # all but the layer a (5 x 4 + 4), the unknown one (4 x 4 + 4 + 4 x 3 + 3 + 3 + 3) and the last layer's bias (3)
    assert network.prunable_share == 1 - (24 + 41 + 3) / model.count_params()
    assert f"({network.prunable_share:.0%} of the parameters stay prunable)" in network.warnings[0]


def test_a_layer_that_cannot_be_copied_is_named() -> None:
    model = around(Uncopied(np.arange(4.0), name="mine"))
    network = inspect(model)
    with pytest.raises(UnsupportedError, match=r"layer 'mine' of type Uncopied cannot be copied \(NotImplementedError"):
        extract(model, network, {"c": np.array([1, 2])})


def test_products_of_tensors_are_counted() -> None:
    network = inspect(around(lambda x: L.Dot(2, name="dot")([x, x])))
    (terms,) = [layer.macs for layer in network.layers if layer.name == "dot"]
    assert [t.coefficient * math.prod(axis.full(network.channels) for axis in t.factors) for t in terms] == [6 * 6 * 4]


@keras.saving.register_keras_serializable("reds-tests")
class Looping(L.Layer):
    """A layer of a user's own that goes on until its numbers are large."""

    def build(self, shape: Any) -> None:
        self.mix = self.add_weight(shape=(shape[-1], shape[-1]))

    def call(self, x: Any) -> Any:
        return keras.ops.while_loop(lambda y: keras.ops.max(y) < 9, lambda y: (keras.ops.matmul(y, self.mix),), (x,))[0]


@keras.saving.register_keras_serializable("reds-tests")
class Counting(L.Layer):
    """A layer of a user's own that reads numbers, which shapes alone do not have."""

    def call(self, x: Any) -> Any:
        return x * float(np.asarray(x).sum())

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape, x.dtype)


@keras.saving.register_keras_serializable("reds-tests")
class Recurring(L.LSTM):
    """Derived from a layer of Keras, so that it may do something else."""


KERNEL = np.random.default_rng(3).normal(size=(3, 4, 2)).astype("float32")
WORK: dict[str, tuple[Callable[[Any], Any], int]] = {
    # two layers inside, on 6 positions
    "layers inside": (Mixed(name="mine"), 6 * (4 * 4 + 4 * 3)),
    "subclassed": (Block(name="block"), 6 * 4 * 5),
    "derived": (Recurring(5, return_sequences=True), 6 * (4 + 5) * 4 * 5),
    "einsum": (lambda x: keras.ops.einsum("bnd,bmd->bnm", x, x), 6 * 6 * 4),
    "einsum of dots": (lambda x: keras.ops.einsum("...nd,dk->...nk", x, MATRIX), 6 * 4 * 4),
    "dot": (lambda x: keras.ops.dot(x, MATRIX), 6 * 4 * 4),
    "tensordot": (lambda x: keras.ops.tensordot(x, MATRIX, 1), 6 * 4 * 4),
    "convolution": (lambda x: keras.ops.conv(x, KERNEL), 4 * 3 * 4 * 2),
    "depthwise convolution": (lambda x: keras.ops.depthwise_conv(x, KERNEL), 4 * 3 * 4 * 2),
    "attention": (lambda x: keras.ops.dot_product_attention(*[x[:, :, None]] * 3)[:, :, 0], 2 * 6 * 6 * 4),
}


@pytest.mark.parametrize("name", WORK)
def test_the_work_of_what_is_not_known_is_counted_as_fixed(name: str) -> None:
    middle, expected = WORK[name]
    network = inspect(around(middle))
    without = [layer for layer in network.layers if layer.name not in ("a", "b", "c", "out")]
    fixed = [t for layer in without for t in layer.macs]
    assert not any(axis.groups() for term in fixed for axis in term.factors)
    assert sum(t.coefficient * math.prod(axis.full({}) for axis in t.factors) for t in fixed) == expected
    assert any(f"its {expected} MACs are fixed (" in warning for warning in network.warnings)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Looping(name="mine"), r"are not pruned and what it computes in a loop is not in the MACs \("),
        (
            Counting(name="mine"),
            r"what it computes, since it did not run on shapes alone \(.*\), is not in the MACs \(",
        ),
    ],
)
def test_work_that_cannot_be_counted_is_said_to_be_missing(layer: Any, message: str) -> None:
    (warning,) = (w for w in inspect(around(layer)).warnings if "'mine'" in w)
    assert re.search(message, warning), warning


ACTIVATIONS = sorted(ALL_OBJECTS, key=lambda function: function.__name__)
ACROSS_CHANNELS = ("softmax", "log_softmax")
OUTSIDE_GRAPHS = ("hard_silu", "mish", "sparsemax")
"""What Keras 3.15 itself cannot put into a graph but as a layer."""


@pytest.mark.parametrize("function", ACTIVATIONS, ids=lambda function: function.__name__)
def test_activations_called_on_tensors_are_followed(function: Any) -> None:
    arguments = (0.1, 0.2) if function is keras.activations.threshold else ()
    if function.__name__ in OUTSIDE_GRAPHS:
        with pytest.raises(ValueError, match="KerasTensor"):
            around(lambda x: function(x))
        return
    model = enliven(around(lambda x: function(x, *arguments)), X)
    network = inspect(model)
    if function.__name__ in ACROSS_CHANNELS:
        assert "normalises over channels" in network.warnings[0]
        assert set(network.channels) == {"b", "c"}
        return
    assert network.warnings == ()
    halved = function is keras.activations.glu
    (first,) = (g.channels for g in network.groups if "a" in g.layers or (halved and g.name not in ("b", "c")))
    assert first == (2 if halved else 4)
    kept = random_kept(network, 0.5, seed=1)
    small = extract(model, network, kept)
    (expected,) = masked_outputs(model, network, kept, X)
    assert relative_error(np.asarray(small(X)), expected) < 1e-4


def test_an_activation_that_is_not_known_is_called_by_its_right_name() -> None:
    class Wavy(keras.Operation):
        def call(self, x: Any) -> Any:
            return keras.ops.sin(x)

        def compute_output_spec(self, x: Any) -> Any:
            return keras.KerasTensor(x.shape, x.dtype)

    Wavy.__module__ = "keras.src.activations.activations"
    (warning,) = inspect(around(Wavy(name="wavy"))).warnings
    assert warning.startswith("the keras.activations call 'wavy' of type Wavy is not known to reds")
    Wavy.__module__ = "mine"
    (warning,) = inspect(around(Wavy(name="wavy"))).warnings
    assert warning.startswith("the call 'wavy' of type Wavy is not known to reds")


def test_every_function_in_the_table_is_one_of_keras() -> None:
    modules = [importlib.import_module(f"keras.src.ops.{name}") for name in ("numpy", "nn", "math", "core", "image")]
    for name, handler in OPERATIONS.items():
        (kind,) = {vars(m)[name] for m in modules if isinstance(vars(m).get(name), type)}
        wanted = {reduction: {"axis", "keepdims"}, softmax: {"axis"}, transpose: {"axes"}}.get(handler.flow, set())
        assert wanted <= signature(kind.__init__).parameters.keys(), name


class Unregistered(L.Layer):
    def call(self, x: Any) -> Any:
        return 2 * x


def test_a_layer_whose_files_could_not_be_read_is_named_before_anything_is_trained() -> None:
    model = around(Unregistered(name="mine"))
    with pytest.raises(UnsupportedError, match="layer 'mine' of type Unregistered is not registered with Keras"):
        extract(model, inspect(model), {"c": np.array([1, 2])})


def test_image_preprocessing_is_silent_at_the_input_and_keeps_channels_elsewhere() -> None:
    image = keras.Input((8, 8, 3))
    chain = (
        L.Rescaling(1 / 255), L.RandomFlip(), L.RandomRotation(0.1), L.RandomContrast(0.1), L.RandomCrop(7, 7),
        L.CenterCrop(6, 6), L.Resizing(5, 5), L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1, 2, 3]),
        L.Conv2D(4, 1, name="a"), L.Resizing(3, 3), L.CenterCrop(2, 2), L.Conv2D(5, 1, name="b"),
    )  # fmt: skip
    x = image
    for layer in chain:
        x = layer(x)
    network = inspect(keras.Model(image, L.Dense(3)(L.Flatten()(x))))
    assert (network.channels, network.warnings) == ({"a": 4, "b": 5}, ())
    network = inspect(keras.Model(image, L.Dense(3)(L.Flatten()(L.RandomFlip(name="flip")(x)))))
    assert network.channels == {"a": 4}
    assert "layer 'flip' of type RandomFlip is made for the network's input" in network.warnings[0]


@pytest.mark.parametrize("mode", ["log", "stft", "real"])
def test_spectrograms_of_the_input_are_counted_and_silent(mode: str) -> None:
    samples = keras.Input((64, 2))
    spectrum = L.STFTSpectrogram(mode=mode, frame_length=16, frame_step=8, fft_length=16, name="stft")(samples)
    x = L.Flatten()(L.Conv1D(4, 3, name="a")(spectrum))
    model = keras.Model(samples, L.Dense(3)(x))
    network = inspect(model)
    assert (network.channels, network.warnings) == ({"a": 4}, ())
    (terms,) = [layer.macs for layer in network.layers if layer.name == "stft"]
    frames, bins, transforms = (64 - 16) // 8 + 1, 16 // 2 + 1, 1 if mode == "real" else 2
    counted = [t.coefficient * math.prod(axis.full(network.channels) for axis in t.factors) for t in terms]
    assert counted == [frames * 2 * bins * 16 * transforms]
    small = extract(model, network, {"a": np.array([2, 0])})
    assert inspect(small).channels == {"a": 2}
    np.testing.assert_array_equal(small.get_layer("stft").get_weights(), model.get_layer("stft").get_weights())
