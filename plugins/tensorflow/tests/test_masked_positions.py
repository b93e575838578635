"""Positions that a mask of Keras leaves out: they do not count in training, whether or not examples have weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as L
from reds_tensorflow.distillation import soft_loss
from reds_tensorflow.evaluation import resolve
from reds_tensorflow.training import finetune

from reds_core.framework import Arrays, Family, FinetuneSettings, Schedule, Task, Teacher, Training, TrainingObjects

COUNT, STEPS, CLASSES = 32, 6, 4


class Logs(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the figures of the last epoch."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.found = dict(logs or {})


def tagger() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((STEPS,))
    x = L.LSTM(8, return_sequences=True)(L.Embedding(20, 8, mask_zero=True)(inputs))
    return keras.Model(inputs, L.Dense(CLASSES, activation="softmax")(x))


def padded(weights: np.ndarray | None = None) -> Arrays:
    rng = np.random.default_rng(0)
    x, y = rng.integers(1, 20, (COUNT, STEPS)), rng.integers(0, CLASSES, (COUNT, STEPS))
    for row, length in zip(x, rng.integers(2, STEPS + 1, COUNT), strict=True):
        row[length:] = 0
    return Arrays(x.astype(np.float32), y, weights)


def trained(data: Arrays) -> dict[str, float]:
    """What a training that changes nothing says of the network."""
    logs = Logs()
    settings = FinetuneSettings(1, COUNT, 1e-9, distill=Teacher.NONE, schedule=Schedule.CONSTANT, weight_decay=0)
    objects = TrainingObjects(callbacks=(logs,))
    finetune(Family(tagger(), (), ()), Training(data, settings, 0, lambda _: None, validation=data, objects=objects))
    return logs.found


def test_padding_does_not_count_whether_or_not_examples_have_weights() -> None:
    data, model = padded(), tagger()
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    expected = model.evaluate(data.x, data.y, verbose=0, return_dict=True)
    for weights in (None, np.ones(COUNT, np.float32)):
        found = trained(padded(weights))
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)
        assert found["val_accuracy"] == pytest.approx(expected["accuracy"], rel=1e-5)


def test_a_teacher_says_nothing_of_padding() -> None:
    """The soft loss is the mean over the positions that count, as those of each example alone say."""
    data, model = padded(), tagger()
    _, aim = resolve(model, data, Task())
    loss, network = soft_loss(aim.heads[0], 2.0), model(data.x)
    mask = np.asarray(network._keras_mask)
    assert not mask.all()
    teacher = np.random.default_rng(1).dirichlet(np.ones(CLASSES), (COUNT, STEPS)).astype(np.float32)
    plain, lengths = np.asarray(network), mask.sum(axis=1)
    alone = [loss(teacher[i : i + 1, :n], plain[i : i + 1, :n], None) for i, n in enumerate(lengths)]
    expected = np.average(np.array(alone, np.float64), weights=lengths)
    assert float(loss(teacher, network, None)) == pytest.approx(expected, rel=1e-5)
