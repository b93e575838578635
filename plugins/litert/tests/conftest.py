"""Small families of which several files of tests look at the same conversions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from reds_tensorflow.quiet import importing

with importing():  # turns TensorFlow's chatter off before any test imports it: the models of tests are Keras models
    import keras

from keras import layers as L
from reds_litert.conversion import converted
from reds_litert.graph import FileGraph, read_graph
from reds_litert.shared_store import Conversions
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.framework import Arrays

FRAMEWORK = TensorFlowFramework()
SHAPE = (8, 8, 3)


def ds_cnn() -> Any:
    """Convolutions with batch norms, depthwise ones with a multiplier and without, and Dense after Flatten."""
    x = inputs = L.Input(SHAPE)
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)))
    x = L.ReLU()(L.BatchNormalization()(L.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x)))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(12, 1)(x)))
    x = L.ReLU(6.0)(L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same")(x)))
    x = L.AveragePooling2D(2)(L.Conv2D(8, 1, activation="relu")(x))
    return keras.Model(inputs, L.Dense(5)(L.Dense(10, activation="relu")(L.Flatten()(x))))


def branches() -> Any:
    """A residual branch, a gate of channels, a concatenation to which a convolution is added, and a transposed one."""
    x = inputs = L.Input(SHAPE)
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(8, 3, strides=2, padding="same")(x)))
    y = L.ReLU()(L.BatchNormalization()(L.Conv2D(12, 3, padding="same")(x)))
    x = L.ReLU()(L.Add()([x, L.BatchNormalization()(L.Conv2D(8, 3, padding="same")(y))]))
    gate = L.Conv2D(6, 1, activation="relu")(L.GlobalAveragePooling2D(keepdims=True)(x))
    x = L.Multiply()([x, L.Conv2D(8, 1, activation="sigmoid")(gate)])
    a, b = L.Conv2D(8, 3, padding="same", activation="relu")(x), L.Conv2D(6, 1, activation="relu")(x)
    x = L.Add()([L.Concatenate()([a, b]), L.Conv2D(14, 1)(x)])
    x = L.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(inputs, L.Dense(5)(L.GlobalAveragePooling2D()(x)))


def tied() -> Any:
    """A grouped convolution, and one that is called twice, so that two operators read one kernel."""
    x = inputs = L.Input(SHAPE)
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = L.Conv2D(12, 3, groups=4, padding="same", activation="relu")(x)
    x = L.Conv2D(8, 1, activation="relu")(x)
    twice = L.Conv2D(8, 3, padding="same", activation="relu")
    return keras.Model(inputs, L.Dense(5)(L.GlobalAveragePooling2D()(twice(twice(x)))))


@dataclass(frozen=True, eq=False)
class Family:
    """A full network and a member with batch-norm statistics of its own.

    Attributes:
        full: The model of the full network.
        member: The model of the member.
        examples: Examples on which int8 files are calibrated.
    """

    full: Any
    member: Any
    examples: Arrays

    @cached_property
    def of_full(self) -> Conversions:
        """The files of the full network."""
        return self.converted(self.full)

    @cached_property
    def of_member(self) -> Conversions:
        """The files of the member, each converted by itself."""
        return self.converted(self.member)

    def converted(self, model: Any) -> Conversions:
        """The files of a model."""
        return Conversions(
            converted(FRAMEWORK, model, "int8", self.examples), converted(FRAMEWORK, model, "float32", None)
        )

    @property
    def graphs(self) -> tuple[FileGraph, FileGraph]:
        """The graphs of the int8 files."""
        return read_graph(self.of_full.int8), read_graph(self.of_member.int8)


def family(make: Callable[[], Any]) -> Family:
    """A family of a model, whose member has a little more than half of the channels of each group."""
    keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    full = make()
    _spread_norms(full, rng)
    network = FRAMEWORK.inspect(full)
    kept = {group.name: np.arange(group.channels // 2 + 1) for group in network.groups}
    member = FRAMEWORK.extract(full, network, kept)
    for layer in member.layers:
        if isinstance(layer, L.BatchNormalization):
            layer.moving_variance.assign(np.asarray(layer.moving_variance) * rng.uniform(0.3, 3, layer.gamma.shape))
            layer.moving_mean.assign(np.asarray(layer.moving_mean) + rng.normal(0, 0.1, layer.gamma.shape))
    x = rng.normal(size=(64, *SHAPE)).astype(np.float32)
    return Family(full, member, Arrays(x, np.zeros(len(x), np.int64)))


def _spread_norms(model: Any, rng: np.random.Generator) -> None:
    """Give batch norms factors and statistics as after training, some factors negative."""
    for layer in model.layers:
        if isinstance(layer, L.BatchNormalization):
            shape = layer.gamma.shape
            layer.gamma.assign(rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape, p=[0.2, 0.8]))
            layer.beta.assign(rng.normal(0, 0.3, shape))
            layer.moving_mean.assign(rng.normal(0, 0.2, shape))
            layer.moving_variance.assign(rng.uniform(0.3, 2, shape))


@pytest.fixture(scope="session", params=[ds_cnn, branches], ids=lambda make: make.__name__)
def small_family(request: pytest.FixtureRequest) -> Family:
    """A small family, as a chain with depthwise convolutions and with branches."""
    return family(request.param)


@pytest.fixture(scope="session")
def tied_family() -> Family:
    """A small family with a grouped convolution, and with two operators that read one kernel."""
    return family(tied)
