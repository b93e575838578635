"""Training with rounded activations: where they are rounded, to what, and with which ranges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_families import family_of
from reds_tensorflow.activation_ranges import MOMENTUM, ActivationRanges
from reds_tensorflow.evaluation import resolve
from reds_tensorflow.extraction import weights
from reds_tensorflow.family import students_of
from reds_tensorflow.family_model import FamilyModel
from reds_tensorflow.step_settings import StepSettings
from reds_tensorflow.tracing import inspect
from reds_tensorflow.training import finetune

from reds_core.framework import Arrays, FinetuneSettings, Precision, Task, Training

layers = keras.layers
SETTINGS = FinetuneSettings(epochs=2, batch_size=16, learning_rate=1e-2)


def residual() -> Any:
    """Two ways that meet in a sum, with a batch norm and a ReLU on each side of it, and a softmax."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(8, 3, padding="same", name="first")(x)
    x = layers.BatchNormalization(name="first_norm")(x)
    x = start = layers.Activation("relu", name="first_relu")(x)
    x = layers.Conv2D(8, 3, padding="same", name="second")(x)
    x = layers.BatchNormalization(name="second_norm")(x)
    x = layers.Add(name="sum")([x, start])
    x = layers.ReLU(name="sum_relu")(x)
    x = layers.MaxPooling2D(name="maxima")(x)
    x = layers.DepthwiseConv2D(3, activation="relu", name="depthwise")(x)
    x = layers.GlobalAveragePooling2D(name="means")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="classes")(x))


def examples(count: int = 64, seed: int = 5) -> Arrays:
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 3, count)
    return Arrays((generator.normal(size=(count, 6, 6, 2)) + y.reshape(-1, 1, 1, 1)).astype(np.float32), y)


def family_model(model: Any, activations: tuple[int | None, ...]) -> FamilyModel:
    family = family_of(model, *[0.5] * (len(activations) - 1))
    network, (data, aim) = inspect(model), resolve(model, examples(), Task())
    students = students_of(family, network, 3, (), activations)
    found = FamilyModel(family, network, students, aim, StepSettings(), data.x)
    found.compile(optimizer="sgd")
    return found


def test_values_are_rounded_where_an_exporter_rounds_them() -> None:
    """Neither between a convolution and the batch norm folded into it, nor before a ReLU, nor after a softmax."""
    places = [(operation.name, method) for operation, method in ActivationRanges(residual(), 8)._places]
    assert places == [
        ("first_relu", "call"),
        ("second_norm", "call"),
        ("sum_relu", "call"),
        ("depthwise", "call"),
        ("means", "call"),
        ("classes", "activation"),
    ]


def test_values_that_several_layers_read_are_rounded_before_a_relu() -> None:
    x = inputs = keras.Input((4,))
    x = layers.Dense(3, name="dense")(x)
    model = keras.Model(inputs, layers.Add(name="sum")([layers.ReLU(name="relu")(x), x]))
    assert [operation.name for operation, _ in ActivationRanges(model, 8)._places] == ["dense", "relu", "sum"]
    inner = keras.Model(inputs, [x, layers.ReLU(name="end")(x)])
    assert [operation.name for operation, _ in ActivationRanges(inner, 8)._places] == ["dense", "end"]


@pytest.mark.parametrize(("bits", "levels"), [(8, 256), (16, 65535)])
def test_values_become_integers_times_a_scale(bits: int, levels: int) -> None:
    ranges = ActivationRanges(keras.Sequential([keras.Input((2,)), layers.Dense(1)]), bits)
    x = np.linspace(-1, 3, 200_001, dtype=np.float32).reshape(-1, 1)
    with ranges.rounding(moving=True) as rounding:
        found = rounding.rounded(0, tf.constant(x)).numpy()
    assert len(np.unique(found)) <= levels
    low, high = (-1, 3) if bits == 8 else (-3, 3)
    assert np.abs(found - x).max() <= 0.51 * (high - low) / (levels - 1)
    assert 0 in found
    np.testing.assert_allclose(rounding.after()[0], [-1, 3])


