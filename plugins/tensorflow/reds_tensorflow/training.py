"""Gradients of a model's loss, and the training of a family of nested networks that share one set of weights."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reds_core.errors import InputError
from reds_core.finetuning import EpochProgress, FinetuneSettings
from reds_core.framework import Arrays, Family, Task, Training, WeightArrays, batches
from reds_core.network import Network
from reds_tensorflow.evaluation import BATCH_SIZE, compiled, resolve
from reds_tensorflow.extraction import variables
from reds_tensorflow.family import JointStep, students_of
from reds_tensorflow.strided import strides_taken_first
from reds_tensorflow.task import Objective
from reds_tensorflow.tracing import inspect

SECONDS_BETWEEN_REPORTS = 0.25
STATISTICS_EXAMPLES = 2048
"""Training examples, at most, whose statistics batch norms get after an epoch."""


def gradients(model: Any, network: Network, data: Arrays, task: Task, batch_size: int) -> Iterator[WeightArrays]:
    """For each batch the gradient of the mean loss by each weight, in the order of `network.weights`.

    Zeros for weights that are not trainable. The model runs as at inference (batch norms use their statistics).
    """
    data, aim = resolve(model, data, task)
    targets = aim.loss_targets(data.y)
    every = variables(model, network)
    trained = [v for v, weight in zip(every, network.weights, strict=True) if weight.trainable]

    def gradient(x: Any, y: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for variable in trained:
                tape.watch(variable.value)
            loss = aim.loss(y, model(x, training=False))
        found = tape.gradient(loss, [v.value for v in trained], unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [tf.convert_to_tensor(g) for g in found]

    with strides_taken_first(model):
        run = compiled(gradient, data.x, targets)
    for part in batches(len(data), batch_size):
        found = iter(run(tf.constant(data.x[part]), tf.constant(targets[part])))
        yield [
            next(found).numpy() if weight.trainable else np.zeros(variable.shape, np.float32)
            for variable, weight in zip(every, network.weights, strict=True)
        ]


def finetune(family: Family[Any], training: Training) -> None:
    """Train the full network and all members together, in place, with one set of weights.

    Adam, its learning rate falling to zero along a cosine. The data is shuffled each epoch and dealt into batches whose
    sizes differ by one at most. After an epoch each network's batch-norm statistics are measured on its own; with
    validation data the epoch of the least weighted loss on it is kept, otherwise the last. Models change only when
    training has ended: an error or an interruption leaves them as they were.

    Raises:
        InputError: if labels do not fit, or the loss is not finite.
    """
    settings = training.settings
    if settings.epochs < 1:
        return
    network = inspect(family.full)
    data, aim = resolve(family.full, training.data, training.task)
    loss_targets, metric_targets = aim.loss_targets(data.y), aim.metric_targets(data.y)
    count = math.ceil(len(data) / settings.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, max(settings.epochs * count, 1))
    students = students_of(family, network, training.seed)
    step = JointStep(family, network, students, aim, keras.optimizers.Adam(schedule))
    with strides_taken_first(family.full, *family.members):
        run = compiled(step, data.x, loss_targets, metric_targets)
        choice = _Choice(step, data, training, aim)
    generator = np.random.default_rng(training.seed)
    reported = -math.inf
    for epoch in range(settings.epochs):
        step.metric.reset_state()
        loss_sum, seen = 0.0, 0
        for index, part in enumerate(np.array_split(generator.permutation(len(data)), count)):
            loss = float(run(*(tf.constant(array[part]) for array in (data.x, loss_targets, metric_targets))))
            if not math.isfinite(loss):
                raise _diverged(epoch, settings)
            loss_sum, seen = loss_sum + loss * len(part), seen + len(part)
            now = time.monotonic()
            if index + 1 == count or now - reported >= SECONDS_BETWEEN_REPORTS:
                reported = now
                metric = float(np.mean(step.metric.result()))
                training.progress(EpochProgress(epoch, settings.epochs, index + 1, count, loss_sum / seen, metric))
        if not step.is_finite():
            raise _diverged(epoch, settings)
        choice.consider(last=epoch + 1 == settings.epochs)
    step.write_back()


class _Choice:
    """Which epoch's networks are kept."""

    def __init__(self, step: JointStep, data: Arrays, training: Training, aim: Objective) -> None:
        self._step = step
        self._statistics = step.statistics(data.x)
        # drawn, since data often comes sorted by class
        self._examples = data.x[np.random.default_rng(training.seed).permutation(len(data))[:STATISTICS_EXAMPLES]]
        self._validation = training.validation
        if self._validation is not None:
            self._targets = aim.loss_targets(self._validation.y)
            self._loss = compiled(step.inference_loss, self._validation.x, self._targets)
        self._least = math.inf
        self._best: list[Any] | None = None

    def consider(self, last: bool) -> None:
        """Bring the statistics up to date and remember the networks if they are the best; at the last, take the best.

        Without validation data only the last epoch is looked at.
        """
        if self._validation is None and not last:
            return
        for statistics in self._statistics:
            statistics.measure(self._examples)
        if self._validation is None:
            return
        loss = 0.0
        for part in batches(len(self._validation), BATCH_SIZE):
            size = len(self._targets[part])
            loss += size * float(self._loss(tf.constant(self._validation.x[part]), tf.constant(self._targets[part])))
        if loss < self._least or self._best is None:
            self._least, self._best = loss, self._step.snapshot()
        if last:
            self._step.restore(self._best)


def _diverged(epoch: int, settings: FinetuneSettings) -> InputError:
    return InputError(
        f"training diverged in epoch {epoch + 1}: the loss is not finite",
        f"give a learning rate below {settings.learning_rate:g}",
    )
