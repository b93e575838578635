"""Runs Keras models at inference: outputs, metric and loss, and whether data fits a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.errors import InputError
from reds_core.framework import SMALL_BYTES, Arrays, Task, as_examples, batches
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.scopes import scopes_named_plainly
from reds_tensorflow.task import Objective, Outputs, normalise_labels, objective, outputs_of

BATCH_SIZE = 256
TRIED_EXAMPLES = 2


def compiled(function: Callable[..., Any], *arrays: npt.NDArray[Any]) -> Callable[..., Any]:
    """`function` of batches of `arrays` as a graph, traced here and once, for batches of every size.

    Batches of small types, such as images of bytes, reach the function as float32.
    """
    signature = [tf.TensorSpec((None, *array.shape[1:]), tf.as_dtype(array.dtype)) for array in arrays]

    def widened(*batch: Any) -> Any:
        return function(*(as_float32(part) for part in batch))

    graph: Callable[..., Any] = tf.function(widened, input_signature=signature, autograph=False)
    with scopes_named_plainly():
        graph.get_concrete_function()  # type: ignore[attr-defined]
    return graph


def as_float32(batch: Any) -> Any:
    """A tensor of a small type as float32; others as they are."""
    return tf.cast(batch, tf.float32) if batch.dtype.size < SMALL_BYTES else batch


def predict(model: Any, x: npt.NDArray[Any], batch_size: int = BATCH_SIZE) -> npt.NDArray[np.float32]:
    """Outputs (N, ...) of `model` at inference, float32."""
    outputs_of(model)
    run = compiled(lambda batch: model(batch, training=False), x)
    # At least one batch, so that no examples give an array of no rows but of the right shape.
    parts = [run(tf.constant(x[part])).numpy() for part in batches(max(len(x), 1), batch_size)]
    return np.concatenate(parts).astype(np.float32)


def resolve(model: Any, data: Arrays, task: Task, what: str = "data") -> tuple[Arrays, Objective]:
    """`data` with its labels in their plain form, and the objective they make of `task`.

    Raises:
        InputError: if labels do not fit the outputs, or the task names an unknown loss or metric.
    """
    return resolve_outputs(outputs_of(model), data, task, what)


def resolve_outputs(outputs: Outputs, data: Arrays, task: Task, what: str = "data") -> tuple[Arrays, Objective]:
    """`resolve` for whatever puts out `outputs`."""
    y, labels = normalise_labels(data.y, outputs, what)
    return Arrays(data.x, y), objective(task, outputs, labels)


def measure(aim: Objective, y: npt.NDArray[Any], outputs: npt.NDArray[np.float32]) -> float:
    """The metric of `outputs` (N, ...); the mean where the metric is a number for each class."""
    metric = aim.new_metric()
    targets = aim.metric_targets(y)
    for part in batches(len(y), BATCH_SIZE):
        metric.update_state(targets[part], aim.scores(outputs[part]))
    return float(np.mean(metric.result()))


def accuracy(model: Any, data: Arrays, task: Task) -> float:
    """The task's metric of `model` on `data`: accuracy in 0..1 by default."""
    data, aim = resolve(model, data, task)
    return measure(aim, data.y, predict(model, data.x))


def loss(model: Any, data: Arrays, task: Task) -> float:
    """The task's mean loss of `model` on `data`."""
    data, aim = resolve(model, data, task)
    targets, outputs = aim.loss_targets(data.y), predict(model, data.x)
    parts = batches(len(data), BATCH_SIZE)
    return sum(float(aim.loss(targets[part], outputs[part])) * len(targets[part]) for part in parts) / len(data)


def check_data(model: Any, data: Arrays, task: Task, what: str) -> Arrays:
    """`data` as `model` takes it: a missing last dimension of 1 added, labels in their plain form.

    The loss and the metric are tried on two examples: what cannot be measured is refused before any work is done.

    Raises:
        InputError: if shapes do not fit the model's input or labels not its output, or the loss or the metric cannot be
            computed from them; `what` names the data.
        UnsupportedError: if the model has several inputs or outputs.
    """
    outputs = outputs_of(model)
    wanted = tuple(model.inputs[0].shape[1:])
    x = data.x
    if len(wanted) == x.ndim and wanted[-1] == 1:
        x = x[..., None]
    if len(wanted) + 1 != x.ndim or any(w not in (None, n) for w, n in zip(wanted, x.shape[1:], strict=True)):
        raise InputError(
            f"an example of the {what} has shape {_shape(data.x.shape[1:])}, the model takes {_shape(wanted)}",
            "give data of the shape of the model's input",
        )
    if len(x) == 0 or len(x) != len(data.y):
        raise InputError(f"the {what} has {len(x)} examples and {len(data.y)} labels", "give one label an example")
    checked, aim = resolve_outputs(outputs, Arrays(x, data.y), task, what)
    checked = Arrays(as_examples(checked.x), checked.y)
    _try(model, checked.take(np.arange(min(len(x), TRIED_EXAMPLES))), aim)
    return checked


def _try(model: Any, data: Arrays, aim: Objective) -> None:
    """Compute the loss and the metric of a few examples.

    Raises:
        InputError: naming the one that cannot be computed, and the shape of the outputs.
    """
    outputs = np.asarray(model(as_float32(tf.constant(data.x)), training=False))
    puts_out = f"outputs of shape {_shape(outputs.shape[1:])}"
    for kind, name, compute in (
        ("loss", aim.loss_name, lambda: aim.loss(tf.constant(aim.loss_targets(data.y)), tf.constant(outputs))),
        ("metric", aim.metric_name, lambda: measure(aim, data.y, outputs)),
    ):
        try:
            float(compute())
        except Exception as error:  # whatever Keras, or a class of the user's own, raises
            reason = first_sentence(error)
            raise InputError(
                f"{kind} '{name}' does not fit {puts_out} ({reason})", f"give another --{kind}, one for such outputs"
            ) from error


def _shape(shape: tuple[int | None, ...]) -> str:
    return " x ".join("?" if n is None else str(n) for n in shape)
