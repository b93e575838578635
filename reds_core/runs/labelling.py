"""Labels for data that has none: the features of the input model, or the examples themselves."""

from __future__ import annotations

import math
from typing import Any

from reds_core.errors import InputError, argument
from reds_core.framework.data import Arrays, Data, Stream, columns, has_labels
from reds_core.framework.framework import Framework
from reds_core.framework.task import Task, TaskKind
from reds_core.system.memory import available_bytes

LABELS_SHARE = 0.5
"""The share of the available memory that the features of all examples of arrays may take."""


def labelled(framework: Framework, teacher: Any | None, data: Data, task: Task, what: str) -> Data:
    """Return data with the labels of its task.

    Those of a supervised task are those of the data. Those of an embedding are the outputs of the input model, which
    are computed once for arrays, and batch by batch for streams. Those of a reconstruction are the examples.

    Args:
        framework: The framework of the teacher.
        teacher: The input model of the run. It is only needed for embeddings.
        data: The examples.
        task: The task.
        what: The name of the data in messages.

    Raises:
        InputError: If a supervised task lacks labels, if examples do not fit the teacher, or if the features of arrays
            do not fit into memory.
    """
    if task.kind is TaskKind.SUPERVISED:
        require_labels(data, what)
        return data
    if task.kind is TaskKind.RECONSTRUCTION:
        return _mapped(data, lambda batch: Arrays(batch.x, batch.x, batch.weights))
    predict = framework.predictor(teacher)

    def with_features(batch: Arrays) -> Arrays:
        x = framework.check_inputs(teacher, batch.x, what)
        return Arrays(x, predict(x), batch.weights)

    if isinstance(data, Arrays):
        _check_size(with_features(data.take(slice(1))), len(data), what)
    return _mapped(data, with_features)


def require_labels(data: Data, what: str) -> None:
    """Refuse examples without labels.

    Raises:
        InputError: If there are none.
    """
    if not has_labels(data.sample(1) if isinstance(data, Stream) else data):
        raise InputError(
            f"the {what} has no labels",
            f"give (x, y), or {argument('task', 'embedding')} for an encoder, which needs none",
        )


def _mapped(data: Data, function: Any) -> Data:
    found: Data = data.mapped(function) if isinstance(data, Stream) else function(data)
    return found


def _check_size(first: Arrays, count: int, what: str) -> None:
    """Refuse features that would not fit into memory."""
    available = available_bytes()
    needed = count * sum(label.dtype.itemsize * math.prod(label.shape[1:]) for label in columns(first.y))
    if available is not None and needed > LABELS_SHARE * available:
        raise InputError(
            f"the features of the {what} would take {needed / 1e9:.3g} GB, more than half of the available memory",
            "give batches, such as a tf.data.Dataset, for which features are computed batch by batch",
        )
