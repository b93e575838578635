"""Clustered Keras networks: what they compute, cost and hold after a training, and what their int8 files hold."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from reds_clustering import Clustering, ClusteringOptions
from reds_litert.graph import read_graph
from reds_tensorflow.quiet import importing

with importing():
    import keras
import keras_reference as reference
from keras_families import family_of
from keras_precision import precision
from keras_random import RandomNetwork
from keras_random_sequences import RandomSequenceNetwork
from sklearn.datasets import load_digits

from reds_core import Registry
from reds_core.arrays import FloatArray
from reds_core.cost import CostModel, usage
from reds_core.formulation import decision_space
from reds_core.framework import (
    Arrays,
    ExportSource,
    FinetuneSettings,
    Framework,
    Target,
    Task,
    Training,
    projections,
)
from reds_core.network import Network, WeightKind
from reds_core.transforms import LevelSettings, Transform, described

COUNTS = (2, 4, 16)


def framework() -> Framework:
    return Registry().default_framework()


def random_levels(network: Network, transform: Transform, seed: int) -> LevelSettings:
    """A random level of each layer that is offered any."""
    rng = np.random.default_rng(seed)
    space = decision_space(network, [transform])
    return LevelSettings({offer.site: {"clusters": int(rng.choice(offer.levels))} for offer in space.offers})


def level_of(network: Network, weight: int, levels: LevelSettings) -> int:
    """The level of the layer that uses a weight."""
    site = next(layer.name for layer in network.layers if weight in layer.weights)
    return levels.at(site, "clusters") or 256


def plainly_clustered(values: FloatArray, count: int) -> FloatArray:
    """The values of one codebook after Lloyd's algorithm, one value and one cluster after the other."""
    different = sorted(set(values.tolist()))
    if len(different) <= count:
        return values
    low, high = different[0], different[-1]
    means = [low + (high - low) * place / (count - 1) for place in range(count)]
    while True:
        for _ in range(1000):
            nearest = [min(range(count), key=lambda j: (abs(v - means[j]), j)) for v in values.tolist()]
            own = [[v for v, place in zip(values.tolist(), nearest, strict=True) if place == j] for j in range(count)]
            moved = [math.fsum(each) / len(each) if each else mean for each, mean in zip(own, means, strict=True)]
            if np.allclose(moved, means, rtol=1e-15, atol=0):
                break
            means = moved
        if all(own):
            return np.array([means[place] for place in nearest])
        farthest = max(values.tolist(), key=lambda v: min(abs(v - mean) for mean in means))
        means[next(j for j in range(count) if not own[j])] = farthest
        means.sort()


def by_hand(kernel: FloatArray, along: tuple[int, ...], count: int) -> FloatArray:
    """A kernel of which the values of each codebook are clustered one after the other."""
    found = np.empty_like(kernel)
    for place in np.ndindex(*(kernel.shape[axis] for axis in along)):
        index: list[Any] = [slice(None)] * kernel.ndim
        for axis, position in zip(along, place, strict=True):
            index[axis] = position
        own = kernel[tuple(index)]
        found[tuple(index)] = plainly_clustered(own.ravel(), count).reshape(own.shape)
    return found


def check_equal_to_reference(model: Any, arrays: list[np.ndarray], seed: int, per: str) -> None:
    """A member computes what it computes with weights that are clustered one by one, in double precision."""
    tensorflow = framework()
    transform = Clustering(ClusteringOptions("2,4,16", "channel" if per == "channel" else "layer"))
    reference.enliven(model, *arrays, seed=seed)
    network = tensorflow.inspect(model)
    kept = reference.random_kept(network, 0.6, seed)
    levels = random_levels(network, transform, seed)
    member, other = (tensorflow.extract(model, network, kept) for _ in range(2))
    narrow = tensorflow.inspect(member)
    weights = tensorflow.weights(member, narrow)
    clustered, replaced = list(weights), list(weights)
    for index, projection in projections(network, [transform], levels).items():
        weight, level = network.weights[index], level_of(network, index, levels)
        values = weights[index].astype(np.float64)
        clustered[index] = projection.begun(values).function(values)
        assert np.allclose(clustered[index], projection.function(values), rtol=1e-12, atol=0)
        replaced[index] = by_hand(values, weight.scales_along if per == "channel" else (), level)
    tensorflow.assign(member, narrow, clustered)
    tensorflow.assign(other, tensorflow.inspect(other), replaced)
    feed = arrays if len(arrays) > 1 else arrays[0]
    for actual, expected in zip(
        *(keras.tree.flatten(each(feed, training=False)) for each in (member, other)), strict=True
    ):
        assert np.abs(np.asarray(actual) - np.asarray(expected)).max() <= 1e-9 * max(float(np.std(expected)), 1e-3)
    check_costs(narrow, transform, levels)


