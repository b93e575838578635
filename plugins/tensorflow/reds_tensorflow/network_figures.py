"""The metrics of one network of a family during an epoch, with the names that they have in logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from reds_tensorflow.task import Head, Labels, Objective

_ACCURACIES = frozenset({"sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy"})


class NetworkFigures:
    """The running metrics of one network during an epoch.

    Attributes:
        names: names of the metrics in logs.
        metrics: the Keras metrics.
    """

    def __init__(self, prefix: str, aim: Objective) -> None:
        self.names = [prefix + name for name in _log_names(aim)]
        self.metrics = aim.new_metrics()
        self._aim = aim
        for head, metric in zip(aim.measured_heads, self.metrics, strict=True):
            if not (metric.variables and getattr(metric, "_built", True)):  # Keras has no public way to tell
                _make_variables(head, metric)

    def updated(self, labels: Any, outputs: Any, weights: Any) -> dict[str, Any]:
        """Update the metrics with a batch and return their running results by name."""
        self._aim.update(self.metrics, labels, outputs, weights)
        return self.results()

    def results(self) -> dict[str, Any]:
        """Return the running results by name. Outside of replicas, they are those of all replicas together."""
        results = [tf.reduce_mean(tf.cast(metric.result(), tf.float32)) for metric in self.metrics]
        return dict(zip(self.names, results, strict=True))


def _make_variables(head: Head, metric: Any) -> None:
    """Make the variables of a metric that makes them at its first update, such as F1Score.

    TensorFlow cannot make them inside the graph of a step on several devices.
    """
    shape = (2, *(n or 1 for n in head.outputs.shape))
    is_narrow = head.labels is Labels.CLASSES or (head.labels is Labels.BINARY and shape[-1] == 1 and len(shape) > 1)
    labels = tf.zeros(shape[:-1], tf.int64) if is_narrow else tf.zeros(shape)

    def update() -> None:
        metric.update_state(head.metric_targets(labels), head.scores(tf.zeros(shape)))

    tf.distribute.get_strategy().run(update)
    metric.reset_state()


def _log_names(aim: Objective) -> list[str]:
    """Return the names of the metrics in logs, as Keras forms them."""
    heads = aim.measured_heads  # the others have no metric
    names = ["accuracy" if head.metric_name in _ACCURACIES else head.metric_name for head in heads]
    return (
        names
        if len(aim.heads) == 1 or aim.are_exits
        else [f"{h.name}_{name}" for h, name in zip(heads, names, strict=True)]
    )


def mean_of(logs: Mapping[str, Any], names: Sequence[str]) -> float | None:
    """Return the mean of some logs; None if one is missing or there are none."""
    found = [float(logs[name]) for name in names if name in logs]
    return float(np.mean(found)) if found and len(found) == len(names) else None


def prefixes(networks: int) -> list[str]:
    """Return the prefixes of the networks' figures in logs: member1_, member2_, ... and none for the full network.

    Args:
        networks: the number of networks with the full network.
    """
    return [*(f"member{i + 1}_" for i in range(networks - 1)), ""]
