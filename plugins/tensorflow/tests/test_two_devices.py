"""Distributed training over two devices, which TensorFlow makes only in a process that has not used any yet."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_families import family_of
from reds_tensorflow.extraction import weights
from reds_tensorflow.tracing import inspect
from reds_tensorflow.training import finetune

from reds_core.framework import Arrays, Family, FinetuneSettings, Precision, Projection, Task, Training, TrainingObjects
from reds_core.network import WeightKind
from reds_core.transforms import UniformQuantiser

VARIABLE = "REDS_TESTS_ON_TWO_DEVICES"
IS_INNER = VARIABLE in os.environ

if IS_INNER:
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )


LONGER = (
    ("test_they_train_as_one_does and sgd", 2),
    ("test_batches_of_odd", 1),
    ("test_batch_norms_train", 2),
    ("test_figures and task0", 1),
    ("test_figures and task2", 1),
    ("test_they_train_under_projections and quantiser0", 1),
    ("test_they_train_under_projections and None", 1),
)
"""Left to the slow tests, since each starts a process that imports TensorFlow."""


@pytest.mark.skipif(IS_INNER, reason="this is the inner process")
@pytest.mark.parametrize(
    ("test", "count"),
    [
        ("test_they_train_as_one_does and adam", 2),
        ("test_figures and task1", 1),
        *(pytest.param(*longer, marks=pytest.mark.slow) for longer in LONGER),
    ],
)
def test_in_a_process_with_two_devices(test: str, count: int) -> None:
    """One process for each network, since TensorFlow confuses the collective operations of different ones."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "-k", test, __file__]
    found = subprocess.run(command, env={**os.environ, VARIABLE: "1"}, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-5000:]
    assert f"{count} passed" in found.stdout, found.stdout[-500:]


inner = pytest.mark.skipif(not IS_INNER, reason="needs a process with two devices, which another test starts")


def network(norm: bool) -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, name="hidden"),
            *([layers.BatchNormalization(name="norm")] if norm else []),
            layers.ReLU(name="relu"),
            layers.Dense(3, name="logits"),
        ]
    )


def examples(seed: int = 5, count: int = 80) -> Arrays:
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 3, count)
    x = (generator.normal(size=(count, 6)) + y[:, None]).astype(np.float32)
    return Arrays(x, y, np.linspace(0.5, 1.5, count, dtype=np.float32))


def trained(norm: bool, count: int = 80, batch_size: int = 16, **settings: Any) -> Family[Any]:
    model, teacher = network(norm), network(norm)
    family = family_of(model, 0.4, 0.7)
    how = FinetuneSettings(3, batch_size, 1e-2, **settings)
    finetune(
        family,
        Training(examples(count=count), how, 3, lambda progress: None, validation=examples(6, count), teacher=teacher),
    )
    return family


def on_two_devices() -> Any:
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope()


def all_weights(family: Family[Any]) -> list[Any]:
    return [np.asarray(v) for m in (*family.members, family.full) for v in m.weights if v.dtype != "uint32"]


@inner
@pytest.mark.parametrize("members_per_step", [None, 1])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_they_train_as_one_does(members_per_step: int | None, optimizer: str) -> None:
    """Batch norms would see half of each batch, so a network without any is compared."""
    one = trained(False, members_per_step=members_per_step, optimizer=optimizer)
    with on_two_devices():
        two = trained(False, members_per_step=members_per_step, optimizer=optimizer)
    for a, b in zip(all_weights(one), all_weights(two), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@inner
@pytest.mark.parametrize("quantiser", [UniformQuantiser(4), None])
def test_they_train_under_projections(quantiser: UniformQuantiser | None) -> None:
    """Also a frozen kernel is projected, of which each device has a copy."""
    with on_two_devices():
        model = network(True)
        next(layer for layer in model.layers if layer.name == "logits").trainable = False
        by_index = {
            i: replace(Projection.of(UniformQuantiser(4), w.scales_along), quantiser=quantiser)
            for i, w in enumerate(inspect(model).weights)
            if w.kind is WeightKind.KERNEL
        }
        family = family_of(model, 0.5)
        how = FinetuneSettings(2, 16, 1e-2)
        training = Training(examples(), how, 3, lambda progress: None, projections=(by_index, {}))
        finetune(family, training)
        found = weights(family.members[0], inspect(model))
    assert len(by_index) == 2
    for i, projection in by_index.items():
        np.testing.assert_array_equal(found[i], projection.function(found[i].astype(np.float64)))


class Logs(keras.callbacks.Callback):
    """Keeps the logs of epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append({name: float(value) for name, value in logs.items()})


@inner
@pytest.mark.parametrize("task", [Task(), Task(metric="F1Score"), Task("mean_squared_error", "R2Score")])
def test_figures_are_those_of_all_devices(task: Task) -> None:
    """Batches of 15 have parts of 8 and 7, whose figures count by their numbers of examples."""

    def logged() -> list[dict[str, float]]:
        logs, data = Logs(), [examples(count=75), examples(6, 75)]
        if task.metric == "R2Score":
            targets = np.random.default_rng(0).normal(size=(75, 3)).astype(np.float32)
            data = [Arrays(part.x, targets, part.weights) for part in data]
        training = Training(data[0], FinetuneSettings(2, 15, 1e-2), 3, lambda progress: None, task, data[1])
        objects = TrainingObjects((logs,))
        finetune(family_of(network(False), 0.4, 0.7), replace(training, teacher=network(False), objects=objects))
        return logs.epochs

    one = logged()
    with on_two_devices():
        two = logged()
    assert len(one) == 2
    for a, b in zip(one, two, strict=True):
        assert b == pytest.approx(a, abs=1e-4)


@inner
def test_batches_of_odd_sizes_train_as_on_one_device() -> None:
    """Parts of unequal size count by their numbers of examples."""
    one = trained(False, count=75, batch_size=15)
    with on_two_devices():
        two = trained(False, count=75, batch_size=15)
    for a, b in zip(all_weights(one), all_weights(two), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@inner
@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.BFLOAT16])
def test_batch_norms_train(precision: Precision) -> None:
    """Each device normalises its half of a batch, so the weights go nearly where those on one device go."""
    start = [np.asarray(v) for v in network(True).trainable_variables]
    one = trained(True, precision=precision)
    with on_two_devices():
        two = trained(True, precision=precision)
    moves = [
        np.concatenate([(np.asarray(v) - s).ravel() for v, s in zip(f.full.trainable_variables, start, strict=True)])
        for f in (one, two)
    ]
    assert np.corrcoef(*moves)[0, 1] > 0.8
    assert all(np.all(np.isfinite(weight)) for weight in all_weights(two))
