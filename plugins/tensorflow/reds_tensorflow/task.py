"""The meaning of a task for given outputs and labels: loss, metric, and the labels that both take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework import Task
from reds_tensorflow.identifiers import keras_object

_ACCURACY = frozenset({"accuracy", "acc"})
_PASSED_BY = ("Dropout", "Flatten", "Reshape", "Identity")


class Activation(Enum):
    """The last activation of a network."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    OTHER = "other"


@dataclass(frozen=True)
class Outputs:
    """The outputs of a network: their shape without the batch dimension, and the last activation."""

    shape: tuple[int | None, ...]
    activation: Activation


class Labels(Enum):
    """Kinds of labels."""

    CLASSES = "class numbers"
    ONE_HOT = "one-hot rows"
    BINARY = "zeros and ones"
    REAL = "real numbers"


@dataclass(frozen=True)
class Objective:
    """Loss and metric of a task.

    Attributes:
        loss_name, metric_name: names of the loss and the metric.
        labels: kind of the labels.
        loss: function of (targets of the loss, outputs) that returns the mean loss, a scalar tensor.
        loss_targets: converts labels to the form that the loss takes.
        metric_targets: converts labels to the form that the metric takes.
        new_metric: returns a new Keras metric, to be updated with (targets of the metric, `scores(outputs)`).
        scores: converts outputs to the form that the metric takes: probabilities if labels are classes.
    """

    loss_name: str
    metric_name: str
    labels: Labels
    loss: Callable[[Any, Any], Any]
    loss_targets: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
    metric_targets: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
    new_metric: Callable[[], Any]
    scores: Callable[[Any], Any]


