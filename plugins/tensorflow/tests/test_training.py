"""Gradients, and the training of families with one set of weights."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_families import family_of
from reds_tensorflow.baseline import build_baseline
from reds_tensorflow.evaluation import accuracy, compiled, loss, predict, resolve
from reds_tensorflow.extraction import variables, weights
from reds_tensorflow.family import students_of
from reds_tensorflow.family_model import FamilyModel
from reds_tensorflow.gradients import gradients
from reds_tensorflow.step_settings import StepSettings
from reds_tensorflow.strided import strides_taken_first
from reds_tensorflow.tracing import inspect
from reds_tensorflow.training import finetune

from reds_core.errors import InputError
from reds_core.framework import Arrays, EpochProgress, Family, FinetuneSettings, Task, Training, member_kept
from reds_core.network import WeightKind

IMAGES = (6, 6, 2)
SETTINGS = FinetuneSettings(epochs=2, batch_size=16, learning_rate=1e-2)
SEED = 3
Progress = list[EpochProgress]


def convolutional() -> Any:
    """Convolutions, batch norms, a depthwise convolution, and a Flatten whose cuts are no prefix."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(8, 3, padding="same", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Activation("tanh", name="tanh"),
            layers.DepthwiseConv2D(3, strides=2, padding="same", name="depthwise"),
            layers.Activation("softplus", name="softplus"),
            layers.Flatten(name="flatten"),
            layers.Dense(6, activation="tanh", name="dense"),
            layers.BatchNormalization(name="last_norm"),
            layers.Dense(3, name="logits"),
        ]
    )


def dense(dropout: float = 0.0) -> Any:
    """A network that is compiled in no time."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Activation("relu", name="relu"),
            layers.Dropout(dropout, name="dropout"),
            layers.Dense(3, name="logits"),
        ]
    )


def residual() -> Any:
    """A residual block with a projection: the strided 1 x 1 convolution."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="stem")(inputs)
    long = layers.Conv2D(10, 3, strides=2, padding="same", name="long")(x)
    short = layers.Conv2D(10, 1, strides=2, padding="same", name="short")(x)
    pooled = layers.GlobalAveragePooling2D()(layers.Add()([long, short]))
    return keras.Model(inputs, layers.Dense(3, name="logits")(pooled))


def examples(count: int = 50, shape: tuple[int, ...] = (6,), classes: int = 3) -> Arrays:
    """Images whose class shows in their mean."""
    generator = np.random.default_rng(5)
    y = generator.integers(0, classes, count)
    x = generator.normal(size=(count, *shape)) + 2 * y.reshape(-1, *(1 for _ in shape))
    return Arrays(x.astype(np.float32), y)


def train(
    family: Family[Any], data: Arrays | None = None, settings: FinetuneSettings = SETTINGS, seed: int = SEED
) -> Progress:
    reports: Progress = []
    finetune(family, Training(data or examples(), settings, seed, reports.append))
    return reports


def baseline(data: Arrays, settings: FinetuneSettings = SETTINGS, seed: int = SEED) -> Any:
    return build_baseline(Training(data, settings, seed, lambda p: None))


def all_weights(family: Family[Any]) -> list[Any]:
    return [v.numpy() for m in (*family.members, family.full) for v in m.weights if v.dtype != "uint32"]


# Gradients


def test_gradients_agree_with_finite_differences() -> None:
    model = convolutional()
    network = inspect(model)
    data = examples(12, IMAGES)
    (found,) = gradients(model, network, data, Task(), batch_size=12)
    generator, step = np.random.default_rng(0), 1e-2
    for variable, gradient in zip(variables(model, network), found, strict=True):
        if not variable.trainable:
            continue
        start = variable.numpy()
        direction = generator.normal(size=start.shape).astype(np.float32)
        direction /= np.linalg.norm(direction)
        sides = []
        for sign in (1, -1):
            variable.assign(start + sign * step * direction)
            cost = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(data.y, model(data.x, training=False))
            sides.append(float(cost))
        variable.assign(start)
        slope = (sides[0] - sides[1]) / (2 * step)
        assert float((gradient * direction).sum()) == pytest.approx(slope, abs=2e-3), variable.path