def test_ranges_are_moving_averages_that_contain_zero() -> None:
    ranges = ActivationRanges(keras.Sequential([keras.Input((2,)), layers.Dense(1)]), 8)
    seen = []
    for low, high in ((1.0, 2.0), (-1.0, 4.0)):
        with ranges.rounding(moving=True) as rounding:
            rounding.rounded(0, tf.constant([[low, high]]))
        ranges.variable.assign(rounding.after())
        seen.append(ranges.variable.numpy()[0])
    np.testing.assert_allclose(seen, [[0, 2], [MOMENTUM - 1, 2 * MOMENTUM + 4 * (1 - MOMENTUM)]], rtol=1e-5)
    with ranges.rounding(moving=False) as rounding:
        rounding.rounded(0, tf.constant([[9.0]]))
    np.testing.assert_array_equal(rounding.after(), ranges.variable.numpy())


def test_nothing_is_rounded_before_ranges_are_known() -> None:
    x = tf.constant([[0.1234567, 5.4321]])
    with ActivationRanges(keras.Sequential([keras.Input((2,)), layers.Dense(1)]), 8).rounding(moving=False) as rounding:
        np.testing.assert_array_equal(rounding.rounded(0, x), x)


def test_gradients_pass_within_the_range() -> None:
    ranges = ActivationRanges(keras.Sequential([keras.Input((2,)), layers.Dense(1)]), 8)
    ranges.variable.assign(np.tile([[-1.0, 1.0]], (2, 1)))
    x = tf.constant([[0.3, -0.7, 1.5]])
    with tf.GradientTape() as tape, ranges.rounding(moving=False) as rounding:
        tape.watch(x)
        y = rounding.rounded(0, x)
    assert tape.gradient(y, x).numpy().tolist() == [[1, 1, 0]]


def test_evaluations_compute_with_rounded_activations() -> None:
    """They agree with a network whose layers' outputs are rounded to the ranges found in training."""
    model = residual()
    both = family_model(model, (None, 8))
    data = examples()
    plain = both(data.x).numpy()
    both.fit(data.x, data.y, batch_size=32, epochs=1, verbose=0)
    both.evaluate(data.x, data.y, verbose=0)
    student = both._students[-1]
    assert student.activations is not None
    low, high = student.activations.variable.numpy()[1]
    assert low == 0 < high
    seen = []

    def look(original: Any, values: Any) -> Any:
        seen.append(values)
        return original(values)

    second = student.model.get_layer("second")
    original = second.call
    second.call = lambda values: look(original, values)
    found = both(data.x).numpy()
    del second.call
    steps = np.asarray(seen[0]) / (high / 255)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-2)
    assert np.rint(steps).max() <= 255
    assert not np.allclose(found, plain)


others = [pytest.param(c, marks=pytest.mark.slow) for c in ({"members_per_step": 1}, {"precision": Precision.BFLOAT16})]


@pytest.mark.parametrize("changed", [{}, *others], ids=str)
def test_members_alone_are_trained_with_rounded_activations(changed: Any) -> None:
    model = residual()
    family = family_of(model, 0.25, 0.5)
    losses: list[float] = []
    settings = replace(SETTINGS, epochs=6, **changed)
    training = Training(examples(), settings, 3, lambda p: losses.append(p.loss), validation=examples(32, 6))
    finetune(family, replace(training, activations=(8, 8, None)))
    assert losses[-1] < losses[0]
    for net in (*family.members, family.full):
        assert all(np.isfinite(array).all() for array in weights(net, inspect(net)))
        assert all("call" not in vars(layer) for layer in net.layers)


def test_other_bits_of_activations_lead_to_other_weights() -> None:
    found = []
    for activations in ((), (None, None), (8, None), (16, None)):
        model = residual()
        finetune(family_of(model, 0.5), Training(examples(), SETTINGS, 3, lambda p: None, activations=activations))
        found.append(weights(model, inspect(model))[0])
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    assert np.abs(found[2] - found[0]).max() > 2 * np.abs(found[3] - found[0]).max()
