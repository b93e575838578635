"""Scores of a Keras network against slow ones that use Keras and loops alone."""

from __future__ import annotations

from typing import Any

import keras
import keras_reference as reference
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from reds_tensorflow.framework import TensorFlowFramework

from reds_core import Registry
from reds_core.framework import Arrays, Task
from reds_core.scoring import ScoreLevel, Scorer, ScoreTable, score

FRAMEWORK = TensorFlowFramework()
OUT = "shortcut"
"""The group of what is added."""


class Built:
    """A convolution, a depthwise separable block, a strided residual shortcut and a classifier, with data."""

    def __init__(self) -> None:
        inputs = keras.Input((6, 6, 2))
        x = layers.Conv2D(5, 3, padding="same", name="stem", use_bias=False)(inputs)
        x = layers.BatchNormalization(name="stem_norm")(x)
        x = layers.ReLU(name="stem_relu")(x)
        y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
        y = layers.BatchNormalization(name="depthwise_norm")(y)
        y = layers.ReLU(name="depthwise_relu")(y)
        y = layers.Conv2D(3, 1, strides=2, name="pointwise", use_bias=False)(y)
        y = layers.BatchNormalization(name="pointwise_norm")(y)
        z = layers.Conv2D(3, 1, strides=2, name="shortcut", use_bias=False)(x)
        z = layers.BatchNormalization(name="shortcut_norm")(z)
        x = layers.Add(name="add")([y, z])
        x = layers.ReLU(name="add_relu")(x)
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        self.model = keras.Model(inputs, layers.Dense(4, name="head")(x))
        rng = np.random.default_rng(5)
        x_train = rng.normal(size=(20, 6, 6, 2)).astype(np.float32)
        reference.enliven(self.model, x_train)
        self.data = Arrays(x_train, rng.integers(0, 4, 20))
        self.network = FRAMEWORK.inspect(self.model)

    def scored(self, name: str, level: ScoreLevel = ScoreLevel.CHANNEL, **options: str) -> ScoreTable:
        scorer = Registry().create(Scorer, name, {name: options})
        return score(scorer, FRAMEWORK, self.model, self.network, self.data, Task(), 0, level)

    def kernel(self, layer: str) -> np.ndarray:
        return np.asarray(self.model.get_layer(layer).weights[0]).astype(np.float64)

    def activation(self, layer: str) -> np.ndarray:
        probe = keras.Model(self.model.inputs[0], self.model.get_layer(layer).output)
        return np.asarray(probe(self.data.x))


@pytest.fixture(scope="module")
def built() -> Built:
    return Built()


def loss(built: Built, outputs: Any, n: int) -> Any:
    return keras.losses.sparse_categorical_crossentropy(built.data.y[n : n + 1], outputs, from_logits=True)[0]


def test_the_groups_are_what_the_tests_take_them_for(built: Built) -> None:
    assert dict(built.network.channels) == {"stem": 5, OUT: 3}


def test_fisher_is_that_of_gates_in_the_graph(built: Built) -> None:
    """A gate for each channel, multiplied to what the consumers read, and a tape for every single example."""
    trunk = keras.Model(built.model.inputs[0], built.model.get_layer("stem_relu").output)
    layer = built.model.get_layer
    squares = {"stem": np.zeros(5), OUT: np.zeros(3)}
    few = Arrays(built.data.x[:6], built.data.y[:6])
    for n in range(6):
        with tf.GradientTape() as tape:
            stem, out = tf.ones(5), tf.ones(3)
            tape.watch([stem, out])
            x = trunk(built.data.x[n : n + 1])
            y = layer("depthwise_relu")(layer("depthwise_norm")(layer("depthwise")(x)))
            # the depthwise convolution reads each channel by itself: the gate stands behind it
            y = layer("pointwise_norm")(layer("pointwise")(y * stem))
            z = layer("shortcut_norm")(layer("shortcut")(x * stem))
            pooled = layer("pool")(layer("add_relu")(y + z))
            value = loss(built, layer("head")(pooled * out), n)
        for group, gradient in zip(squares, tape.gradient(value, [stem, out]), strict=True):
            squares[group] += np.square(np.asarray(gradient, np.float64))
    found = score(Registry().create(Scorer, "fisher", {}), FRAMEWORK, built.model, built.network, few, Task())
    for group, total in squares.items():
        np.testing.assert_allclose(found.channels[group], total / 12, rtol=1e-3, atol=1e-9)