def test_gradients_come_batch_by_batch_and_keep_their_mean() -> None:
    model, data = convolutional(), examples(25, IMAGES)
    network = inspect(model)
    parts = list(gradients(model, network, data, Task(), batch_size=10))
    (whole,) = gradients(model, network, data, Task(), batch_size=25)
    assert len(parts) == 3
    for i, total in enumerate(whole):
        mean = (10 * parts[0][i] + 10 * parts[1][i] + 5 * parts[2][i]) / 25
        np.testing.assert_allclose(mean, total, atol=1e-5)


def test_gradients_by_frozen_weights_are_those_of_the_same_network_unfrozen() -> None:
    model, data = convolutional(), examples(50, IMAGES)
    (free,) = gradients(model, inspect(model), data, Task(), batch_size=50)
    model.trainable = False
    network = inspect(model)
    (found,) = gradients(model, network, data, Task(), batch_size=50)
    for array, wanted, weight in zip(found, free, network.weights, strict=True):
        np.testing.assert_array_equal(array, wanted, err_msg=weight.name)
        assert np.any(array) == (weight.kind is not WeightKind.STATISTIC), weight.name


@pytest.mark.parametrize("kind", [np.uint8, np.float16])
def test_examples_of_small_types_are_worth_what_they_are_as_floats(kind: type) -> None:
    """Scored, trained, measured and judged batch by batch."""
    whole = examples(60, IMAGES)
    small = Arrays((whole.x * 4).clip(0, 255).astype(kind), whole.y)
    found = []
    for data in (small, Arrays(small.x.astype(np.float32), small.y)):
        family = family_of(convolutional(), 0.5)
        network = inspect(family.full)
        (first, *_) = gradients(family.full, network, data, Task(), batch_size=20)
        settings = FinetuneSettings(2, 20, 1e-2, augment=("flip", "brightness"))
        finetune(family, Training(data, settings, SEED, lambda p: None, validation=data, teacher=convolutional()))
        found.append([*first, *all_weights(family), np.array(loss(family.full, data, Task()))])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


# One step


def test_step_follows_the_gradient_that_members_have_on_their_own() -> None:
    """Each network's gradient, taken on its own model by its own weights, put in its place in the full arrays."""
    family, data = family_of(convolutional(), 0.3, 0.6), examples(20, IMAGES)
    network = inspect(family.full)
    before = weights(family.full, network)
    data, aim = resolve(family.full, data, Task())
    models = (*family.members, family.full)
    roots = np.sqrt([m.count_params() for m in models])
    expected = [np.zeros(w.shape) for w in before]
    value = 0.0
    for model, widths, root in zip(models, (*family.widths, network.channels), roots, strict=True):
        twin = keras.models.clone_model(model)
        twin.set_weights(model.get_weights())
        with tf.GradientTape() as tape:
            cost = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(data.y, twin(data.x, training=True))
        own = variables(twin, network)
        found = tape.gradient(cost, [v.value for v in own if v.trainable])
        value += float(cost) * root / roots.sum()
        trained = [i for i, v in enumerate(own) if v.trainable]
        for i, gradient in zip(trained, found, strict=True):
            axes = network.weights[i].axes
            place = np.ix_(*(a.positions(member_kept(widths), network.channels) for a in axes))
            expected[i][place] += root / roots.sum() * gradient.numpy()

    joint = FamilyModel(family, network, students_of(family, network, 0), aim, StepSettings(), data.x)
    joint.compile(keras.optimizers.SGD(1.0))
    logs = joint.train_on_batch(data.x, data.y, return_dict=True)
    assert logs["loss"] == pytest.approx(value, rel=1e-5)
    joint.write_back()
    for weight, old, new, gradient in zip(
        network.weights, before, weights(family.full, network), expected, strict=True
    ):
        if weight.trainable:
            np.testing.assert_allclose(old - new, gradient, atol=2e-6, err_msg=weight.name)


def test_losses_are_weighted_by_the_roots_of_the_shares() -> None:
    family = family_of(dense(), 0.5)
    small, full = students_of(family, inspect(family.full), 0)
    assert small.share + full.share == pytest.approx(1)
    assert (small.share / full.share) ** 2 == pytest.approx(small.model.count_params() / full.model.count_params())


