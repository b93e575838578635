"""Metrics of Keras and of the user, and the weights that they take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from reds_core.errors import InputError
from reds_tensorflow.features import FEATURE_METRICS
from reds_tensorflow.identifiers import keras_object
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.targets import TakesLabels, form_for


@dataclass(frozen=True)
class BuiltMetric(TakesLabels):
    """A metric.

    Attributes:
        takes_probabilities: whether it is given probabilities instead of logits.
        new: returns a new Keras metric.
    """

    takes_probabilities: bool
    new: Callable[[], Any]


def built_metric(given: Any, classes: int | None, weighted: bool = False) -> BuiltMetric:
    """Return the metric that the user gives.

    Args:
        given: name of a Keras metric, a Metric object or class, or a function of (targets, outputs) that returns a
            value for each example. As with `compile`, functions and objects see the outputs as they are.
        classes: number of outputs, which a metric given by name is told if it has such a setting.
        weighted: whether examples have weights.

    Raises:
        InputError: if it is unknown, cannot be called, or does not fit the outputs.
    """
    if isinstance(given, str):
        new: Callable[[], Any] = partial(_named, given, classes, weighted)
        name = given
    elif isinstance(given, keras.metrics.Metric):
        new, name = partial(_copied, given), given.name
    elif inspect.isclass(given) and issubclass(given, keras.metrics.Metric):
        new, name = given, given.__name__
    elif callable(given):
        name = getattr(given, "__name__", type(given).__name__)
        new = partial(keras.metrics.MeanMetricWrapper, given, name=name)
    else:
        raise InputError(f"a metric of type {type(given).__name__} cannot be used", "give a Keras metric or a function")
    found = new()
    return BuiltMetric(name, form_for(given, found), getattr(found, "ignore_class", None), isinstance(given, str), new)


def metric_weights(y: Any, weights: Any, metric: Any, rank: int, ignored: int | None) -> Any:
    """Return the weights for an update of a metric.

    Args:
        y: plain labels.
        weights: weights of the examples (N,), or None.
        metric: a metric of that kind.
        rank: rank of a batch of outputs.
        ignored: a class number that does not count, or None.

    Returns:
        (N,) or, if a metric of Keras does not broadcast weights itself, or labels are ignored, one for each position of
        the outputs; None if all count alike.
    """
    if weights is None and ignored is None:
        return None
    counts_positions = isinstance(metric, keras.metrics.IoU | keras.metrics.MeanIoU)
    takes_examples = isinstance(metric, keras.metrics.Mean) or type(metric).__module__.partition(".")[0] != "keras"
    if ignored is None and (rank <= 2 or (takes_examples and not counts_positions)):
        return weights
    positions = y if len(y.shape) == rank - 1 else y[..., 0]
    ones = keras.ops.ones_like(positions, dtype="int32")
    factors = ones if ignored is None else keras.ops.cast(positions != ignored, "int32")
    if weights is not None:
        spread = keras.ops.reshape(weights, (-1, *[1] * (rank - 2)))
        factors = keras.ops.cast(factors, "float32") * keras.ops.cast(spread, "float32")
    if counts_positions or takes_examples:
        return factors
    return factors[..., None] if rank > 2 else factors


def _named(name: str, classes: int | None, weighted: bool) -> Any:
    """Return a new Keras metric, with the number of classes set if it has such a parameter; labels are one-hot."""
    filled: dict[str, Any] = {"num_classes": classes, "sparse_y_true": False, "sparse_y_pred": False}
    if weighted:
        filled["dtype"] = "float32"  # some metrics count in integers otherwise, which would truncate weights
    found = FEATURE_METRICS.get(name) or keras_object("metric", name, filled)
    compares_classes = getattr(found, "num_classes", None) is not None and not isinstance(
        found, keras.metrics.BinaryIoU
    )
    if compares_classes and classes == 1:
        raise InputError(
            f"metric '{name}' compares classes, but the model outputs one number for each label", "use BinaryIoU"
        )
    return found if isinstance(found, keras.metrics.Metric) else keras.metrics.MeanMetricWrapper(found, name=name)


def _copied(metric: Any) -> Any:
    """Return a new metric with the settings of `metric`."""
    if type(metric) is keras.metrics.MeanMetricWrapper:  # its function need not be one that Keras can serialise
        return keras.metrics.MeanMetricWrapper(metric._fn, metric.name, metric.dtype, **metric._fn_kwargs)
    try:
        return type(metric).from_config(metric.get_config())
    except Exception as error:  # the user's own class may raise anything
        raise InputError(
            f"metric '{metric.name}' cannot be copied ({first_sentence(error)})",
            "let its get_config return the arguments of its constructor, or give the class itself",
        ) from error
