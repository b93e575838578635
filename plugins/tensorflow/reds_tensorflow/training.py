"""Training of a family of nested networks that share one set of weights, by Keras's own loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, cast

import numpy as np
import tensorflow as tf

from reds_core.errors import InputError, argument
from reds_core.framework import (
    Data,
    Family,
    FinetuneSettings,
    Projection,
    Stream,
    Task,
    TaskKind,
    Teacher,
    Training,
    augmentations,
    columns,
    sampled,
)
from reds_tensorflow.augmenting import augmenter, check_images
from reds_tensorflow.callback_errors import callback_errors_named, check_rate_is_free
from reds_tensorflow.distillation import Distillation, distillation_of
from reds_tensorflow.epoch_choice import EpochChoice, EpochEnd, EpochStart, Reports
from reds_tensorflow.epoch_state import TrainingState
from reds_tensorflow.evaluation import BATCH_SIZE, predict, resolve
from reds_tensorflow.family import projected_models, students_of
from reds_tensorflow.family_model import FamilyModel
from reds_tensorflow.feeding import Feed, SourceErrors, evaluation_dataset
from reds_tensorflow.optimizers import optimizer_of, prepared
from reds_tensorflow.precision import check_precision
from reds_tensorflow.reading import STOCK, Reading
from reds_tensorflow.relabelling import relabeller
from reds_tensorflow.statistics import BatchNormStatistics
from reds_tensorflow.step_settings import StepSettings
from reds_tensorflow.tracing import inspect

STATISTICS_EXAMPLES = 2048
"""Maximum number of training examples for the final statistics of batch norms."""
SOFT_TARGET_BYTES = 2**28
"""Maximum size of a teacher's outputs that are computed once and kept in memory."""


def check_finetuning(model: Any, data: Data, settings: FinetuneSettings) -> None:
    """Refuse settings that cannot be used, before anything is trained.

    Raises:
        InputError: if the optimizer is unknown, examples cannot be augmented, or the machine lacks the precision.
    """
    optimizer_of(settings, settings.rates(1))
    if settings.augment:
        check_images(data.sample(1).x if isinstance(data, Stream) else data.x)
    check_precision(settings.precision)


def uses_xla() -> bool:
    """Whether steps are compiled by XLA: on GPUs. On CPUs, its gradients of depthwise convolutions are slow."""
    return bool(tf.config.list_logical_devices("GPU"))


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
        examples = sampled(data, STATISTICS_EXAMPLES, training.seed).x
        with projected_models(family, network, training.projections, examples):
            if settings.recalibrate:
                _recalibrate(family, data, training.seed)
        return
    validation = training.validation
    if validation is not None:
        validation, _ = resolve(family.full, validation, training.task, "held-back data")
    elif settings.patience is not None:
        raise InputError(
            "early stopping needs held-back data", f"give a {argument('holdout')} above 0, or no {argument('patience')}"
        )
    examples = sampled(data, STATISTICS_EXAMPLES, training.seed).x
    settings = _without_second_teacher(settings, training.task)
    distillation = distillation_of(settings, family.full, aim, training.teacher)
    soft_targets = _soft_targets(distillation, data, settings)
    change = augmenter(augmentations(settings.augment), examples if isinstance(data, Stream) else data.x, training.seed)
    errors = SourceErrors()
    feed = Feed(data, settings.batch_size, training.seed, soft_targets, training.first_pass, errors)
    students = students_of(family, network, training.seed, training.projections, training.activations, examples)
    students = tuple(student.changed(errors.of_projection) for student in students)
    step = StepSettings(
        settings.members_in_step,
        settings.member_choice,
        settings.anchor,
        settings.dropout,
        settings.precision,
        distillation,
        change,
        None if change is None else relabeller(training.task, family.full, training.teacher),
        soft_targets is not None,
        training.seed,
        settings.epochs * feed.batches_per_epoch,
    )
    model = FamilyModel(family, network, students, aim, step, examples)
    model.compile(
        optimizer=prepared(training.objects.optimizer, settings, feed.batches_per_epoch, model.without_decay()),
        jit_compile=uses_xla() and not _calls_numpy(training.projections),
    )
    check_rate_is_free(training.objects.callbacks, model.optimizer)
    model.optimizer.build(model.trainable_variables)
    model.measure_frozen()
    choice = EpochChoice(settings.patience)
    state = TrainingState(model.moving_variables(), choice, model.conditions())
    saved = training.keeper.load(state.origin)
    if saved is not None:
        state.restore(saved)
    done = 0 if saved is None else saved.done
    if done < settings.epochs and not choice.has_stopped:
        numpy_alone = _numpy_in_one_thread(_calls_numpy(training.projections))
        with callback_errors_named(training.objects.callbacks), errors.raised(), numpy_alone:
            model.fit(
                feed.dataset,
                epochs=settings.epochs,
                initial_epoch=done,
                validation_data=None if validation is None else evaluation_dataset(validation, BATCH_SIZE, errors),
                shuffle=False,
                verbose=0,
                callbacks=[
                    EpochStart(feed),
                    Reports(training.progress, settings, feed.batches_per_epoch, model.figure_names),
                    *training.objects.callbacks,
                    choice,
                    EpochEnd(state, training.keeper, settings, () if saved is None else saved.figures),
                ],
            )
    else:  # at the end of `fit` Keras has the moving averages of the weights take their place
        model.optimizer.finalize_variable_values(model.trainable_variables)
    choice.take(model)
    model.measure()
    model.write_back()


def _without_second_teacher(settings: FinetuneSettings, task: Task) -> FinetuneSettings:
    """Return settings by which the input model, whose outputs are the labels of embeddings, does not also distil."""
    is_same = task.kind is TaskKind.EMBEDDING and settings.distill is Teacher.INPUT
    return replace(settings, distill=Teacher.NONE) if is_same else settings


def _calls_numpy(projections: Sequence[Mapping[int, Projection]]) -> bool:
    """Whether any projection is computed outside of the graph, which XLA cannot compile."""
    return any(projection.quantiser is None for by_index in projections for projection in by_index.values())


def _numpy_in_one_thread(needed: bool) -> AbstractContextManager[Any]:
    """Return a context in which NumPy computes in the thread that calls it, if that is needed.

    Its own threads spin while they wait, and on a busy machine they took the cores from TensorFlow in each step.
    """
    if not needed:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return cast(AbstractContextManager[Any], threadpool_limits(1, user_api="blas"))


def _recalibrate(family: Family[Any], data: Data, seed: int) -> None:
    """Measure the batch-norm statistics of the members; the full network keeps those that it has."""
    examples = sampled(data, STATISTICS_EXAMPLES, seed).x

    def weights_of(model: Any) -> Callable[[], list[Any]]:
        return lambda: [variable.value for variable in model.trainable_variables]

    for model in family.members:
        BatchNormStatistics(model, weights_of(model), model.non_trainable_variables, examples).measure(examples)


def _soft_targets(distillation: Distillation | None, data: Data, settings: FinetuneSettings) -> Any | None:
    """Return the outputs of the teacher for all examples; None if they differ by epoch, or are too large to keep."""
    if distillation is None or distillation.teacher is None or isinstance(data, Stream) or settings.augment:
        return None
    shapes = [output.shape[1:] for output in distillation.teacher.outputs]
    sizes = [np.prod([n or np.inf for n in shape]) for shape in shapes]
    if 4 * len(data) * sum(sizes) > SOFT_TARGET_BYTES:
        return None
    outputs = distillation.targets(columns(predict(distillation.teacher, data.x)))
    return outputs if len(outputs) > 1 else outputs[0]