# Families


@pytest.mark.parametrize(("build", "shape"), [(convolutional, IMAGES), (dense, (6,)), (residual, (8, 8, 3))])
def test_members_are_slices_of_the_full_network(build: Callable[[], Any], shape: tuple[int, ...]) -> None:
    family = family_of(build(), 0.3, 0.6)
    before = all_weights(family)
    train(family, examples(shape=shape))
    assert any(np.any(a != b) for a, b in zip(before, all_weights(family), strict=True))
    network = inspect(family.full)
    full = weights(family.full, network)
    for member, widths in zip(family.members, family.widths, strict=True):
        kept = member_kept(widths)
        for weight, whole, own in zip(network.weights, full, weights(member, network), strict=True):
            place = np.ix_(*(axis.positions(kept, network.channels) for axis in weight.axes))
            if weight.kind is not WeightKind.STATISTIC:
                np.testing.assert_array_equal(whole[place], own, err_msg=weight.name)


def test_statistics_are_each_networks_own() -> None:
    family, data = family_of(convolutional(), 0.3, 0.6), examples(300, IMAGES)
    train(family, data, FinetuneSettings(1, 64, 1e-2))
    for model in (*family.members, family.full):
        norm = model.get_layer("norm")
        seen = predict(keras.Model(model.inputs[0], norm.input), data.x)
        np.testing.assert_allclose(norm.moving_mean.numpy(), seen.mean(axis=(0, 1, 2)), atol=1e-5)
        np.testing.assert_allclose(norm.moving_variance.numpy(), seen.var(axis=(0, 1, 2)), rtol=1e-4)
        # The second batch norm is measured behind the first one's batch statistics, here of two batches of 150.
        last = model.get_layer("last_norm")
        inner = keras.Model(model.inputs[0], last.input)
        behind = np.concatenate([inner(part, training=True).numpy() for part in (data.x[:150], data.x[150:])])
        np.testing.assert_allclose(last.moving_mean.numpy(), behind.mean(axis=0), atol=0.05)
    full_mean = family.full.get_layer("last_norm").moving_mean.numpy()
    for member in family.members:
        own = member.get_layer("last_norm").moving_mean.numpy()
        assert np.abs(own - full_mean[: len(own)]).max() > 0.01


def test_frozen_statistics_stay() -> None:
    model = dense()
    norm = model.get_layer("norm")
    norm.trainable = False
    norm.moving_mean.assign(np.arange(8.0))
    train(family_of(model, 0.5))
    np.testing.assert_array_equal(norm.moving_mean.numpy(), np.arange(8.0))


def test_training_lowers_every_loss() -> None:
    family, data = family_of(dense(), 0.3, 0.6), examples(120)
    before = [loss(m, data, Task()) for m in (*family.members, family.full)]
    train(family, data, FinetuneSettings(epochs=10, batch_size=16, learning_rate=2e-2))
    after = [loss(m, data, Task()) for m in (*family.members, family.full)]
    assert all(new < 0.6 * old for old, new in zip(before, after, strict=True)), (before, after)


def test_epoch_of_least_validation_loss_is_kept() -> None:
    """Labels without sense: whatever is learned of the training data harms on the rest."""
    generator = np.random.default_rng(0)
    data, rest = (
        Arrays(generator.normal(size=(60, 6)).astype(np.float32), generator.integers(0, 3, 60)) for _ in range(2)
    )
    settings = FinetuneSettings(epochs=20, batch_size=16, learning_rate=5e-2)
    losses = []
    for validation in (None, rest):
        family = family_of(dense(), 0.5)
        finetune(family, Training(data, settings, 0, lambda p: None, validation=validation))
        models = (*family.members, family.full)
        shares = np.sqrt([m.count_params() for m in models])
        losses.append(float(np.average([loss(m, rest, Task()) for m in models], weights=shares)))
    assert losses[1] < losses[0] - 0.05


