"""The loss, the metrics and the optimizer that a Keras model was compiled with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reds_core.framework import Task, TrainingObjects


def compiled_with(model: Any) -> tuple[Task, TrainingObjects]:
    """Return what `model.compile` was given.

    An output without a loss is not trained by Keras; the weight of its loss is 0. Of several metrics of an output, the
    first is returned; weighted metrics come behind the others.

    Args:
        model: a Keras model. One that was not compiled, or without a loss, has nothing to return.
    """
    losses = getattr(model, "_compile_loss", None)
    if not getattr(model, "compiled", False) or losses is None:
        return Task(), TrainingObjects()
    # Keras has no public access to these: its config of a compiled model cannot be read back if it has own functions.
    loss, weights = losses._user_loss, losses._user_loss_weights
    metrics = getattr(model, "_compile_metrics", None)
    metric = None if metrics is None else _first_given(metrics._user_metrics, metrics._user_weighted_metrics)
    if isinstance(loss, Mapping):
        loss = {**dict.fromkeys(_names(model)), **loss}  # Keras does not train outputs that are left out
    return Task(loss, metric, _weights(loss, weights)), TrainingObjects(optimizer=model.optimizer)


def _names(model: Any) -> list[str]:
    """Return the names by which losses are given for the outputs of a model."""
    outputs = getattr(model, "output", None)
    return list(outputs) if isinstance(outputs, Mapping) else list(getattr(model, "output_names", ()))


def _first_given(metrics: Any, weighted: Any) -> Any:
    """Return the metrics, and the weighted ones for outputs that have no others."""
    if not metrics:
        return weighted or None
    if isinstance(metrics, Mapping) and isinstance(weighted, Mapping):
        return {**weighted, **{name: metric for name, metric in metrics.items() if metric}}
    return metrics


def _weights(loss: Any, weights: Any) -> Any:
    """Return the weights of the losses, with 0 for outputs that have none."""
    if isinstance(loss, Mapping) and None in loss.values():
        given = weights if isinstance(weights, Mapping) else dict(zip(loss, weights or [1.0] * len(loss), strict=True))
        return {name: 0.0 if one is None else given.get(name, 1.0) for name, one in loss.items()}
    if isinstance(loss, list | tuple) and None in loss and not isinstance(weights, Mapping):
        factors = weights or [1.0] * len(loss)
        return [0.0 if one is None else factor for one, factor in zip(loss, factors, strict=True)]
    return weights