def check_costs(network: Network, transform: Transform, levels: LevelSettings) -> None:
    """A network at its levels costs codes and codebooks, and nothing else changes."""
    costs = CostModel()
    before = usage(network, network.channels, costs)
    after = usage(described(network, [transform], levels), network.channels, costs)
    saved = 0
    for index, weight in enumerate(network.weights):
        count = level_of(network, index, levels)
        if weight.kind is WeightKind.KERNEL and count < 256:
            shape = [axis.full(network.channels) for axis in weight.axes]
            books = math.prod(shape[axis] for axis in weight.scales_along)
            saved += math.prod(shape) - -(-math.prod(shape) * {2: 1, 4: 2, 16: 4}[count] // 8) - books * count
    assert before.pop("params") - after.pop("params") == saved
    assert before == after


@pytest.mark.parametrize("seed", range(4))
def test_clustered_networks_of_images_equal_their_references(seed: int) -> None:
    with precision("float64"):
        model = RandomNetwork(np.random.default_rng(seed)).build()
        data = np.random.default_rng(seed)
        arrays = [data.normal(size=(8, *tensor.shape[1:])) for tensor in model.inputs]
        check_equal_to_reference(model, arrays, seed, "channel" if seed % 3 else "layer")


@pytest.mark.parametrize("seed", range(3))
def test_clustered_networks_of_sequences_equal_their_references(seed: int) -> None:
    with precision("float64"):
        grown = RandomSequenceNetwork(np.random.default_rng(seed))
        check_equal_to_reference(grown.build(), [grown.examples(seed)], seed, "channel")


def digits() -> Arrays:
    found = load_digits()
    return Arrays((found.images[:512, ..., None] / 16).astype(np.float32), found.target[:512])


def small_network() -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(12, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
            layers.ReLU(name="depthwise_relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu", name="second"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, name="logits"),
        ]
    )


LEVELS = {"conv": {"clusters": 2}, "depthwise": {"clusters": 4}, "second": {"clusters": 4}, "logits": {"clusters": 16}}


@pytest.mark.parametrize("assignment", ["fixed", "moving"])
def test_members_hold_few_values_after_a_training_and_so_do_their_files(
    assignment: Literal["fixed", "moving"], tmp_path: Path
) -> None:
    tensorflow, settings = framework(), LevelSettings(LEVELS)
    transform = Clustering(ClusteringOptions("2,4,16", assignment=assignment))
    family = family_of(small_network(), 0.5, 1.0)
    network = tensorflow.inspect(family.full)
    own = projections(network, [transform], settings)
    assert len(own) == 4
    started = [tensorflow.weights(member, network) for member in family.members]
    losses: list[float] = []
    tensorflow.finetune(
        family,
        Training(
            digits(),
            FinetuneSettings(epochs=3, batch_size=32, learning_rate=5e-3),
            0,
            lambda progress: losses.append(progress.loss),
            Task(),
            projections=(own, own, {}),
        ),
    )
    assert losses[-1] < 0.8 * losses[0]
    for member, before in zip(family.members, started, strict=True):
        for index, weight in enumerate(network.weights):
            found = tensorflow.weights(member, network)[index]
            if weight.kind is WeightKind.KERNEL:
                count = LEVELS[weight.layer]["clusters"]
                columns = np.moveaxis(found, weight.scales_along, range(-len(weight.scales_along), 0))
                columns = columns.reshape(found.size // math.prod(columns.shape[-len(weight.scales_along) :]), -1)
                assert max(len(np.unique(column)) for column in columns.T) <= count
                first = projections(network, [transform], settings)[index].function(before[index].astype(np.float64))
                one = np.moveaxis(first, weight.scales_along, range(-len(weight.scales_along), 0))
                if assignment == "fixed":  # weights that shared a value at the start still do
                    for start, end in zip(one.reshape(columns.shape).T, columns.T, strict=True):
                        assert all(len(np.unique(end[start == value])) == 1 for value in np.unique(start))
                assert not np.allclose(found, first.astype(found.dtype), atol=1e-4)  # the means did
    full = tensorflow.weights(family.full, network)
    assert len(np.unique(full[0])) > 12 * 4
    if assignment == "fixed":
        check_int8_file(tensorflow, family.members[0], tmp_path / "member.tflite")
        check_stored_bytes(tensorflow, family.members[0], settings, tmp_path / "member-c-engine.tflite")


def check_int8_file(tensorflow: Framework, member: Any, path: Path) -> None:
    """Quantising with a scale for each output channel leaves each channel its few values."""
    network = tensorflow.inspect(member)
    target = Registry().create(Target, "tflite-int8", {})
    target.export(ExportSource(tensorflow, member, network, calibration=digits()), path)
    kernels = [t for t in read_graph(path.read_bytes()).tensors if t.data is not None and t.data.dtype == np.int8]
    counts = []
    for kernel in kernels:
        assert kernel.data is not None
        rows = np.moveaxis(kernel.data, kernel.axis, 0).reshape(kernel.data.shape[kernel.axis], -1)
        counts.append(max(len(np.unique(row)) for row in rows))
    assert sorted(counts) == [2, 4, 4, 16]


def check_stored_bytes(tensorflow: Framework, member: Any, settings: LevelSettings, path: Path) -> None:
    """The file for the C engine records codebooks, with which it stores what was described."""
    network = tensorflow.inspect(member)
    target = Registry().create(Target, "c-engine", {})
    target.export(ExportSource(tensorflow, member, network, settings, digits()), path)
    counted = described(network, [Clustering()], settings)
    found = usage(counted, counted.channels, CostModel(additional=("weight_bytes",)))
    assert target.usage(path)["weight_bytes"] == found["weight_bytes"]
