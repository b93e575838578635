"""Spectral normalisation: members are trained as what they are delivered as."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras_families import family_of
from reds_tensorflow.training import finetune

from reds_core.framework import Arrays, Family, FinetuneSettings, Schedule, Teacher, Training, TrainingObjects

L = keras.layers


class Losses(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the loss of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[float] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.found.append((logs or {})["loss"])


def narrowed() -> keras.Model:
    """A quarter of a network whose kernels are normalised, which have a norm far below 1."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((10,))
    x = L.SpectralNormalization(L.Dense(32, activation="relu"), name="first")(inputs)
    x = L.SpectralNormalization(L.Dense(32, activation="relu"), name="second")(x)
    model = keras.Model(inputs, L.Dense(4, activation="softmax")(x))
    for name in ("first", "second"):
        kernel = model.get_layer(name).layer.kernel
        kernel.assign(kernel / np.linalg.norm(kernel.numpy(), 2))
    return family_of(model, 0.25).members[0]


def test_the_loss_of_training_is_that_of_the_network_that_is_delivered() -> None:
    """Without changes of the weights, and with all examples in one step."""
    rng = np.random.default_rng(0)
    data = Arrays(rng.normal(size=(64, 10)).astype(np.float32), rng.integers(0, 4, 64))
    model, losses = narrowed(), Losses()
    norms = [np.linalg.norm(model.get_layer(name).layer.kernel.numpy(), 2) for name in ("first", "second")]
    assert max(norms) < 0.9
    model.compile(loss="sparse_categorical_crossentropy")
    expected = model.evaluate(data.x, data.y, verbose=0)
    settings = FinetuneSettings(1, 64, 1e-9, distill=Teacher.NONE, schedule=Schedule.CONSTANT, weight_decay=0)
    objects = TrainingObjects(callbacks=(losses,))
    finetune(Family(model, (), ()), Training(data, settings, 0, lambda _: None, objects=objects))
    assert losses.found == [pytest.approx(expected, rel=1e-5)]
