"""Training under projections of the weights: what networks compute with, and what they hold afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import sklearn.datasets
import tensorflow as tf
from keras_families import family_of
from reds_tensorflow import projecting
from reds_tensorflow.baseline import build_baseline
from reds_tensorflow.evaluation import loss, predict, resolve
from reds_tensorflow.extraction import extract, variables, weights
from reds_tensorflow.family import students_of
from reds_tensorflow.family_model import FamilyModel
from reds_tensorflow.projecting import projected, quantised
from reds_tensorflow.step_settings import StepSettings
from reds_tensorflow.tracing import inspect
from reds_tensorflow.training import finetune
from slow_cases import slow_except
from threadpoolctl import threadpool_info, threadpool_limits

from reds_core.errors import PluginFailure
from reds_core.framework import (
    Arrays,
    Family,
    FinetuneSettings,
    MemberChoice,
    Precision,
    Projection,
    Task,
    Teacher,
    Training,
    TrainingObjects,
    member_kept,
)
from reds_core.network import WeightKind
from reds_core.transforms import TruncatedQuantiser, UniformQuantiser

SETTINGS = FinetuneSettings(epochs=2, batch_size=16, learning_rate=1e-2)
Projections = Mapping[int, Projection]


def convolutional() -> Any:
    """Convolutions, batch norms, a depthwise convolution, and a Flatten whose slices are not prefixes."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(8, 3, padding="same", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Activation("relu", name="relu"),
            layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, name="depthwise"),
            layers.BatchNormalization(name="second_norm"),
            layers.Flatten(name="flatten"),
            layers.Dense(6, activation="tanh", name="dense"),
            layers.Dense(3, name="logits"),
        ]
    )


def examples(count: int = 64, seed: int = 5) -> Arrays:
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 3, count)
    x = generator.normal(size=(count, 6, 6, 2)) + y.reshape(-1, 1, 1, 1)
    return Arrays(x.astype(np.float32), y)


def of_kernels(model: Any, bits: int) -> dict[int, Projection]:
    """Quantisation of all kernels."""
    kernels = {i: w for i, w in enumerate(inspect(model).weights) if w.kind is WeightKind.KERNEL}
    return {i: Projection.of(UniformQuantiser(bits), w.scales_along) for i, w in kernels.items()}


def train(
    family: Family[Any], projections: tuple[Projections, ...], settings: FinetuneSettings = SETTINGS, **given: Any
) -> list[float]:
    losses: list[float] = []
    training = Training(examples(), settings, 3, lambda p: losses.append(p.loss), projections=projections, **given)
    finetune(family, training)
    return losses


def check_projected(family: Family[Any], projections: tuple[Projections, ...]) -> None:
    """Members hold projections of slices of the full network's weights, and of nothing else."""
    network = inspect(family.full)
    full = weights(family.full, network)
    for member, widths, by_index in zip(family.members, family.widths, projections, strict=False):
        sliced = weights(extract(family.full, network, member_kept(widths)), network)
        for i, (found, part) in enumerate(zip(weights(member, network), sliced, strict=True)):
            if i in by_index:
                np.testing.assert_array_equal(found, by_index[i].function(part.astype(np.float64)))
                np.testing.assert_array_equal(found, by_index[i].function(found.astype(np.float64)))
            elif network.weights[i].kind is not WeightKind.STATISTIC:
                np.testing.assert_array_equal(found, part)
    for i, projection in projections[0].items():
        assert not np.array_equal(full[i], projection.function(full[i].astype(np.float64)))


# In a graph


