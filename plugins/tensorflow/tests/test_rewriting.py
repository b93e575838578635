"""Models with chains of layers in place of layers compute what the products of the kernels compute, and cost what the
description said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import keras_reference as reference
import numpy as np
import pytest
from keras import layers as L
from keras_low_rank import low_rank, lowered, rewritten
from keras_precision import precision
from keras_random import RandomNetwork
from keras_random_sequences import RandomSequenceNetwork
from reds_tensorflow.loading import load_model, save_model
from reds_tensorflow.probing import second_moments
from reds_tensorflow.rewriting import refusal, rewrite
from reds_tensorflow.samples import SAMPLES
from reds_tensorflow.tracing import inspect

import reds_core
from reds_core.cost import CostModel, usage
from reds_core.errors import InputError, UnsupportedError
from reds_core.network import Network
from reds_core.transforms import composed

SCHEMES = ("channels", "spatial", "tucker")
RESOURCES = ("macs", "params", "weight_bytes", "peak_ram")


def check(model: Any, arrays: list[np.ndarray], scheme: str, tolerance: float = 1e-9) -> int:
    """Check the model with every layer at its lowest level, and return the number of chains."""
    transform = low_rank(scheme)
    settings = lowered(model, transform)
    made, described = rewritten(model, transform, settings)
    feed = arrays if len(arrays) > 1 else arrays[0]
    pairs = zip(
        keras.tree.flatten(made(feed, training=False)), keras.tree.flatten(model(feed, training=False)), strict=True
    )
    for actual, expected in pairs:
        scale = float(np.abs(expected).max()) + 1e-30
        assert float(np.abs(np.asarray(actual) - np.asarray(expected)).max()) <= tolerance * scale
    recounted = inspect(made)
    assert layers(described) == layers(recounted)
    assert costs(described) == costs(recounted)
    return len(settings.levels)


def layers(network: Network) -> list[Any]:
    return [(e.name, e.kind, e.input_shape, e.output_shape, e.is_activated) for e in network.layers]


def costs(network: Network) -> Any:
    found = dict(usage(network, network.channels, CostModel(4, additional=RESOURCES)))
    weights = sorted((w.name, w.shape, w.kind, w.output_axis, w.trainable) for w in network.weights)
    return found, weights


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_samples(sample: Any, scheme: str) -> None:
    with precision("float64"):
        model, x, _ = sample.build()
        assert check(model, [x], scheme)


@pytest.mark.parametrize("seed", range(6))
def test_random_networks(seed: int) -> None:
    with precision("float64"):
        model = RandomNetwork(np.random.default_rng(seed)).build()
        data = np.random.default_rng(seed)
        arrays = [data.normal(size=(4, *tensor.shape[1:])) for tensor in model.inputs]
        reference.enliven(model, *arrays, seed=seed)
        check(model, arrays, SCHEMES[seed % 3])


@pytest.mark.parametrize("seed", range(3))
def test_random_networks_of_sequences(seed: int) -> None:
    with precision("float64"):
        grown = RandomSequenceNetwork(np.random.default_rng(seed))
        model, x = grown.build(), grown.examples(seed)
        reference.enliven(model, x, seed=seed)
        check(model, [x], SCHEMES[seed % 3])


def conv_model(*layers: Any, shape: tuple[int, ...] = (12, 10, 6)) -> Any:
    x = inputs = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


KINDS = {
    "strided": lambda: L.Conv2D(8, (3, 5), strides=2, padding="same", name="c"),
    "valid": lambda: L.Conv2D(8, (3, 5), strides=(2, 1), activation="relu", name="c"),
    "dilated": lambda: L.Conv2D(8, 3, dilation_rate=(2, 1), padding="same", use_bias=False, name="c"),
    "pointwise": lambda: L.Conv2D(8, 1, strides=2, name="c"),
    "channels_first": lambda: L.Conv2D(
        8, 3, strides=(1, 2), padding="same", data_format="channels_first", activation="tanh", name="c"
    ),
    "dense": lambda: L.Dense(9, activation="softmax", name="c"),
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", KINDS)
def test_settings_of_layers(kind: str, scheme: str) -> None:
    first = kind == "channels_first"  # which TensorFlow computes in single precision alone
    with precision("float32" if first else "float64"):
        layer = KINDS[kind]()
        shape = (6, 12, 10) if first else (12, 10, 6)
        ends = L.GlobalAveragePooling2D(data_format=getattr(layer, "data_format", None))
        model = conv_model(layer, ends, L.Dense(1), shape=shape)
        x = np.random.default_rng(0).normal(size=(4, *shape)).astype(keras.config.floatx())
        reference.enliven(model, x, seed=0)
        assert check(model, [x], scheme, tolerance=1e-4 if first else 1e-9) == 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_and_three_dimensions(scheme: str) -> None:
    with precision("float64"):
        rng = np.random.default_rng(0)
        causal = L.Conv1D(8, 3, padding="causal", dilation_rate=2)
        model = conv_model(causal, L.Conv1D(8, 4, strides=2), shape=(12, 6))
        assert check(model, [rng.normal(size=(4, 12, 6))], scheme) == 2
        model = conv_model(L.Conv3D(8, (3, 2, 3), strides=(1, 2, 1), padding="same"), shape=(6, 5, 4, 6))
        assert check(model, [rng.normal(size=(4, 6, 5, 4, 6))], scheme) == 1


def test_a_shared_layer_is_replaced_once_even_if_its_calls_differ_in_shape() -> None:
    with precision("float64"):
        inputs = keras.Input((12, 10, 8))
        shared = L.Conv2D(8, 3, padding="same", activation="relu", name="shared")
        inner = keras.Model(inputs, shared(L.MaxPooling2D(2)(shared(inputs))), name="inner")
        outer = keras.Input((12, 10, 8))
        model = keras.Model(outer, L.Add()([inner(outer), inner(outer)]))
        x = np.random.default_rng(0).normal(size=(4, 12, 10, 8))
        transform = low_rank()
        made, described = rewritten(model, transform, lowered(model, transform))
        np.testing.assert_allclose(np.asarray(made(x)), np.asarray(model(x)), rtol=1e-9, atol=1e-12)
        assert [w.name for w in described.weights] == [
            "inner/shared/rank_2/kernel",
            "inner/shared/rank_2/bias",
            "inner/shared/rank_1/kernel",
        ]
        assert sum(w.size for w in made.get_weights()) == made.count_params() < model.count_params()
        assert layers(described) == layers(inspect(made))


def test_the_last_layer_keeps_what_the_layer_had(tmp_path: Path) -> None:
    layer = L.Conv2D(
        8,
        3,
        activation="relu",
        bias_initializer="ones",
        kernel_regularizer=keras.regularizers.L2(0.1),
        bias_regularizer="l1",
        activity_regularizer="l2",
        kernel_constraint="non_neg",
        bias_constraint="max_norm",
        trainable=False,
        dtype="mixed_float16",
        name="conv",
    )
    model = conv_model(layer)
    made, _ = rewritten(model, low_rank(), lowered(model, low_rank()))
    save_model(made, tmp_path / "made.keras")
    loaded = load_model(tmp_path / "made.keras")
    first, last = loaded.get_layer("conv").layers
    for each in (first, last):
        assert type(each) is L.Conv2D
        assert each.dtype_policy.name == "mixed_float16"
        assert not each.trainable
    assert last.activation is keras.activations.relu
    np.testing.assert_array_equal(np.asarray(last.bias), np.ones(8))
    for name in (
        "kernel_regularizer",
        "bias_regularizer",
        "activity_regularizer",
        "kernel_constraint",
        "bias_constraint",
    ):
        assert type(getattr(last, name)) is type(getattr(layer, name)) is not type(None)
        assert getattr(first, name) is None
    assert first.activation is keras.activations.linear
    assert not first.use_bias
    x = np.random.default_rng(0).normal(size=(4, 12, 10, 6)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(loaded(x)), np.asarray(made(x)))
    np.testing.assert_allclose(np.asarray(made(x)), np.asarray(model(x)), rtol=0.02, atol=0.02)


def test_what_cannot_be_replaced_has_a_reason() -> None:
    inputs = keras.Input((12,))
    x = L.Embedding(5, 8, mask_zero=True, name="embedding")(inputs)
    masked = L.LSTM(4, name="lstm")(L.Dense(8, name="masked")(x))
    image = keras.Input((6, 6, 8))
    tied = L.Dense(8, name="tied")
    y = L.Conv2D(8, 3, groups=2, padding="same", name="grouped")(image)
    y = L.TimeDistributed(tied, name="around")(tied(L.DepthwiseConv2D(3, name="depthwise")(y)))
    pooled = L.Dense(8, name="pooled")
    several = pooled(L.GlobalAveragePooling2D()(pooled(image)))
    network = inspect(model := keras.Model([inputs, image], [masked, y, several]))
    sites = ("masked", "lstm", "grouped", "depthwise", "tied", "pooled", "?")
    assert {site: refusal(model, network, site) for site in sites} == {
        "masked": "it passes on a mask of time steps, which a chain of layers would not",
        "lstm": "layers of type LSTM cannot be replaced by several layers",
        "grouped": "it is a grouped convolution",
        "depthwise": "layers of type DepthwiseConv2D cannot be replaced by several layers",
        "tied": "it shares its weights with layer 'around'",
        "pooled": "it reads tensors of different numbers of dimensions",
        "?": "it is not a layer of the model",
    }
    with pytest.raises(UnsupportedError, match="cannot be replaced: it is a grouped convolution"):
        rewrite(model, network, {"grouped": [("grouped/a", np.zeros((3, 3, 8, 8)))]})


@pytest.mark.parametrize(
    ("names", "shapes", "why"),
    [
        (("c/a", "c/b"), ((3, 1, 6, 4), (1, 3, 5, 8)), "do not make up one of"),
        (("c/a", "c/b"), ((3, 1, 6, 4), (1, 1, 4, 8)), "do not make up one of"),
        (("c/a", "c/b"), ((3, 3, 6, 4), (1, 3, 4, 8)), "do not make up one of"),
        (("c/a", "c/b"), ((3, 3, 6, 4), (1, 1, 4, 7)), "do not make up one of"),
        (("c/a", "c/b"), ((6, 4), (4, 8)), "do not make up one of"),
        ((), (), "do not make up one of"),
        (("c/a", "c/a"), ((3, 3, 6, 4), (1, 1, 4, 8)), "cannot be named 'c/a', 'c/a'"),
        (("c/a/b", "c"), ((3, 3, 6, 4), (1, 1, 4, 8)), "cannot be named"),
    ],
)
def test_kernels_and_names_have_to_fit(names: tuple[str, ...], shapes: tuple[tuple[int, ...], ...], why: str) -> None:
    model = conv_model(L.Conv2D(8, 3, name="c"))
    chain = [(name, np.zeros(shape)) for name, shape in zip(names, shapes, strict=True)]
    with pytest.raises(InputError, match=why):
        rewrite(model, inspect(model), {"c": chain})


def test_the_truncation_with_second_moments_has_the_least_error_of_the_outputs() -> None:
    model = conv_model(L.Dense(24, activation="relu"), L.Dense(20, name="c"), shape=(16,))
    x = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)
    network, transform = inspect(model), low_rank()
    (layer,) = (e for e in network.layers if e.name == "c")
    read = np.asarray(keras.Model(model.input, model.layers[1].output)(x), np.float64)
    (moments,) = second_moments(model, network, [layer.inputs[0]], x, 64)
    np.testing.assert_allclose(moments, read.T @ read / 300, rtol=1e-4, atol=1e-6)
    kernel = next(w for w in network.weights if w.name == "c/kernel")
    values = np.asarray(model.get_layer("c").kernel, np.float64)
    plain, weighted = (composed(transform.factors(kernel, 60, m)(values)) for m in (None, moments))
    errors = [float(np.square(read @ (values - found)).mean()) for found in (plain, weighted)]
    assert errors[1] < 0.9 * errors[0]


def test_a_run_writes_members_whose_layers_have_the_ranks_and_bits_of_the_plan(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 1))
    x = L.Conv2D(8, 3, padding="same", activation="relu", name="stem")(inputs)
    y = L.BatchNormalization()(L.Conv2D(12, 3, padding="same", use_bias=False, name="conv")(x))
    x = L.ReLU()(L.Add()([y, L.Conv2D(12, 1, name="short")(x)]))
    model = keras.Model(inputs, L.Dense(10, name="head")(L.GlobalAveragePooling2D()(x)))
    plan = reds_core.prune(
        model,
        "digits",
        {"macs": 0.6, "weight_bytes": 0.45},
        out=tmp_path / "run",
        transforms=["low-rank", "weight-bits"],
        options={"low-rank": {"levels": "30"}},
        keep=["*"],  # so that only ranks and bits can meet the budgets
        targets=["keras"],
        finetune_epochs=1,
        verbose=0,
    )
    checked = 0
    for member in plan:
        loaded = load_model(member.path("keras"))
        network = inspect(loaded)
        used = usage(network, network.channels, CostModel(1))
        assert {name: used[name] for name in ("macs", "peak_ram")} == {
            name: member.usage[name] for name in ("macs", "peak_ram")
        }
        low = {site for site, levels in member.settings.items() if levels.get("rank_percent") == 30}
        assert low == {layer.name for layer in loaded.layers if isinstance(layer, keras.Sequential)}
        assert not any("rank_" in layer.name for layer in loaded.layers)
        for site in low:
            for layer in loaded.get_layer(site).layers:
                bits = member.settings[site].get("weight_bits", 8)
                channels = np.asarray(layer.kernel).reshape(-1, layer.kernel.shape[-1]).T
                if bits == 4:
                    assert max(len(np.unique(np.abs(channel))) for channel in channels) <= 8
                    checked += 1
    assert checked
