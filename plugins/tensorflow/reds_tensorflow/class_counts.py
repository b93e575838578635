"""How many examples of each class a network recognises, from its outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from reds_core.framework import ClassCounts, columns
from reds_tensorflow.task import Activation, Labels, Objective


def class_counts(aim: Objective, y: Any, outputs: tuple[Any, ...]) -> ClassCounts | None:
    """Count a batch by class; None unless the network has one output that says one class for each example.

    Of a network with exits, the last one counts.

    Args:
        aim: the objective.
        y: plain labels.
        outputs: what the network returned, one array for each output.
    """
    measured = aim.measured if aim.are_exits else tuple(range(len(aim.heads)))
    if len(measured) != 1 or len(aim.heads[measured[0]].outputs.shape) != 1:
        return None
    head, labels, found = aim.heads[measured[0]], columns(y)[measured[0]], np.asarray(outputs[measured[0]])
    if head.labels is Labels.CLASSES and labels.ndim == 1:
        known = (labels >= 0) & (labels < found.shape[1])  # a loss may ignore a class number such as -1
        return ClassCounts.of(labels[known].astype(np.int64), found.argmax(axis=1)[known], found.shape[1])
    if head.labels is Labels.ONE_HOT:
        return ClassCounts.of(labels.argmax(axis=1), found.argmax(axis=1), found.shape[1])
    if head.labels is Labels.BINARY and found.shape[1] == 1:
        threshold = 0.5 if head.outputs.activation is Activation.SIGMOID else 0.0
        answers = (found[:, 0] > threshold).astype(np.int64)
        return ClassCounts.of(labels.reshape(-1).astype(np.int64), answers, 2)
    return None