def tape_gradients(built: Built, parts: list[slice]) -> list[dict[str, np.ndarray]]:
    found = []
    for part in parts:
        with tf.GradientTape() as tape:
            outputs = built.model(built.data.x[part], training=False)
            value = tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(built.data.y[part], outputs, from_logits=True)
            )
        variables = built.model.trainable_variables
        gradients = tape.gradient(value, [v.value for v in variables])
        found.append({v.path: np.asarray(g, np.float64) for v, g in zip(variables, gradients, strict=True)})
    return found


def test_taylor_of_kernels_is_that_of_single_weights(built: Built) -> None:
    parts = [slice(0, 8), slice(8, 16), slice(16, 20)]
    total: dict[str, np.ndarray] = {}
    for gradients in tape_gradients(built, parts):
        total = {path: total.get(path, 0) + g for path, g in gradients.items()}
    importance = {v.path: np.abs(total[v.path] * np.asarray(v)) for v in built.model.trainable_variables}
    found = built.scored("taylor", ScoreLevel.KERNEL, batch_size="8")
    joint = importance["pointwise/kernel"][0, 0] + importance["shortcut/kernel"][0, 0]
    assert list(found.pairs) == [("stem", OUT)]
    np.testing.assert_allclose(found.pairs["stem", OUT], joint, rtol=1e-4, atol=1e-9)
    stem, point = np.zeros(5), np.zeros(3)
    for path, array in importance.items():
        name = path.split("/")[0]
        if name == "stem":
            stem += array.sum(axis=(0, 1, 2))
        elif path.startswith("depthwise") and array.ndim == 4:
            stem += array.sum(axis=(0, 1, 3))
        elif name in ("stem_norm", "depthwise", "depthwise_norm"):
            stem += array
        elif name in ("pointwise_norm", "shortcut_norm"):
            point += array
        elif path == "head/kernel":
            point += array.sum(axis=1)
    np.testing.assert_allclose(found.channels["stem"], stem, rtol=1e-4)
    np.testing.assert_allclose(found.channels[OUT], point, rtol=1e-4)


def test_kernel_scores_hold_every_weight_once(built: Built) -> None:
    table = built.scored("magnitude", ScoreLevel.KERNEL, normalise="none")
    total = sum(float(s.sum()) for s in (*table.channels.values(), *table.pairs.values()))
    names = ("stem", "depthwise", "pointwise", "shortcut", "head")
    assert total == pytest.approx(sum(np.square(built.kernel(name)).sum() for name in names))


def test_activations_are_those_of_the_layers(built: Built) -> None:
    means = built.scored("mean-activation", examples="0", normalise="none").channels
    shares = built.scored("apoz", examples="0", normalise="none").channels
    seen = {"stem": ("depthwise_relu", "stem_relu"), OUT: ("add_relu",)}
    for group, names in seen.items():
        for channel in range(built.network.channels[group]):
            values = [built.activation(name)[..., channel].ravel() for name in names]
            assert means[group][channel] == pytest.approx(np.mean([abs(v).mean() for v in values]), rel=1e-4)
            zeros = np.mean([sum(1 for a in v if a == 0) / len(v) for v in values])
            assert shares[group][channel] == pytest.approx(1 - zeros, abs=2e-3)


def test_scales_and_filters_are_those_of_the_layers(built: Built) -> None:
    gammas = {name: np.abs(np.asarray(built.model.get_layer(name).gamma)) for name in ("stem_norm", "depthwise_norm")}
    found = built.scored("bn-scale", normalise="none").channels["stem"]
    np.testing.assert_allclose(found, sum(gammas.values()) / 2, rtol=1e-6)
    rows = np.concatenate(
        [built.kernel("pointwise")[0, 0], built.kernel("shortcut")[0, 0]], axis=0
    ).T  # both make these channels
    expected = [sum(np.linalg.norm(a - b) for b in rows) for a in rows]
    np.testing.assert_allclose(built.scored("fpgm", normalise="none").channels[OUT], expected, rtol=1e-6)


def test_sensitivity_is_the_loss_of_a_network_with_zeros(built: Built) -> None:
    """The best channels kept and the others zeroed by a layer put into the graph."""
    table = built.scored("sensitivity", order="magnitude", curve="measured", widths="8", examples="0")
    ranking = np.argsort(-built.scored("magnitude", normalise="none").channels[OUT], kind="stable")
    pooled = built.activation("pool")
    losses = []
    for width in (1, 2, 3):
        mask = np.zeros(3, np.float32)
        mask[ranking[:width]] = 1
        outputs = built.model.get_layer("head")(pooled * mask)
        losses.append(
            float(np.mean(keras.losses.sparse_categorical_crossentropy(built.data.y, outputs, from_logits=True)))
        )
    np.testing.assert_allclose(table.curves[OUT], losses[0] - np.array(losses), atol=1e-5)
