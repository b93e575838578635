"""The slices of kernels that members of a family have: cut from the full ones, they are the kernels of the members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from reds_litert.conversion import converted
from reds_litert.graph import FileGraph, read_graph
from reds_litert.schema import WEIGHTS
from reds_litert.slices import WITH_KERNELS, kernel_slices
from reds_tensorflow.framework import TensorFlowFramework

FRAMEWORK = TensorFlowFramework()
SHAPE = (6, 6, 3)


def chain() -> Any:
    """A convolution, a depthwise convolution with a multiplier, a batch norm and a pointwise one."""
    x = inputs = L.Input(SHAPE)
    x = L.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = L.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x)
    x = L.BatchNormalization()(x)
    x = L.Conv2D(8, 1, activation="relu")(x)
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, L.Dense(4)(x))


def residual() -> Any:
    x = inputs = L.Input(SHAPE)
    x = L.Conv2D(8, 3, padding="same")(x)
    y = L.Conv2D(12, 3, padding="same", activation="relu")(x)
    y = L.Conv2D(8, 3, padding="same")(y)
    x = L.ReLU()(L.Add()([x, y]))
    x = L.MaxPooling2D(2)(x)
    return keras.Model(inputs, L.Dense(4)(L.GlobalAveragePooling2D()(x)))


def concatenated() -> Any:
    """A concatenation to which a convolution is added, so that the channels it keeps are not its first ones."""
    x = inputs = L.Input(SHAPE)
    a = L.Conv2D(8, 3, padding="same", activation="relu")(x)
    b = L.Conv2D(6, 1, activation="relu")(x)
    c = L.Conv2D(14, 1)(x)
    x = L.Add()([L.Concatenate()([a, b]), c])
    x = L.Conv2D(8, 3)(x)
    return keras.Model(inputs, L.Dense(4)(L.GlobalAveragePooling2D()(x)))


def flattened() -> Any:
    x = inputs = L.Input(SHAPE)
    x = L.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = L.Dense(10, activation="relu")(L.Flatten()(x))
    return keras.Model(inputs, L.Dense(4)(x))


def transposed() -> Any:
    x = inputs = L.Input(SHAPE)
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = L.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(inputs, L.Conv2D(2, 1)(x))


def gated() -> Any:
    """Channels that are multiplied by a number for each of them, computed from their means."""
    x = inputs = L.Input(SHAPE)
    x = L.Conv2D(8, 3, padding="same", activation="relu")(x)
    g = L.GlobalAveragePooling2D(keepdims=True)(x)
    g = L.Conv2D(8, 1, activation="sigmoid")(L.Conv2D(6, 1, activation="relu")(g))
    x = L.Conv2D(8, 1)(L.Multiply()([x, g]))
    return keras.Model(inputs, L.Dense(4)(L.GlobalAveragePooling2D()(x)))


MODELS: dict[str, Callable[[], Any]] = {
    each.__name__: each for each in (chain, residual, concatenated, flattened, transposed, gated)
}


@pytest.fixture(scope="module", params=list(MODELS))
def graphs(request: pytest.FixtureRequest) -> tuple[FileGraph, FileGraph]:
    """The graphs of a full network and of one with fewer channels, in float32."""
    keras.utils.set_random_seed(7)
    model = MODELS[request.param]()
    network = FRAMEWORK.inspect(model)
    kept = {group.name: np.arange(group.channels // 2 + 1) for group in network.groups}
    member = FRAMEWORK.extract(model, network, kept)
    full, pruned = (read_graph(converted(FRAMEWORK, each, "float32", None)) for each in (model, member))
    return full, pruned


def test_cut_kernels_are_those_of_the_member(graphs: tuple[FileGraph, FileGraph]) -> None:
    full, member = graphs
    slices = kernel_slices(full, member)
    places = [at for at, operator in enumerate(member.operators) if operator.kind in WITH_KERNELS]
    assert list(slices) == places
    for at, part in slices.items():
        operator = member.operators[at]
        kernel = full.tensors[full.operators[part.operator].inputs[WEIGHTS]].data
        assert kernel is not None
        cut, own = part.cut(operator.kind, kernel), member.tensors[operator.inputs[WEIGHTS]].data
        np.testing.assert_allclose(cut, own, rtol=3e-7)  # factors of batch norms are rounded in each conversion


def test_the_members_are_smaller(graphs: tuple[FileGraph, FileGraph]) -> None:
    full, member = graphs
    lengths = [
        sum(np.size(graph.tensors[o.inputs[WEIGHTS]].data) for o in graph.operators if o.kind in WITH_KERNELS)
        for graph in (full, member)
    ]
    assert lengths[1] < 0.7 * lengths[0]


def test_graphs_of_other_operators_have_no_slices() -> None:
    graphs = [read_graph(converted(FRAMEWORK, make(), "float32", None)) for make in (chain, flattened)]
    assert kernel_slices(*graphs) == {}
