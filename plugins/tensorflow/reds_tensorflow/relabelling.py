"""Labels that are computed from examples after these were augmented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from reds_core.errors import InputError
from reds_core.framework import Task, TaskKind, columns, each
from reds_tensorflow.evaluation import called


def relabeller(task: Task, model: Any, teacher: Any | None) -> Callable[[Any], Any] | None:
    """Return a function from a batch of augmented examples to their labels; None if augmentation keeps labels.

    Args:
        task: the task of the training.
        model: a network in training, for the shapes of its outputs.
        teacher: the input model, whose outputs are the labels of embeddings.

    Raises:
        InputError: if embeddings are trained on augmented examples without the input model.
    """
    if task.is_labelled:
        return None
    if task.kind is TaskKind.RECONSTRUCTION:
        shapes = [tuple(-1 if n is None else n for n in tensor.shape[1:]) for tensor in model.outputs]

        def examples(x: Any) -> Any:
            found = tuple(tf.reshape(each, (-1, *s)) for each, s in zip(columns(x), shapes, strict=True))
            return found if len(found) > 1 else found[0]

        return examples
    if teacher is None:
        raise InputError(
            "embeddings of augmented examples need the input model, which is their teacher", "give no augmentation"
        )

    def features(x: Any) -> Any:
        found = called(teacher, x)
        stopped = each(lambda output: tf.stop_gradient(tf.cast(output, tf.float32)), tuple(found))
        return stopped if len(stopped) > 1 else stopped[0]

    return features
