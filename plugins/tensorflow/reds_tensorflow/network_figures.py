"""The metrics of one network of a family during an epoch, with the names that they have in logs."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from reds_tensorflow.task import Objective

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

    def updated(self, labels: Any, outputs: Any, weights: Any) -> dict[str, Any]:
        """Update the metrics with a batch and return their running results by name."""
        self._aim.update(self.metrics, labels, outputs, weights)
        results = [tf.reduce_mean(tf.cast(metric.result(), tf.float32)) for metric in self.metrics]
        return dict(zip(self.names, results, strict=True))


def _log_names(aim: Objective) -> list[str]:
    """Return the names of the metrics in logs, as Keras forms them."""
    heads = [head for head in aim.heads if head.new_metric]  # the others have no metric
    names = ["accuracy" if head.metric_name in _ACCURACIES else head.metric_name for head in heads]
    return names if len(aim.heads) == 1 else [f"{h.name}_{name}" for h, name in zip(heads, names, strict=True)]