def test_same_seed_same_weights_whatever_was_random_before() -> None:
    results = []
    for noise, seed in ((1, 3), (2, 3), (2, 4)):
        family = family_of(dense(dropout=0.5), 0.5)
        keras.utils.set_random_seed(noise)
        train(family, settings=FinetuneSettings(2, 16, 1e-2, dropout=1.0), seed=seed)
        results.append(all_weights(family))
    assert all(np.array_equal(a, b) for a, b in zip(results[0], results[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(results[0], results[2], strict=True))


def test_dropout_follows_the_seed_alone() -> None:
    """With one batch an epoch shuffling changes nothing but the order of a sum."""
    results = []
    for seed in (3, 4):
        family = family_of(dense(dropout=0.5))
        train(family, settings=FinetuneSettings(1, 50, 1e-2, dropout=1.0), seed=seed)
        results.append(family.full.get_layer("logits").get_weights()[0])
    assert np.abs(results[0] - results[1]).max() > 1e-4


def test_global_random_states_are_left_alone() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    tf.random.set_seed(1)
    expected = random.random(), np.random.rand(), float(tf.random.uniform(()))  # noqa: NPY002
    family = family_of(dense(dropout=0.5), 0.5)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    tf.random.set_seed(1)
    train(family)
    baseline(examples(20, (8, 8, 1)), FinetuneSettings(1, 20))
    assert (random.random(), np.random.rand(), float(tf.random.uniform(()))) == expected  # noqa: NPY002


def test_layers_that_are_not_trainable_stay() -> None:
    model = dense()
    model.get_layer("hidden").trainable = False
    family = family_of(model, 0.5)
    before = model.get_layer("hidden").get_weights()
    train(family)
    for old, new in zip(before, model.get_layer("hidden").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_constraints_and_penalties_of_the_model_count() -> None:
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(4, kernel_constraint="non_neg", name="hidden"),
            keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(10.0), name="logits"),
        ]
    )
    before = np.abs(model.get_layer("logits").kernel.numpy()).sum()
    train(family_of(model, 0.5), examples(shape=(5,)), FinetuneSettings(30, 16, 3e-2))
    assert model.get_layer("hidden").kernel.numpy().min() >= 0
    assert np.abs(model.get_layer("logits").kernel.numpy()).sum() < 0.2 * before


def test_no_epochs_measure_the_statistics_of_members_and_change_no_more() -> None:
    family, data = family_of(convolutional(), 0.5), examples(300, IMAGES)
    before = [weights(m, inspect(m)) for m in (*family.members, family.full)]
    assert train(family, data, FinetuneSettings(epochs=0)) == []
    for model, old in zip((*family.members, family.full), before, strict=True):
        network = inspect(model)
        for weight, was, now in zip(network.weights, old, weights(model, network), strict=True):
            moved = weight.kind is WeightKind.STATISTIC and model is not family.full
            assert np.array_equal(was, now) != moved, weight.name
    norm = family.members[0].get_layer("norm")
    seen = predict(keras.Model(family.members[0].inputs[0], norm.input), data.x)
    np.testing.assert_allclose(norm.moving_mean.numpy(), seen.mean(axis=(0, 1, 2)), atol=1e-5)


def test_no_epochs_without_recalibration_change_nothing() -> None:
    family = family_of(dense(), 0.5)
    before = all_weights(family)
    assert train(family, settings=FinetuneSettings(epochs=0, recalibrate=False)) == []
    assert all(np.array_equal(a, b) for a, b in zip(before, all_weights(family), strict=True))


def test_progress_ends_each_epoch_and_is_not_sent_too_often() -> None:
    reports = train(family_of(dense()), examples(160), FinetuneSettings(3, 4, 1e-3))
    ends = [r for r in reports if r.batch == r.batches]
    assert [(r.epoch, r.epochs, r.batches) for r in ends] == [(0, 3, 40), (1, 3, 40), (2, 3, 40)]
    assert len(reports) < 60
    assert all(np.isfinite(r.loss) and 0 <= r.accuracy <= 1 for r in reports)


def test_batches_are_of_nearly_one_size() -> None:
    """17 examples in batches of 16 are 9 and 8, not 16 and 1, which no batch norm could bear."""
    reports = train(family_of(dense()), examples(17), FinetuneSettings(1, 16, 1e-3))
    assert reports[-1].batches == 2


