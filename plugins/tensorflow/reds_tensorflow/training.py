"""Training of a family of nested networks that share one set of weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.errors import InputError
from reds_core.framework import (
    Arrays,
    EpochProgress,
    Family,
    FinetuneSettings,
    Training,
    augmentations,
    batches,
)
from reds_tensorflow.augmenting import augmenter, check_images
from reds_tensorflow.distillation import distillation_of
from reds_tensorflow.dropping import dropout_times
from reds_tensorflow.epoch_state import TrainingState
from reds_tensorflow.evaluation import BATCH_SIZE, compiled, resolve
from reds_tensorflow.family import JointStep, students_of
from reds_tensorflow.fused import norms_fused
from reds_tensorflow.optimizers import optimizer_of
from reds_tensorflow.precision import check_precision, computing_in
from reds_tensorflow.reading import STOCK, Reading
from reds_tensorflow.statistics import BatchNormStatistics
from reds_tensorflow.strided import strides_taken_first
from reds_tensorflow.task import Objective
from reds_tensorflow.tracing import inspect

SECONDS_BETWEEN_REPORTS = 0.25
STATISTICS_EXAMPLES = 2048
"""Maximum number of training examples for the final statistics of batch norms."""
EPOCH_STATISTICS_EXAMPLES = 512
"""The same for the comparison of epochs, which is done after every epoch."""


def check_finetuning(model: Any, data: Arrays, settings: FinetuneSettings) -> None:
    """Refuse settings that cannot be used, before anything is trained.

    Raises:
        InputError: if the optimizer is unknown, examples cannot be augmented, or the machine lacks the precision.
    """
    optimizer_of(settings, settings.rates(1))
    if settings.augment:
        check_images(data.x.shape)
    check_precision(settings.precision)


def finetune(family: Family[Any], training: Training, reading: Reading = STOCK) -> None:
    """Train the full network and all members together, in place, with one set of weights.

    The data is shuffled in each epoch and split into batches whose sizes differ by at most one. The batch-norm
    statistics of each network are measured separately. With validation data, the epoch with the lowest weighted loss on
    it is kept, otherwise the last. Models change only at the end of training, so an error or an interruption leaves
    them unchanged. With 0 epochs, or if every layer is frozen, only the statistics of the members are measured, and
    only if `settings.recalibrate` is true.

    After each epoch `training.keeper` receives the whole state of the training, from which another process can resume
    it. The final weights are bitwise identical on the same machine with the same number of threads.

    Args:
        family: the networks.
        training: data, settings and callbacks.
        reading: the reading with which the family was described.

    Raises:
        InputError: if labels do not fit the outputs, the loss is not finite, or settings cannot be used.
    """
    settings = training.settings
    network = inspect(family.full, reading)
    data, aim = resolve(family.full, training.data, training.task)
    if settings.epochs < 1 or not family.full.trainable_variables:
        if settings.recalibrate:
            _recalibrate(family, data, training.seed)
        return
    loss_targets, metric_targets = aim.loss_targets(data.y), aim.metric_targets(data.y)
    count = math.ceil(len(data) / settings.batch_size)
    students = students_of(family, network, training.seed)
    distillation = distillation_of(settings, family.full, aim, training.teacher)
    make_optimizer = partial(optimizer_of, settings, settings.rates(count))
    step = JointStep(family, network, students, aim, make_optimizer, distillation)
    change = augmenter(augmentations(settings.augment), data.x, training.seed)

    def step_on_changed(x: Any, *targets: Any) -> Any:
        return step(x if change is None else change(x), *targets)

    models = (family.full, *family.members)
    with (
        strides_taken_first(*models),
        norms_fused(*models),
        dropout_times(settings.dropout, *models),
        computing_in(settings.precision, *models),
    ):
        run = compiled(step_on_changed, data.x, loss_targets, metric_targets)
    with strides_taken_first(*models):
        choice = _Choice(step, data, training, aim)
    choice.start()
    state = TrainingState([*step.variables(), *(() if change is None else change.variables)], choice)
    generator = np.random.default_rng(training.seed)
    saved = training.keeper.load(state.origin)
    if saved is not None:
        state.restore(saved)
        for _ in range(saved.done):
            generator.permutation(len(data))  # advance past the finished epochs
    reported = -math.inf
    for epoch in range(0 if saved is None else saved.done, settings.epochs):
        if choice.is_settled():
            break
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
        choice.look()
        training.keeper.save(state.after(epoch + 1))
    choice.take()
    step.write_back()


def _recalibrate(family: Family[Any], data: Arrays, seed: int) -> None:
    """Measure the batch-norm statistics of the members; the full network keeps those that it has."""

    def weights_of(model: Any) -> Callable[[], list[Any]]:
        return lambda: [variable.value for variable in model.trainable_variables]

    examples = _drawn(data, seed)
    for model in family.members:
        BatchNormStatistics(model, weights_of(model), model.non_trainable_variables, examples).measure(examples)


def _drawn(data: Arrays, seed: int) -> npt.NDArray[Any]:
    """Return a random sample of examples to measure statistics on, since data is often sorted by class."""
    return data.x[np.random.default_rng(seed).permutation(len(data))[:STATISTICS_EXAMPLES]]


class _Choice:
    """Decides which epoch's networks are kept, and when training stops early."""

    def __init__(self, step: JointStep, data: Arrays, training: Training, aim: Objective) -> None:
        self._step = step
        self._statistics = step.statistics(data.x)
        self._examples = _drawn(data, training.seed)
        self._patience = training.settings.patience
        self._validation = training.validation
        if self._validation is not None:
            self._targets = aim.loss_targets(self._validation.y)
            self._loss = compiled(step.inference_loss, self._validation.x, self._targets)
        elif self._patience is not None:
            raise InputError("early stopping needs held-back data", "give a --holdout above 0, or no --patience")
        self._least = math.inf
        self._best: list[npt.NDArray[Any]] = []
        self._epochs_since_best = 0

    def start(self) -> None:
        """Measure the statistics of members with frozen batch norms, which use them during training."""
        for statistics in self._statistics[:-1]:
            if statistics.has_frozen:
                statistics.measure(self._examples)

    def look(self) -> None:
        """Compare the networks after an epoch with the best so far. Does nothing without validation data."""
        if self._validation is None:
            return
        self._measure(self._examples[:EPOCH_STATISTICS_EXAMPLES])
        loss = self._validation_loss(self._validation)
        if loss < self._least or not self._best:
            self._least, self._best, self._epochs_since_best = loss, self._step.snapshot(), 0
        else:
            self._epochs_since_best += 1

    def is_settled(self) -> bool:
        """Whether training stops early."""
        return self._patience is not None and self._epochs_since_best >= self._patience

    def take(self) -> None:
        """Restore the best networks, or keep the last ones without validation data, and measure their statistics."""
        if self._best:
            self._step.restore(self._best)
        self._measure(self._examples)

    def remembered(self) -> dict[str, npt.NDArray[Any]]:
        """Return the state after the epochs so far as arrays."""
        figures = {"least": np.array(self._least), "since_best": np.array(self._epochs_since_best)}
        return figures | {f"best/{i}": array for i, array in enumerate(self._best)}

    def recall(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Restore a state that `remembered` returned."""
        self._least, self._epochs_since_best = float(arrays["least"]), int(arrays["since_best"])
        self._best = [arrays[f"best/{i}"] for i in range(len(arrays) - 2)]

    def _measure(self, examples: npt.NDArray[Any]) -> None:
        for statistics in self._statistics:
            statistics.measure(examples)

    def _validation_loss(self, validation: Arrays) -> float:
        """Return the sum of the weighted loss over the held-back examples, without distillation."""
        loss = 0.0
        for part in batches(len(validation), BATCH_SIZE):
            targets = self._targets[part]
            loss += len(targets) * float(self._loss(tf.constant(validation.x[part]), tf.constant(targets)))
        return loss


def _diverged(epoch: int, settings: FinetuneSettings) -> InputError:
    return InputError(
        f"training diverged in epoch {epoch + 1}: the loss is not finite",
        f"give a learning rate below {settings.learning_rate:g}",
    )
