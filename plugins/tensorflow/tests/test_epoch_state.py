"""A training that is stopped after any of its epochs goes on, in other objects, to the same weights, bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from reds_tensorflow.baseline import build_baseline
from reds_tensorflow.extraction import extract
from reds_tensorflow.optimizers import _kinds
from reds_tensorflow.tracing import inspect
from reds_tensorflow.training import finetune
from slow_cases import slow_except

from reds_core.framework import (
    Arrays,
    Change,
    EpochKeeper,
    EpochState,
    Family,
    FinetuneSettings,
    Precision,
    Projection,
    Teacher,
    Training,
    member_kept,
)
from reds_core.network import WeightKind
from reds_core.transforms import UniformQuantiser

EPOCHS = 4
SETTINGS = FinetuneSettings(EPOCHS, 16, 1e-2, dropout=1.0)
Projections = tuple[Mapping[int, Projection], ...]


class Stopped(BaseException):
    """The user ends the training."""


class Origin(EpochKeeper):
    """Stops the training as soon as it has said where it begins."""

    def load(self, origin: str) -> EpochState | None:
        self.origin = origin
        raise Stopped


def origin_of(found: Family[Any], settings: FinetuneSettings, *ways: Any) -> str:
    keeper = Origin()
    with pytest.raises(Stopped):
        finetune(found, training(settings, keeper, True, *ways))
    return keeper.origin


class Keeper(EpochKeeper):
    """Keeps every state as a file would, and stops the training after an epoch.

    Attributes:
        states: all that were saved, by the number of epochs that were done.
    """

    def __init__(self, stop_after: int | None = None, state: EpochState | None = None, origin: str = "") -> None:
        self.stop_after, self.state, self.origin = stop_after, state, origin
        self.states: dict[int, EpochState] = {}

    def load(self, origin: str) -> EpochState | None:
        assert self.origin in ("", origin), "training begins elsewhere"
        self.origin = origin
        return self.state

    def save(self, state: EpochState) -> None:
        assert all(array.dtype.kind in "biuf" for array in state.arrays.values())
        self.state = EpochState(state.done, {name: array.copy() for name, array in state.arrays.items()})
        self.states[state.done] = self.state
        if state.done == self.stop_after:
            raise Stopped


def network() -> Any:
    """Always of the same weights, but Keras draws another seed for its dropout each time, as in another process."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(6, 3, padding="same", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Dropout(0.3, name="dropout"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, name="logits"),
        ]
    )
    generator = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(generator.normal(scale=0.4, size=variable.shape) + (variable.name == "gamma"))
    return model


