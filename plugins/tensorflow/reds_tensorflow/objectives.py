"""The objective that a task means for labels of some kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras

from reds_core.errors import InputError
from reds_core.framework import Task
from reds_core.plugin import split_outside_brackets
from reds_tensorflow.losses import BuiltLoss, built_loss
from reds_tensorflow.metrics import BuiltMetric, built_metric, metric_weights
from reds_tensorflow.targets import converted
from reds_tensorflow.task import Activation, Head, Labels, Objective, Outputs, as_they_are

_ACCURACY = frozenset({"accuracy", "acc"})
_ACCURACIES = {
    Labels.CLASSES: "sparse_categorical_accuracy",
    Labels.ONE_HOT: "categorical_accuracy",
    Labels.BINARY: "binary_accuracy",
}


def objective(
    task: Task, names: Sequence[str], outputs: Sequence[Outputs], labels: Sequence[Labels], weighted: bool = False
) -> Objective:
    """Return the losses and the metrics of `task` for labels of some kinds.

    Args:
        task: the task.
        names: names of the outputs.
        outputs: their shapes and activations.
        labels: the kinds of their labels.
        weighted: whether examples have weights.

    Returns:
        the objective. Outputs of real numbers for which no metric is given have none, unless no output has one.

    Raises:
        InputError: if an identifier is unknown, or none was given and the labels have no default.
    """
    losses = of_each_output("loss", task.loss, names)
    metrics = of_each_output("metric", task.metric, names)
    # The factor of an only output changes nothing, and those of exits are not meant for a part that ends at one.
    factors = of_each_output("loss weight", task.loss_weights if len(names) > 1 else None, names)
    titles = [f"the labels for output '{name}'" for name in names] if len(names) > 1 else ["the labels"]
    given = zip(losses, outputs, labels, titles, strict=True)
    losses = [loss or _default_loss(output, kind, title) for loss, output, kind, title in given]
    metrics = _with_defaults(metrics, labels, titles)
    head = partial(_head, weighted=weighted)
    return Objective(tuple(map(head, names, factors, losses, metrics, outputs, labels)))


def of_exits(aim: Objective, task: Task) -> Objective:
    """Return the objective of a network with exits: the metric of the last one, and the mean of all losses.

    The factors of the losses are those of the task if it has any.
    """
    share = 1.0 if task.loss_weights is not None else 1.0 / len(aim.heads)
    return Objective(tuple(replace(head, weight=head.weight * share) for head in aim.heads), are_exits=True)


def ignored_class(loss: Any, metric: Any, outputs: Outputs) -> int | None:
    """Return the class number that a loss or a metric ignores, or None."""
    ignored = None if loss is None else built_loss(loss, from_logits=False).ignored
    if ignored is None and metric is not None and not _is_accuracy(metric):
        ignored = built_metric(metric, _classes(outputs)).ignored
    return ignored


def of_each_output(kind: str, given: Any, names: Sequence[str]) -> list[Any]:
    """Return what is given for each output, or None where nothing is.

    Args:
        kind: what is given, for messages.
        given: one for all outputs, a list in their order, a dict by their names, or a text with one name for each,
            separated by commas. Of several metrics of one output, the first counts.
        names: names of the outputs.

    Raises:
        InputError: if the number or the names do not fit.
    """
    several = len(names) > 1
    told = f"the model has {len(names)} outputs: {', '.join(names)}" if several else f"the model's output is {names[0]}"
    if isinstance(given, Mapping):
        unknown = [str(name) for name in given if name not in names]
        if unknown:
            raise InputError(f"a {kind} is given for output '{unknown[0]}', which does not exist", told)
        return [_first(given.get(name)) for name in names]
    if isinstance(given, str) and several:
        parts = split_outside_brackets(given)
        given = parts if len(parts) > 1 else given
    if not isinstance(given, list | tuple):
        return [given] * len(names)
    if not several:
        return [_first(given)]
    if len(given) != len(names):
        raise InputError(f"the {kind} is given as a list of {len(given)}, but {told}", "give one for each output")
    return [_first(one) for one in given]


def _first(given: Any) -> Any:
    if isinstance(given, list | tuple):
        return given[0] if given else None
    return given


def _with_defaults(metrics: Sequence[Any], labels: Sequence[Labels], titles: Sequence[str]) -> list[Any]:
    """Return the metric of each output, with accuracies where none is given; None for outputs that have no accuracy."""
    found = []
    for metric, kind, title in zip(metrics, labels, titles, strict=True):
        if metric and not _is_accuracy(metric):
            found.append(metric)
        elif kind is not Labels.REAL:
            found.append(_ACCURACIES[kind])
        elif metric or len(metrics) == 1:
            raise _no_accuracy(title)
        else:
            found.append(None)
    if not any(found):
        raise _no_accuracy(titles[0])
    return found


def _no_accuracy(title: str) -> InputError:
    return InputError(f"{title} are real numbers, which have no accuracy", "give a metric such as mean_absolute_error")


def _head(name: str, factor: Any, loss: Any, metric: Any, outputs: Outputs, labels: Labels, weighted: bool) -> Head:
    made_loss = built_loss(loss, outputs.activation is Activation.OTHER)
    made_metric = None if metric is None else built_metric(metric, _classes(outputs), weighted)
    head = Head(
        name=name,
        weight=1.0 if factor is None else float(factor),
        loss_name=made_loss.name,
        labels=labels,
        outputs=outputs,
        loss=made_loss.mean,
        loss_targets=partial(converted, labels=labels, form=made_loss.form, outputs=outputs),
    )
    if made_metric is None:
        return head
    return replace(
        head,
        metric_name=made_metric.name,
        metric_targets=partial(converted, labels=labels, form=made_metric.form, outputs=outputs),
        new_metric=made_metric.new,
        scores=_scores(outputs, labels) if made_metric.takes_probabilities else as_they_are,
        metric_weights=_weights(made_loss, made_metric, outputs, labels),
    )


def _weights(loss: BuiltLoss, metric: BuiltMetric, outputs: Outputs, labels: Labels) -> Callable[[Any, Any], Any]:
    """Return the function from plain labels and weights of examples to the weights that the metric takes."""
    ignored = loss.ignored if metric.ignored is None else metric.ignored
    if labels is not Labels.CLASSES or not metric.takes_probabilities:
        ignored = None
    return partial(metric_weights, metric=metric.new(), rank=1 + len(outputs.shape), ignored=ignored)


def _classes(outputs: Outputs) -> int | None:
    return outputs.shape[-1] if outputs.shape else None


def _is_accuracy(metric: Any) -> bool:
    return isinstance(metric, str) and metric.lower() in _ACCURACY


def _default_loss(outputs: Outputs, labels: Labels, title: str) -> str:
    if labels is Labels.REAL:
        raise InputError(
            f"{title} are real numbers, for which there is no default loss",
            "give a loss such as mean_squared_error, or labels of 0 and 1 if they are two classes",
        )
    if labels is Labels.BINARY or outputs.activation is Activation.SIGMOID:
        return "binary_crossentropy"
    return "sparse_categorical_crossentropy" if labels is Labels.CLASSES else "categorical_crossentropy"


def _scores(outputs: Outputs, labels: Labels) -> Callable[[Any], Any]:
    """Return a function from outputs, possibly logits, to probabilities; the identity if labels are real numbers."""
    if outputs.activation is not Activation.OTHER or labels is Labels.REAL:
        return as_they_are
    probabilities: Callable[[Any], Any] = keras.ops.sigmoid if labels is Labels.BINARY else keras.ops.softmax
    return probabilities
