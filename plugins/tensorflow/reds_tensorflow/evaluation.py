"""Inference with Keras models: outputs, metric and loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.errors import InputError
from reds_core.framework import (
    SMALL_BYTES,
    Arrays,
    ClassCounts,
    Data,
    ModelFigures,
    Stream,
    Task,
    batches,
    columns,
    each,
    each_batch,
)
from reds_tensorflow.class_counts import class_counts
from reds_tensorflow.labels import computed_labels, normalise_labels, normalise_labels_as
from reds_tensorflow.objectives import ignored_class, objective, of_each_output, of_exits
from reds_tensorflow.scopes import scopes_named_plainly
from reds_tensorflow.task import (
    Labels,
    Objective,
    Outputs,
    are_exit_outputs,
    inputs_for,
    output_names,
    outputs_in_order,
    outputs_of,
)

D = TypeVar("D", bound=Data)
BATCH_SIZE = 256
SAMPLED_EXAMPLES = 256
"""Number of examples of a stream by which the kind of its labels is determined."""


def compiled(function: Callable[..., Any], *arrays: Any) -> Callable[..., Any]:
    """Compile `function` to a graph that takes batches of `arrays` of any size. It is traced once, in this call.

    Batches of small types, such as images of bytes, are cast to float32 for the function. An argument may be a tuple of
    arrays.
    """

    def widened(*batch: Any) -> Any:
        return function(*(each(as_float32, part) for part in batch))

    signature = [each(batch_spec, array) for array in arrays]
    graph: Callable[..., Any] = tf.function(widened, input_signature=signature, autograph=False)
    with scopes_named_plainly():
        graph.get_concrete_function()  # type: ignore[attr-defined]
    return graph


def batch_spec(array: npt.NDArray[Any]) -> Any:
    """Return the type of batches of an array (N, ...) as arguments of a graph."""
    return tf.TensorSpec((None, *array.shape[1:]), tf.as_dtype(array.dtype))


def arguments(batch: Arrays) -> tuple[Any, ...]:
    """Return examples, labels and, if there are any, weights as arguments of a graph."""
    return (batch.x, batch.y) if batch.weights is None else (batch.x, batch.y, batch.weights)


def as_float32(batch: Any) -> Any:
    """Cast a tensor of a small type to float32; others are returned unchanged."""
    return tf.cast(batch, tf.float32) if batch.dtype.size < SMALL_BYTES else batch


def as_tensors(values: Any) -> Any:
    """Convert an array, or a tuple of arrays, to tensors."""
    return each(tf.constant, values)


def called(model: Any, x: Any) -> tuple[Any, ...]:
    """Return the outputs of `model` at inference for a batch, one tensor for each of `model.outputs`.

    Args:
        model: the model.
        x: a tensor, or a tuple with one for each of `model.inputs`.
    """
    return outputs_in_order(model, model(inputs_for(model, x), training=False))


def predict(model: Any, x: Any, batch_size: int = BATCH_SIZE) -> Any:
    """Return the outputs of `model` at inference as float32.

    Args:
        model: the model.
        x: examples (N, *input shape); a tuple for models of several inputs, in the order of `model.inputs`.
        batch_size: number of examples in a batch.

    Returns:
        an array (N, ...), or a tuple of them for models of several outputs, in the order of `model.outputs`.
    """
    return predictor(model)(x, batch_size)


def predictor(model: Any) -> Callable[..., Any]:
    """Return a function of (examples, batch size) that returns what `predict` returns, and traces `model` only once."""
    graphs: list[Callable[..., Any]] = []

    def predicted(x: Any, batch_size: int = BATCH_SIZE) -> Any:
        if not graphs:
            graphs.append(compiled(lambda batch: called(model, batch), x))
        return _outputs(graphs[0], x, batch_size)

    return predicted


def _outputs(run: Callable[..., Any], x: Any, batch_size: int) -> Any:
    # Run at least one batch, so that without examples the result is empty but has the right shape.
    count = len(columns(x)[0])
    parts = [run(as_tensors(each(itemgetter(part), x))) for part in batches(max(count, 1), batch_size)]
    found = tuple(
        np.concatenate([np.asarray(p) for p in column]).astype(np.float32) for column in zip(*parts, strict=True)
    )
    return found if len(found) > 1 else found[0]


def resolve(model: Any, data: D, task: Task, what: str = "data") -> tuple[D, Objective]:
    """Return `data` with labels in their plain form, and the objective that `task` means for them.

    The kinds of the labels of a stream are determined from its first examples. Its later batches are converted to the
    same kinds as they are read, and raise InputError if they are of others.

    Args:
        model: the model.
        data: examples and labels.
        task: the task.
        what: name of the data in messages.

    Raises:
        InputError: if labels do not fit the outputs, or the task names an unknown loss or metric.
    """
    return resolve_outputs(outputs_of(model), output_names(model), data, task, what, are_exit_outputs(model))


def resolve_outputs(
    outputs: Sequence[Outputs], names: Sequence[str], data: D, task: Task, what: str = "data", exits: bool = False
) -> tuple[D, Objective]:
    """`resolve` for a network that is described by its outputs and their names, and whether they are exits."""
    task = task.filled
    losses, metrics = of_each_output("loss", task.loss, names), of_each_output("metric", task.metric, names)
    ignored = [ignored_class(*given) for given in zip(losses, metrics, outputs, strict=True)]
    titles = label_titles(names, what)
    first = data.sample(SAMPLED_EXAMPLES) if isinstance(data, Stream) else data
    y = labels_of_outputs(first.y, names, what, exits)
    kinds: Sequence[Labels]
    if task.is_labelled:
        plain, kinds = zip(*map(normalise_labels, y, outputs, titles, ignored), strict=True)
    else:
        plain, kinds = tuple(map(computed_labels, y, outputs, titles)), [Labels.REAL] * len(outputs)

    def normalised(batch: Arrays) -> Arrays:
        found = labels_of_outputs(batch.y, names, what, exits)
        if not task.is_labelled:
            return _with_labels(batch, tuple(map(computed_labels, found, outputs, titles)))
        return _with_labels(batch, tuple(map(normalise_labels_as, kinds, found, outputs, titles, ignored)))

    aim = objective(task, names, outputs, kinds, weighted=first.weights is not None)
    aim = of_exits(aim, task) if exits else aim
    return cast(D, data.mapped(normalised) if isinstance(data, Stream) else _with_labels(data, plain)), aim


def label_titles(names: Sequence[str], what: str) -> list[str]:
    """Return the name of the labels of each output in messages."""
    if len(names) == 1:
        return [f"labels of the {what}"]
    return [f"labels for output '{name}' of the {what}" for name in names]


def labels_of_outputs(y: Any, names: Sequence[str], what: str, exits: bool = False) -> tuple[npt.NDArray[Any], ...]:
    """Return the labels of each output. Exits all have the labels of the network.

    Raises:
        InputError: if their number differs from that of the outputs.
    """
    found = columns(y)
    if len(found) == 1 and exits:
        found = found * len(names)
    if len(found) != len(names):
        raise InputError(
            f"the {what} has labels for {len(found)} output{'s' * (len(found) != 1)}, but the model has {len(names)}",
            f"give labels for {', '.join(names)}",
        )
    return found


def _with_labels(data: Arrays, y: tuple[npt.NDArray[Any], ...]) -> Arrays:
    return Arrays(data.x, y if isinstance(data.y, tuple) or len(y) > 1 else y[0], data.weights)


def evaluated_batches(data: Data) -> Iterator[Arrays]:
    """Yield all examples in batches; those of a stream in the order of its first pass, so that sums are the same."""
    if isinstance(data, Stream):
        data.rewind(0)
    return each_batch(data, BATCH_SIZE)


def accuracy(model: Any, data: Data, task: Task) -> float:
    """Return the task's metric of `model` on `data`: by default the accuracy between 0 and 1.

    It is averaged over outputs if there are several. If these are exits, it is that of the last one.
    """
    return figures(model, data, task).metric


def figures(model: Any, data: Data, task: Task) -> ModelFigures:
    """Return the task's metric of `model` on `data`, and how many examples of each class it recognises."""
    data, aim = resolve(model, data, task)
    run = _runner(model)
    metrics = aim.new_metrics()
    counts: ClassCounts | None = None
    for batch in evaluated_batches(data):
        outputs = run(batch.x)
        aim.update(metrics, batch.y, outputs, batch.weights)
        found = class_counts(aim, batch.y, outputs)
        counts = found if counts is None or found is None else counts.plus(found)
    return ModelFigures(aim.figure(metrics), counts)