def test_divergence_is_an_error_and_leaves_the_models_as_they_were(capfd: pytest.CaptureFixture[str]) -> None:
    family = family_of(dense(), 0.5)
    before = all_weights(family)
    with pytest.raises(InputError, match=r"diverged in epoch 1.*; give a learning rate below 1e\+30"):
        train(family, settings=FinetuneSettings(2, 16, 1e30))
    assert all(np.array_equal(a, b) for a, b in zip(before, all_weights(family), strict=True))
    assert capfd.readouterr() == ("", "")


def test_interruption_leaves_the_models_as_they_were() -> None:
    family = family_of(dense(), 0.5)
    before = all_weights(family)

    def interrupt(report: EpochProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(family, Training(examples(), SETTINGS, SEED, interrupt))
    assert all(np.array_equal(a, b) for a, b in zip(before, all_weights(family), strict=True))


# Strided 1 x 1 convolutions


def strides_in_graph(model: Any) -> set[int]:
    run = compiled(lambda x: model(x), np.zeros((1, *model.input_shape[1:]), np.float32))
    operations = run.get_concrete_function().graph.get_operations()  # type: ignore[attr-defined]
    pointwise = [o for o in operations if o.type == "Conv2D" and tuple(o.inputs[1].shape[:2]) == (1, 1)]
    return {o.get_attr("strides")[1] for o in pointwise}


def test_no_strided_pointwise_convolution_is_trained() -> None:
    model = residual()
    nested_input = keras.Input((8, 8, 3))
    nested = keras.Model(nested_input, model(nested_input))
    x = examples(7, (8, 8, 3)).x
    expected = predict(model, x)
    with strides_taken_first(nested):
        assert strides_in_graph(model) == {1}
        np.testing.assert_allclose(predict(model, x), expected, atol=1e-6)
    assert strides_in_graph(model) == {2}


def test_odd_batches_of_narrow_projections_train() -> None:
    """TensorFlow alone corrupts its memory here, where the processor has AVX-512."""
    family = family_of(residual(), 0.5)
    train(family, examples(21, (8, 8, 3)), FinetuneSettings(2, 7, 1e-3))
    assert all(np.all(np.isfinite(w)) for w in all_weights(family))


# The baseline network


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 13, 3), (28, 28, 1), (96, 96, 3)])
def test_baseline_fits_images_of_any_size(shape: tuple[int, ...]) -> None:
    data = examples(6, shape, classes=4)
    model = baseline(data, FinetuneSettings(1, 6))
    assert model.input_shape[1:] == shape
    assert model.output_shape[1] == data.y.max() + 1
    assert len(inspect(model).groups) >= 4
    maps = model.get_layer("pool").input.shape[1:3]
    assert min(maps) <= 12


def test_baseline_takes_one_hot_labels_and_follows_the_seed() -> None:
    data = examples(20, (8, 8, 1))
    hot = Arrays(data.x, np.eye(5, dtype=np.float32)[data.y])
    first, again = (baseline(hot, FinetuneSettings(1, 20), 1) for _ in range(2))
    other = baseline(hot, FinetuneSettings(0, 20), 2)
    assert first.output_shape == (None, 5)
    same = [np.array_equal(a, b) for a, b in zip(first.get_weights(), again.get_weights(), strict=True)]
    assert all(same)
    assert not np.array_equal(first.get_layer("conv").kernel, other.get_layer("conv").kernel)


@pytest.mark.parametrize("shape", [(7, 8, 1), (250,), (8, 8)])
def test_baseline_for_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="at least 8 x 8"):
        baseline(examples(6, shape))


def test_baseline_for_labels_that_are_no_classes_is_refused() -> None:
    data = examples(6, (8, 8, 1))
    with pytest.raises(InputError, match="not classes"):
        baseline(Arrays(data.x, data.y.astype(np.float32)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_baseline_learns_digits(seed: int) -> None:
    from reds_core import load_data

    nothing: Any = None
    digits = load_data("digits", nothing)
    model = baseline(digits.train, FinetuneSettings(20, 64, 3e-3), seed)
    assert accuracy(model, digits.test, Task()) >= 0.97