@pytest.mark.parametrize(
    ("bits", "axes"), [*((bits, (3,)) for bits in (2, 3, 4, 7, 8)), *((4, axes) for axes in ((), (2, 3), (0,)))]
)
def test_a_graph_quantises_as_numpy_does(bits: int, axes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    weight = np.random.default_rng(bits).standard_t(4, size=(3, 3, 6, 5)).astype(np.float32)
    weight[:, :, 2, 3] = 0
    weight[:, :, 3, :] = 1e-36
    expected = UniformQuantiser(bits).quantised(weight, axes)
    for at_once in (2**22, 300, 1):
        monkeypatch.setattr(projecting, "TRIED_AT_ONCE", at_once)
        graph = tf.function(lambda w: quantised(w, UniformQuantiser(bits), axes))
        found = graph(tf.constant(weight)).numpy()
        np.testing.assert_array_equal(found, expected.astype(np.float32))
        np.testing.assert_array_equal(graph(tf.constant(found)).numpy(), found)


@pytest.mark.parametrize("quantiser", [UniformQuantiser(4), None])
def test_gradients_pass_straight_through(quantiser: UniformQuantiser | None) -> None:
    """The gradient by the weight of a projected layer is that by the projected weight."""
    weight = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    x = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)
    projection = replace(Projection.of(UniformQuantiser(4), (1,)), quantiser=quantiser)

    @tf.function  # type: ignore[untyped-decorator]
    def gradient(value: Any, by: Projection | None) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(value)
            outputs = tf.tanh(x @ projected(value, by))
        return tape.gradient(outputs, value)

    on_grid = projection.function(weight.astype(np.float64)).astype(np.float32)
    found = gradient(tf.constant(weight), projection).numpy()
    np.testing.assert_array_equal(found, gradient(tf.constant(on_grid), None).numpy())
    assert np.abs(found).min() > 0


# After a training


WITH_A_TEACHER = {"distill": Teacher.FULL, "dropout": 0.5, "anchor": 0.1, "augment": ("flip",)}


@pytest.mark.parametrize(
    "changed",
    slow_except(
        [{}, WITH_A_TEACHER],
        [
            {},
            {"members_per_step": 1},
            {"members_per_step": 2, "member_choice": MemberChoice.SANDWICH},
            {"precision": Precision.BFLOAT16},
            WITH_A_TEACHER,
        ],
        str,
    ),
)
def test_members_hold_projected_weights(changed: Any) -> None:
    model = convolutional()
    projections = (of_kernels(model, 2), of_kernels(model, 4), of_kernels(model, 8), {})
    family = family_of(model, 0.25, 0.5, 0.75)
    train(family, projections, replace(SETTINGS, **changed), validation=examples(32, 6))
    check_projected(family, projections)


def test_moving_averages_of_the_weights_are_projected() -> None:
    model = convolutional()
    projections = (of_kernels(model, 4), {})
    family = family_of(model, 0.5)
    optimizer = keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.9)
    train(family, projections, objects=TrainingObjects(optimizer=optimizer), validation=examples(32, 6))
    check_projected(family, projections)


@pytest.mark.parametrize("recalibrate", [True, False])
def test_networks_that_are_not_trained_are_projected(recalibrate: bool) -> None:
    model = convolutional()
    projections = (of_kernels(model, 4), {})
    family = family_of(model, 0.5)
    before = weights(model, inspect(model))
    train(family, projections, replace(SETTINGS, epochs=0, recalibrate=recalibrate))
    check_projected(family, projections)
    for now, was in zip(weights(model, inspect(model)), before, strict=True):
        np.testing.assert_array_equal(now, was)
    check_statistics(family.members[0], is_measured=recalibrate)


def test_the_full_network_is_projected_if_it_has_projections() -> None:
    model = convolutional()
    own = of_kernels(model, 4)
    train(Family(model, (), ()), (own,))
    for i, projection in own.items():
        array = weights(model, inspect(model))[i]
        np.testing.assert_array_equal(array, projection.function(array.astype(np.float64)))
    check_statistics(model)


def test_frozen_kernels_are_projected() -> None:
    model = convolutional()
    model.get_layer("conv").trainable = False
    family = family_of(model, 0.5)
    projections = (of_kernels(model, 4), {})
    train(family, projections)
    check_projected(family, projections)
    check_statistics(family.members[0])