def loss(model: Any, data: Data, task: Task) -> float:
    """Return the task's mean loss of `model` on `data`.

    The mean divides by the number of examples and not by the sum of their weights.
    """
    data, aim = resolve(model, data, task)
    run = _runner(model)
    total, count = 0.0, 0
    for batch in evaluated_batches(data):
        total += float(aim.loss(batch.y, run(batch.x), batch.weights)) * len(batch)
        count += len(batch)
    return total / count


def _runner(model: Any) -> Callable[[Any], tuple[npt.NDArray[np.float32], ...]]:
    """Return a function from batches to the outputs, which traces the model at the first one."""
    graph: list[Callable[..., Any]] = []

    def run(x: Any) -> tuple[npt.NDArray[np.float32], ...]:
        if not graph:
            graph.append(compiled(lambda batch: called(model, batch), x))
        return tuple(np.asarray(found).astype(np.float32) for found in graph[0](as_tensors(x)))

    return run


def measure(aim: Objective, y: Any, outputs: Any, weights: Any = None) -> float:
    """Return the metric of the outputs of N examples, given as arrays or as tuples with one for each output."""
    metrics = aim.new_metrics()
    for part in batches(len(columns(y)[0]), BATCH_SIZE):
        batch = itemgetter(part)
        aim.update(metrics, each(batch, y), each(batch, outputs), None if weights is None else weights[part])
    return aim.figure(metrics)
