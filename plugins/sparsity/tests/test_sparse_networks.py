"""Keras networks with sparse kernels: what they compute, how they are trained, and what their members share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
from reds_tensorflow.quiet import importing

with importing():  # turns TensorFlow's chatter off
    import keras

import keras_reference as reference
from keras_families import family_of
from keras_precision import precision
from keras_random import RandomNetwork
from keras_unrolled import same_choice, unrolled
from reds_sparsity import Sparsity
from reds_tensorflow.evaluation import loss
from reds_tensorflow.extraction import assign, extract, weights
from reds_tensorflow.tracing import inspect
from reds_tensorflow.training import finetune

from reds_core.framework import (
    Arrays,
    EpochKeeper,
    EpochState,
    Family,
    FinetuneSettings,
    Projection,
    SmallerNetwork,
    Task,
    Training,
    projections,
)
from reds_core.network import Kept, Network, WeightKind
from reds_core.plugin import build_options
from reds_core.transforms import LevelSettings

SETTINGS = FinetuneSettings(epochs=3, batch_size=32, learning_rate=1e-2)


def sparsity(**options: str) -> Sparsity:
    return Sparsity(build_options(Sparsity, options))


# What they compute


def zeroed_by_hand(array: np.ndarray, density: int) -> np.ndarray:
    """The array with all but its largest values set to zero, one after the other."""
    left = -(-array.size * density // 100)
    found = np.zeros(array.size, array.dtype)
    for place in np.argsort(-np.abs(array.reshape(-1)), kind="stable")[:left]:
        found[place] = array.reshape(-1)[place]
    return found.reshape(array.shape)


@pytest.mark.parametrize("seed", range(4))
def test_sparse_random_networks_equal_networks_with_weights_zeroed_by_hand(seed: int) -> None:
    """In double precision, a member with sparse kernels computes what the full network does with the same zeros."""
    transform = sparsity(sparsity="60")
    with precision("float64"):
        model = RandomNetwork(np.random.default_rng(seed)).build()
        arrays = [np.random.default_rng(seed).normal(size=(8, *tensor.shape[1:])) for tensor in model.inputs]
        reference.enliven(model, *arrays, seed=seed)
        network = inspect(model)
        kept = reference.random_kept(network, 0.6, seed)
        small = extract(model, network, kept)
        levels = LevelSettings({layer.name: {"density_percent": 40} for layer in network.layers})
        found = projections(network, [transform], levels)
        assert found
        own = weights(small, network)
        assign(small, network, [found[i].begun(w).function(w) if i in found else w for i, w in enumerate(own)])

        full = weights(model, network)
        for index in found:
            part = np.ix_(*_positions(network, index, kept))
            full[index][part] = zeroed_by_hand(full[index][part], 40)
        assign(model, network, full)
        plain = unrolled(model)
        expected = reference.masked_outputs(plain, inspect(plain), same_choice(model, plain, kept), *arrays)
        outputs = small(arrays if len(arrays) > 1 else arrays[0], training=False)
        for actual, masked in zip(keras.tree.flatten(outputs), expected, strict=True):
            spread = max(float(np.std(masked, axis=0).mean()), 1e-3 * float(np.abs(masked).mean()))
            assert np.abs(np.asarray(actual) - masked).max() <= 1e-9 * spread


def _positions(network: Network, index: int, kept: Kept) -> list[np.ndarray]:
    return [axis.positions(kept, network.channels) for axis in network.weights[index].axes]


# Training


def small_network() -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(12, 3, strides=2, padding="same", name="first"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="second"),
            layers.Flatten(name="flatten"),
            layers.Dense(24, activation="relu", name="dense"),
            layers.Dense(10, name="logits"),
        ]
    )


def digits(first: int, last: int) -> Arrays:
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    return Arrays((x[first:last].reshape(-1, 8, 8, 1) / 16).astype(np.float32), y[first:last])


def of_family(family: Family[Any], transform: Sparsity, levels: Sequence[int]) -> tuple[dict[int, Projection], ...]:
    """The projections of each network, members first. levels: the density of each of them."""
    network = inspect(family.full)
    sites = [layer.name for layer in network.layers]
    every = [LevelSettings({site: {"density_percent": level} for site in sites}) for level in levels]
    widths = (*family.widths, network.channels)
    smaller = [SmallerNetwork(*each) for each in zip(widths, every, strict=True)]
    return tuple(
        projections(network, [transform], each, widths=own, smaller=smaller[:place])
        for place, (own, each) in enumerate(zip(widths, every, strict=True))
    )


def trained(transform: Sparsity, levels: Sequence[int], keeper: EpochKeeper | None = None) -> Family[Any]:
    family = family_of(small_network(), 0.5, 0.75)
    training = Training(
        digits(0, 600),
        SETTINGS,
        0,
        lambda p: None,
        projections=of_family(family, transform, levels),
        validation=digits(600, 800),
        keeper=keeper or EpochKeeper(),
    )
    finetune(family, training)
    return family


@pytest.mark.parametrize(
    ("options", "levels"),
    [
        ({"schedule": "one-shot"}, (25, 25, 50)),
        ({"pattern": "n:4", "schedule": "gradual"}, (25, 50, 50)),
        pytest.param({}, (10, 25, 50), marks=pytest.mark.slow),
        pytest.param({"pattern": "block"}, (25, 50, 100), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_members_have_exact_numbers_of_zeros_in_masks_that_contain_each_other(options: Any, levels: Any) -> None:
    transform = sparsity(**options)
    family = trained(transform, levels)
    network = inspect(family.full)
    by_network = of_family(family, transform, levels)
    assert by_network[0]
    held = [weights(model, network) for model in (*family.members, family.full)]
    full = [np.asarray(array) for array in held[-1]]
    for index, weight in enumerate(network.weights):
        if weight.kind is not WeightKind.KERNEL:
            continue
        inner: np.ndarray | None = None
        for own, found, level in zip(held, by_network, levels, strict=True):
            mask = own[index] != 0
            part = tuple(slice(n) for n in mask.shape)
            if index in found:
                assert mask.sum() == -(-mask.size * level // 100)
            if inner is not None:
                assert np.all(mask[tuple(slice(n) for n in inner.shape)] >= inner)
            if weight.name != "dense/kernel":  # behind Flatten, slices are not prefixes
                assert np.array_equal(own[index][mask], full[index][part][mask]) or levels[-1] < 100
            inner = mask if weight.name != "dense/kernel" else None
    test = digits(800, 1200)
    assert loss(family.members[1], test, Task()) < 2.1  # log(10) is 2.3


class Keeper(EpochKeeper):
    """Keeps the state of one epoch, and gives a state to start from."""

    def __init__(self, epoch: int = 0, state: EpochState | None = None) -> None:
        self.epoch, self.state = epoch, state

    def load(self, origin: str) -> EpochState | None:
        return self.state

    def save(self, state: EpochState) -> None:
        if state.done == self.epoch:
            self.state = EpochState(state.done, {name: array.copy() for name, array in state.arrays.items()})


@pytest.mark.parametrize("schedule", [pytest.param("one-shot", marks=pytest.mark.slow), "gradual"])
def test_a_training_that_is_resumed_ends_with_the_same_weights(schedule: str) -> None:
    transform, levels = sparsity(schedule=schedule, ramp="0.9"), (25, 25, 50)
    stopped = Keeper(2)
    straight = trained(transform, levels, stopped)
    assert stopped.state is not None
    resumed = trained(transform, levels, Keeper(0, stopped.state))
    for one, other in zip((straight.full, *straight.members), (resumed.full, *resumed.members), strict=True):
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_sparsity_rises_in_the_course_of_a_gradual_training() -> None:
    seen: list[tuple[float, int]] = []
    family = family_of(small_network(), 0.5)
    (member, full) = of_family(family, sparsity(schedule="gradual", ramp="0.5"), (25, 100))
    index = min(member)

    def watched(projection: Projection) -> Projection:
        scheduled = projection.scheduled
        assert scheduled is not None

        def watching(values: np.ndarray, progress: float) -> np.ndarray:
            found = scheduled(values, progress)
            seen.append((progress, int(np.count_nonzero(found))))
            return found

        return replace(projection, scheduled=watching)

    begin = member[index].begin
    assert begin is not None
    member[index] = replace(member[index], begin=lambda values, inputs: watched(begin(values, inputs)))
    settings = replace(SETTINGS, epochs=2)
    finetune(family, Training(digits(0, 320), settings, 0, lambda p: None, projections=(member, full)))
    during = seen[4:]  # the first four are those by which trainings are told apart
    assert [share for share, _ in during] == pytest.approx([step / 20 for step in range(20)])
    counts = [count for _, count in during]
    assert counts == sorted(counts, reverse=True)
    assert (counts[0], {*counts[10:]}) == (54, {14})


@pytest.fixture(autouse=True)
def _cleared() -> Iterator[None]:
    yield
    keras.backend.clear_session()