@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_model_holds_what_layers_are_replaced_from_also_where_they_are_frozen(is_frozen: bool) -> None:
    def to_halves(weight: Any) -> Any:
        return np.rint(2 * weight) / 2

    def to_quarters(weight: Any) -> Any:
        return np.rint(4 * weight) / 4

    model = convolutional()
    model.get_layer("conv").trainable = not is_frozen
    family = family_of(model, 0.5)
    index = min(of_kernels(model, 4))
    (before,) = (np.asarray(variables(member, inspect(model))[index]) for member in family.members)
    train(family, ({index: Projection(None, to_halves, held=to_quarters)}, {}))
    after = np.asarray(variables(family.members[0], inspect(model))[index])
    np.testing.assert_array_equal(after, to_quarters(after))
    assert np.any(after != to_halves(after))
    if is_frozen:
        np.testing.assert_array_equal(after, to_quarters(before))


def test_statistics_are_those_of_the_projection_where_a_model_holds_something_else() -> None:
    def to_halves(weight: Any) -> Any:
        return np.rint(2 * weight) / 2

    model = convolutional()
    index, network = min(of_kernels(model, 4)), inspect(model)
    family = family_of(model, 0.5)
    (member,) = family.members
    before = np.asarray(variables(member, network)[index]).copy()
    halves = Projection(None, to_halves, held=lambda weight: weight)
    train(family, ({index: halves}, {}), replace(SETTINGS, epochs=0))
    np.testing.assert_array_equal(variables(member, network)[index], before)
    variables(member, network)[index].assign(to_halves(before))
    check_statistics(member)


@pytest.mark.parametrize("calls", [2, 5])
def test_an_error_of_a_projection_is_raised_as_it_is(calls: int) -> None:
    made = []

    def failing(weight: Any) -> Any:
        made.append(1)
        if len(made) == calls:
            raise PluginFailure("transform 'own' failed", "choose another")
        return weight

    model = convolutional()
    projections = ({min(of_kernels(model, 4)): Projection(None, failing)}, {})
    with pytest.raises(PluginFailure, match="transform 'own' failed"):
        train(family_of(model, 0.5), projections)
    assert len(made) >= calls


def test_any_function_can_be_a_projection() -> None:
    def to_quarters(weight: Any) -> Any:
        return np.rint(4 * weight) / 4

    model = convolutional()
    projections = ({i: Projection(None, to_quarters) for i in of_kernels(model, 4)}, {})
    family = family_of(model, 0.5)
    losses = train(family, projections, replace(SETTINGS, epochs=4))
    check_projected(family, projections)
    assert losses[-1] < losses[0]


def check_statistics(model: Any, is_measured: bool = True) -> None:
    """The first batch norm holds the statistics of what the projected convolution computes."""
    norm = model.get_layer("norm")
    before = keras.Model(model.inputs[0], model.get_layer("conv").output)(examples().x).numpy()
    found = norm.moving_mean.numpy(), norm.moving_variance.numpy()
    expected = before.mean(axis=(0, 1, 2)), before.var(axis=(0, 1, 2))
    agrees = [np.allclose(one, other, rtol=1e-3, atol=1e-4) for one, other in zip(found, expected, strict=True)]
    assert agrees == [is_measured] * 2


# During a training


def test_networks_are_evaluated_with_projected_weights() -> None:
    model = convolutional()
    projections = (of_kernels(model, 2), of_kernels(model, 4))
    family = family_of(model, 0.5)
    network = inspect(model)
    data, aim = resolve(model, examples(), Task())
    students = students_of(family, network, 3, projections)
    both = FamilyModel(family, network, students, aim, StepSettings(), data.x)
    both.compile(optimizer="sgd")
    computed = both(data.x).numpy()
    found = both.evaluate(data.x, data.y, batch_size=len(data), verbose=0, return_dict=True)
    both.write_back()
    np.testing.assert_allclose(computed, predict(convolutional_with(model, projections[1]), data.x), atol=1e-5)
    shares = [student.share for student in students]
    losses = [loss(net, data, Task()) for net in (*family.members, family.full)]
    assert found["loss"] == pytest.approx(np.dot(shares, losses), rel=1e-4)


def convolutional_with(model: Any, projections: Projections) -> Any:
    """The model as it was built, with projected weights."""
    fresh = convolutional()
    for i, projection in projections.items():
        variable = variables(fresh, inspect(fresh))[i]
        variable.assign(projection.function(np.asarray(variable, np.float64)))
    return fresh