def outputs_of(model: Any) -> Outputs:
    """Return the output shape and last activation of a Keras model.

    Raises:
        UnsupportedError: if the model has several inputs or outputs.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UnsupportedError(
            f"model '{model.name}' has {len(model.inputs)} inputs and {len(model.outputs)} outputs",
            "give a model of one of each, or prune without data: --scorer magnitude --finetune-epochs 0",
        )
    return Outputs(tuple(model.outputs[0].shape[1:]), _last_activation(model))


def _last_activation(model: Any) -> Activation:
    # The last layers of a graph of one output form a chain: each layer of one input reads the layer before it.
    for layer in reversed(model.layers):
        while isinstance(layer, keras.layers.Wrapper):  # such as a layer that is applied to each step
            layer = layer.layer
        if isinstance(layer, keras.Model):
            return _last_activation(layer)
        if isinstance(layer, keras.layers.Softmax):
            return Activation.SOFTMAX
        name = getattr(getattr(layer, "activation", None), "__name__", None)
        passes = type(layer).__name__ in _PASSED_BY or (type(layer).__name__ == "Activation" and name == "linear")
        if not passes:
            return {"softmax": Activation.SOFTMAX, "sigmoid": Activation.SIGMOID}.get(str(name), Activation.OTHER)
    return Activation.OTHER


def normalise_labels(y: npt.NDArray[Any], outputs: Outputs, what: str) -> tuple[npt.NDArray[Any], Labels]:
    """Convert labels to their plain form, and determine their kind.

    Returns:
        int64 (N, *leading output dimensions) for class numbers and for zeros and ones of an output of width 1;
        float32 (N, *output shape) otherwise.

    Raises:
        InputError: if their shape or their values do not fit the outputs.
    """
    whole = bool(np.all(y == np.floor(y)))
    width = outputs.shape[-1]
    if y.ndim == len(outputs.shape) + 1 and width != 1 and y.shape[-1] == 1:
        y = y[..., 0]
    if y.shape[1:] == outputs.shape and width != 1:
        if np.all((y == 0) | (y == 1)):
            one_hot = bool(np.all(y.sum(axis=-1) == 1))
            return y.astype(np.float32), Labels.ONE_HOT if one_hot else Labels.BINARY
        return _as_real(y, outputs, what)
    if width == 1 and y.shape[1:] == outputs.shape:
        y = y[..., 0]
    if y.shape[1:] != outputs.shape[:-1]:
        raise InputError(
            f"the labels of the {what} have shape {y.shape[1:]} per example, but the model outputs {outputs.shape}",
            "give one class number per example, or labels of the shape of the outputs",
        )
    if width == 1:
        if whole and np.all((y == 0) | (y == 1)):
            return y.astype(np.int64), Labels.BINARY
        return _as_real(y, outputs, what)
    if not whole:
        raise InputError(
            f"the labels of the {what} are not whole numbers, but the model has {width} outputs",
            "give class numbers from 0",
        )
    lowest, highest = int(y.min()), int(y.max())
    if lowest < 0 or (width is not None and highest >= width):
        raise InputError(
            f"the labels of the {what} run from {lowest} to {highest}, but the model has {width} outputs",
            f"give class numbers from 0 to {width - 1 if width else '...'}",
        )
    return y.astype(np.int64), Labels.CLASSES


def objective(task: Task, outputs: Outputs, labels: Labels) -> Objective:
    """Return the loss and the metric of `task` for labels of a kind.

    Raises:
        InputError: if an identifier is unknown, or none was given and the labels have no default.
    """
    loss_name = task.loss or _default_loss(outputs, labels)
    metric_name = task.metric if task.metric and task.metric.lower() not in _ACCURACY else _accuracy(labels)
    classes = outputs.shape[-1]
    _build_metric(metric_name, classes)
    return Objective(
        loss_name=loss_name,
        metric_name=metric_name,
        labels=labels,
        loss=_build_loss(loss_name, from_logits=outputs.activation is Activation.OTHER),
        loss_targets=partial(_targets, labels=labels, sparse="sparse" in loss_name.lower(), classes=classes),
        metric_targets=partial(_targets, labels=labels, sparse="sparse" in metric_name.lower(), classes=classes),
        new_metric=partial(_build_metric, metric_name, classes),
        scores=_scores(outputs, labels),
    )


def _as_real(y: npt.NDArray[Any], outputs: Outputs, what: str) -> tuple[npt.NDArray[Any], Labels]:
    """Return labels of one real number per output.

    Raises:
        InputError: if the model ends in a sigmoid, whose range does not contain them, such as masks of 0 and 255.
    """
    lowest, highest = float(y.min()), float(y.max())
    if outputs.activation is Activation.SIGMOID and (lowest < 0 or highest > 1):
        two = bool(np.all((y == lowest) | (y == highest))) and lowest < highest
        told = f"are {lowest:g} and {highest:g}" if two else f"run from {lowest:g} to {highest:g}"
        raise InputError(
            f"the labels of the {what} {told}, but the model ends in a sigmoid, whose outputs are between 0 and 1",
            f"divide the labels by {highest:g}" if lowest >= 0 else "scale the labels to between 0 and 1",
        )
    return y.astype(np.float32), Labels.REAL


def _default_loss(outputs: Outputs, labels: Labels) -> str:
    if labels is Labels.REAL:
        raise InputError(
            "the labels are real numbers, for which there is no default loss",
            "give a loss such as mean_squared_error, or labels of 0 and 1 if they are two classes",
        )
    if labels is Labels.BINARY or outputs.activation is Activation.SIGMOID:
        return "binary_crossentropy"
    return "sparse_categorical_crossentropy" if labels is Labels.CLASSES else "categorical_crossentropy"


def _accuracy(labels: Labels) -> str:
    if labels is Labels.REAL:
        raise InputError(
            "the labels are real numbers, which have no accuracy", "give a metric such as mean_absolute_error"
        )
    return {
        Labels.CLASSES: "sparse_categorical_accuracy",
        Labels.ONE_HOT: "categorical_accuracy",
        Labels.BINARY: "binary_accuracy",
    }[labels]


def _build_loss(name: str, from_logits: bool) -> Callable[[Any, Any], Any]:
    """Return the mean of a Keras loss, with `from_logits` set if it has such a parameter."""
    found = keras_object("loss", name, {"from_logits": from_logits})
    if isinstance(found, keras.losses.Loss):
        return lambda targets, outputs: found(targets, outputs)
    if "from_logits" in inspect.signature(found).parameters:
        found = partial(found, from_logits=from_logits)
    return lambda targets, outputs: keras.ops.mean(found(targets, outputs))


def _build_metric(name: str, classes: int | None) -> Any:
    """Return a new Keras metric, with the number of classes set if it has such a parameter; labels are one-hot."""
    filled = {"num_classes": classes, "sparse_y_true": False, "sparse_y_pred": False}
    found = keras_object("metric", name, filled)
    if getattr(found, "num_classes", None) == 1:
        raise InputError(
            f"metric '{name}' compares classes, but the model outputs one number for each label", "use BinaryIoU"
        )
    return found if isinstance(found, keras.metrics.Metric) else keras.metrics.MeanMetricWrapper(found, name=name)


def _targets(y: npt.NDArray[Any], labels: Labels, sparse: bool, classes: int | None) -> npt.NDArray[Any]:
    """Convert plain labels to class numbers if `sparse`, otherwise to the shape of the outputs."""
    if labels is Labels.CLASSES:
        return y if sparse or classes is None else np.eye(classes, dtype=np.float32)[y]
    if labels is Labels.ONE_HOT and sparse:
        return np.asarray(y.argmax(axis=-1), np.int64)
    return y[..., None].astype(np.float32) if classes == 1 else y


def _scores(outputs: Outputs, labels: Labels) -> Callable[[Any], Any]:
    """Return a function from outputs, possibly logits, to probabilities; the identity if labels are real numbers."""
    if outputs.activation is not Activation.OTHER or labels is Labels.REAL:
        return _as_they_are
    probabilities: Callable[[Any], Any] = keras.ops.sigmoid if labels is Labels.BINARY else keras.ops.softmax
    return probabilities


def _as_they_are(outputs: Any) -> Any:
    return outputs