def family() -> Family[Any]:
    model = network()
    description = inspect(model)
    widths = {g.name: max(g.channels // 2, 1) for g in description.groups}
    return Family(model, (extract(model, description, member_kept(widths)),), (widths,))


def alone() -> Family[Any]:
    """The full network without a smaller one, for what is the same whatever the number of networks."""
    return Family(network(), (), ())


def examples(count: int = 60, seed: int = 5) -> Arrays:
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 3, count)
    return Arrays((generator.normal(size=(count, 6, 6, 1)) + y.reshape(-1, 1, 1, 1)).astype(np.float32), y)


def training(
    settings: FinetuneSettings,
    keeper: EpochKeeper,
    held_back: bool = True,
    projections: Projections = (),
    activations: tuple[int | None, ...] = (),
) -> Training:
    validation = examples(30, 6) if held_back else None
    teacher = network() if settings.distill is Teacher.INPUT else None
    return Training(
        *(examples(), settings, 3, lambda p: None),
        validation=validation,
        teacher=teacher,
        keeper=keeper,
        projections=projections,
        activations=activations,
    )


def weights_of(found: Family[Any]) -> list[Any]:
    return [np.array(v.numpy()) for m in (found.full, *found.members) for v in m.variables]


def check_resumes(
    settings: FinetuneSettings,
    held_back: bool = True,
    stops: tuple[int, ...] = (1, 3),
    projections: Projections = (),
    activations: tuple[int | None, ...] = (),
    build: Callable[[], Family[Any]] = family,
) -> None:
    """Resume a training from the states of some of its epochs, as if it had been stopped there."""
    undisturbed, kept = build(), Keeper()
    finetune(undisturbed, training(settings, kept, held_back, projections, activations))
    for stop in stops:
        resumed, after = build(), Keeper(None, kept.states[stop], kept.origin)
        finetune(resumed, training(settings, after, held_back, projections, activations))
        assert [*after.states] == [done for done in kept.states if done > stop]
        check_equal(resumed, undisturbed)


def check_equal(one: Family[Any], other: Family[Any]) -> None:
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


@pytest.mark.parametrize("held_back", slow_except([False], [True, False]))
def test_a_training_that_is_stopped_leaves_the_models_as_they_were_and_is_resumed(held_back: bool) -> None:
    settings = replace(SETTINGS, epochs=3)
    undisturbed, kept, unsaved = family(), Keeper(), family()
    finetune(undisturbed, training(settings, kept, held_back))
    finetune(unsaved, training(settings, EpochKeeper(), held_back))
    check_equal(unsaved, undisturbed)
    stopped, keeper = family(), Keeper(2)
    before = weights_of(stopped)
    with pytest.raises(Stopped):
        finetune(stopped, training(settings, keeper, held_back))
    for now, was in zip(weights_of(stopped), before, strict=True):
        np.testing.assert_array_equal(now, was)
    assert keeper.origin == kept.origin
    resumed = family()
    finetune(resumed, training(settings, Keeper(None, keeper.state, keeper.origin), held_back))
    check_equal(resumed, undisturbed)


@pytest.mark.parametrize("held_back", slow_except([True], [True, False]))
def test_after_every_epoch(held_back: bool) -> None:
    check_resumes(SETTINGS, held_back, tuple(range(1, EPOCHS + 1)))


@pytest.mark.parametrize("optimizer", slow_except(["adam", "muon", "sgd"], sorted(_kinds())))
def test_with_every_optimizer(optimizer: str) -> None:
    """Momentums, running averages and counters all come back."""
    check_resumes(replace(SETTINGS, optimizer=optimizer, distill=Teacher.NONE), False, stops=(2,), build=alone)


@pytest.mark.parametrize("change", slow_except(["flip", "noise"], [c.value for c in Change]))
def test_with_every_augmentation(change: str) -> None:
    check_resumes(replace(SETTINGS, augment=(change,), distill=Teacher.NONE), False, stops=(2,), build=alone)


@pytest.mark.parametrize("precision", slow_except([Precision.BFLOAT16], [Precision.BFLOAT16, Precision.FLOAT16]))
def test_in_every_precision(precision: Precision) -> None:
    """The scale of a float16 loss moves along with training, and comes back."""
    check_resumes(replace(SETTINGS, precision=precision), held_back=False, stops=(2,))


@pytest.mark.slow
def test_with_the_full_network_as_teacher_and_a_warm_up() -> None:
    check_resumes(replace(SETTINGS, distill=Teacher.FULL, warmup_epochs=1.5, clip_norm=1.0, weight_decay=1e-3))


def test_under_quantisation() -> None:
    kernels = {i: w for i, w in enumerate(inspect(network()).weights) if w.kind is WeightKind.KERNEL}
    projections = {i: Projection.of(UniformQuantiser(4), w.scales_along) for i, w in kernels.items()}
    check_resumes(SETTINGS, projections=(projections, {}))
    check_resumes(SETTINGS, stops=(2,), projections=(projections, {}), activations=(8, None))


@pytest.mark.slow
def test_under_a_projection_that_begins_with_second_moments_and_changes_with_the_progress() -> None:
    description = inspect(network())
    (index,) = (i for i, w in enumerate(description.weights) if w.name == "logits/kernel")
    (read,) = (layer.inputs[0] for layer in description.layers if layer.name == "logits")

    def begin(values: Any, inputs: Any) -> Projection:
        def at(values: Any, progress: float) -> Any:
            return values + progress * (inputs @ values - values) / 2

        return Projection(None, lambda values: at(values, 1.0), scheduled=at)

    moving = Projection(None, lambda values: values, begin=begin, reads=read)
    check_resumes(SETTINGS, projections=({index: moving}, {}))


@pytest.mark.slow
def test_a_training_under_other_projections_starts_over() -> None:
    """The digest of a training covers the bits, the axes and any other function that weights pass through.

    It also covers what such a function does in the course of the training.
    """
    index = next(i for i, w in enumerate(inspect(network()).weights) if w.kind is WeightKind.KERNEL)
    each: tuple[Projections, ...] = (
        (),
        ({index: Projection.of(UniformQuantiser(4), (3,))}, {}),
        ({index: Projection.of(UniformQuantiser(4), ())}, {}),
        ({index: Projection.of(UniformQuantiser(2), (3,))}, {}),
        ({index: Projection.of(UniformQuantiser(8), (3,))}, {}),
        ({}, {index: Projection.of(UniformQuantiser(4), (3,))}),
        ({index: Projection(None, np.rint)}, {}),
        ({index: Projection(None, np.floor)}, {}),
        ({index: Projection(None, np.floor, scheduled=lambda values, progress: progress * np.floor(values))}, {}),
    )
    ways = [*((projections, ()) for projections in each), ((), (8, None)), ((), (16, None))]
    origins = [origin_of(family(), SETTINGS, *way) for way in (*ways, *ways)]
    assert len({*origins}) == len(ways)
    assert origins[: len(ways)] == origins[len(ways) :]


def test_patience_is_counted_across_the_stop() -> None:
    """A rate far too high for anything to improve: training ends early, wherever it was stopped before."""
    settings = replace(SETTINGS, learning_rate=3.0, patience=2, epochs=10)
    straight = Keeper()
    finetune(family(), training(settings, straight))
    assert len(straight.states) < 10
    check_resumes(settings, stops=(*straight.states,))


def test_the_best_epoch_comes_back_where_it_lies_before_the_stop() -> None:
    settings = replace(SETTINGS, learning_rate=3.0)
    check_resumes(settings, stops=(1, 2, 3, 4))


def test_the_network_of_a_run_without_a_model() -> None:
    data = Arrays(np.random.default_rng(0).normal(size=(40, 8, 8, 1)).astype(np.float32), np.arange(40) % 3)
    settings = FinetuneSettings(3, 16, 1e-2)

    def built(keeper: EpochKeeper) -> Any:
        return build_baseline(Training(data, settings, 3, lambda p: None, keeper=keeper))

    straight, keeper = built(EpochKeeper()), Keeper(2)
    with pytest.raises(Stopped):
        built(keeper)
    resumed = built(Keeper(None, keeper.state, keeper.origin))
    for a, b in zip(resumed.weights, straight.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_where_training_begins_tells_networks_apart() -> None:
    def origin(changed: bool) -> str:
        found = family()
        if changed:
            kernel = found.full.get_layer("conv").kernel
            kernel.assign(tf.tensor_scatter_nd_add(kernel.value, [[0, 0, 0, 0]], [1e-3]))
        return origin_of(found, SETTINGS)

    assert origin(False) == origin(False)
    assert origin(False) != origin(True)


@pytest.fixture(autouse=True)
def _cleared() -> Iterator[None]:
    yield
    keras.backend.clear_session()