def test_training_lowers_the_loss_under_two_bits() -> None:
    model = convolutional()
    losses = train(Family(model, (), ()), (of_kernels(model, 2),), replace(SETTINGS, epochs=10))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "factor"), [(4, 0.95), (2, 0.5)])
def test_training_under_quantisation_beats_rounding_after_training(bits: int, factor: float) -> None:
    """The loss on held-out digits after equal trainings from the same weights, batch norms measured in both."""
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1).astype(np.float32)
    data, test = Arrays(x[:1400], y[:1400]), Arrays(x[1400:], y[1400:])
    settings = FinetuneSettings(epochs=6, batch_size=32, learning_rate=3e-3)
    baseline = build_baseline(Training(data, replace(settings, epochs=10), 0, lambda p: None))
    start = weights(baseline, inspect(baseline))
    found = []
    for steps in ((True,), (False, True)):
        for variable, array in zip(variables(baseline, inspect(baseline)), start, strict=True):
            variable.assign(array)
        family = family_of(baseline, 0.5)
        for is_last, is_projected in enumerate(steps):
            how = replace(settings, epochs=0) if is_last else settings
            by_network = (of_kernels(baseline, bits), {}) if is_projected else ()
            finetune(family, Training(data, how, 0, lambda p: None, projections=by_network))
        found.append(loss(family.members[0], test, Task()))
    under, after = found
    assert under < factor * after


def test_a_training_calls_projections_with_one_thread_of_numpy() -> None:
    threads: list[set[int]] = []

    def blas_threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    def noting(values: Any) -> Any:
        threads.append(blas_threads())
        return values

    family = Family(convolutional(), (), ())
    begins = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: threads.clear())
    ends = keras.callbacks.LambdaCallback(on_train_end=lambda logs: threads.append(set()))
    with threadpool_limits(2, user_api="blas"):
        train(family, ({0: Projection(None, noting)},), objects=TrainingObjects(callbacks=(begins, ends)))
        assert blas_threads() == {2}
    steps = threads[: threads.index(set())]
    assert len(steps) >= 8
    assert all(found == {1} for found in steps)


@pytest.mark.parametrize("axes", [(3,), (2, 3)])
def test_truncated_weights_are_those_of_numpy(axes: tuple[int, ...]) -> None:
    weights = np.random.default_rng(0).normal(size=(3, 3, 5, 7)).astype(np.float32)
    weights[..., 2] = 0
    quantiser = TruncatedQuantiser()
    found = np.asarray(quantised(tf.constant(weights), quantiser, axes))
    np.testing.assert_array_equal(found, quantiser.quantised(weights, axes).astype(np.float32))
    np.testing.assert_array_equal(np.asarray(quantised(tf.constant(found), quantiser, axes)), found)


def test_members_compute_with_parts_of_projections_of_whole_weights() -> None:
    """Gradients reach the shared weights as if nothing had been rounded."""
    model = convolutional()
    network, family = inspect(model), family_of(model, 0.5)
    kernels = [i for i, w in enumerate(network.weights) if w.kind is WeightKind.KERNEL]
    whole = {i: Projection.of(TruncatedQuantiser(), network.weights[i].scales_along, whole=True) for i in kernels}
    student, _ = students_of(family, network, 0, (whole, {}))
    full = {i: tf.convert_to_tensor(variable.value) for i, variable in enumerate(variables(model, network))}
    with tf.GradientTape() as tape:
        tape.watch(list(full.values()))
        values = student.weights(full)
        total = tf.add_n([tf.reduce_sum(value) for value in values])
    for cut, value, gradient in zip(
        student.cuts, values, tape.gradient(total, [full[cut.weight] for cut in student.cuts]), strict=True
    ):
        if cut.weight in whole:
            expected = whole[cut.weight].function(np.asarray(full[cut.weight], np.float64))
            np.testing.assert_array_equal(np.asarray(value), np.asarray(cut.of(tf.constant(expected, tf.float32))))
        assert float(tf.reduce_sum(gradient)) == np.asarray(value).size
    student.write(dict(enumerate(variables(model, network))), network)
    for variable, value in zip(student.model.trainable_variables, values, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), np.asarray(value))
