"""Inference with Keras models: outputs, metric and loss, and checks of data."""

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
    """Compile `function` to a graph that takes batches of `arrays` of any size. It is traced once, in this call.

    Batches of small types, such as images of bytes, are cast to float32 for the function.
    """
    signature = [tf.TensorSpec((None, *array.shape[1:]), tf.as_dtype(array.dtype)) for array in arrays]

    def widened(*batch: Any) -> Any:
        return function(*(as_float32(part) for part in batch))

    graph: Callable[..., Any] = tf.function(widened, input_signature=signature, autograph=False)
    with scopes_named_plainly():
        graph.get_concrete_function()  # type: ignore[attr-defined]
    return graph


def as_float32(batch: Any) -> Any:
    """Cast a tensor of a small type to float32; others are returned unchanged."""
    return tf.cast(batch, tf.float32) if batch.dtype.size < SMALL_BYTES else batch


def predict(model: Any, x: npt.NDArray[Any], batch_size: int = BATCH_SIZE) -> npt.NDArray[np.float32]:
    """Return the outputs (N, ...) of `model` at inference as float32."""
    outputs_of(model)
    run = compiled(lambda batch: model(batch, training=False), x)
    # Run at least one batch, so that without examples the result is empty but has the right shape.
    parts = [run(tf.constant(x[part])).numpy() for part in batches(max(len(x), 1), batch_size)]
    return np.concatenate(parts).astype(np.float32)


def resolve(model: Any, data: Arrays, task: Task, what: str = "data") -> tuple[Arrays, Objective]:
    """Return `data` with labels in their plain form, and the objective that `task` means for them.

    Raises:
        InputError: if labels do not fit the outputs, or the task names an unknown loss or metric.
    """
    return resolve_outputs(outputs_of(model), data, task, what)


def resolve_outputs(outputs: Outputs, data: Arrays, task: Task, what: str = "data") -> tuple[Arrays, Objective]:
    """`resolve` for a network that is described by its `outputs`."""
    y, labels = normalise_labels(data.y, outputs, what)
    return Arrays(data.x, y), objective(task, outputs, labels)


def measure(aim: Objective, y: npt.NDArray[Any], outputs: npt.NDArray[np.float32]) -> float:
    """Return the metric of `outputs` (N, ...), averaged if it has a number for each class."""
    metric = aim.new_metric()
    targets = aim.metric_targets(y)
    for part in batches(len(y), BATCH_SIZE):
        metric.update_state(targets[part], aim.scores(outputs[part]))
    return float(np.mean(metric.result()))


def accuracy(model: Any, data: Arrays, task: Task) -> float:
    """Return the task's metric of `model` on `data`: by default the accuracy between 0 and 1."""
    data, aim = resolve(model, data, task)
    return measure(aim, data.y, predict(model, data.x))


def loss(model: Any, data: Arrays, task: Task) -> float:
    """Return the task's mean loss of `model` on `data`."""
    data, aim = resolve(model, data, task)
    targets, outputs = aim.loss_targets(data.y), predict(model, data.x)
    parts = batches(len(data), BATCH_SIZE)
    return sum(float(aim.loss(targets[part], outputs[part])) * len(targets[part]) for part in parts) / len(data)


def check_data(model: Any, data: Arrays, task: Task, what: str) -> Arrays:
    """Convert `data` to the form that `model` takes: with a last dimension of 1 if it is missing, and plain labels.

    The loss and the metric are computed for two examples, so that unsuitable ones are refused before any work is done.

    Args:
        model: the model.
        data: examples and labels.
        task: defines the loss and the metric.
        what: name of the data in messages.

    Raises:
        InputError: if shapes do not fit the model's input, labels do not fit its output, or the loss or the metric
            cannot be computed from them.
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
        InputError: if one cannot be computed; the message names it and the shape of the outputs.
    """
    outputs = np.asarray(model(as_float32(tf.constant(data.x)), training=False))
    puts_out = f"outputs of shape {_shape(outputs.shape[1:])}"
    for kind, name, compute in (
        ("loss", aim.loss_name, lambda: aim.loss(tf.constant(aim.loss_targets(data.y)), tf.constant(outputs))),
        ("metric", aim.metric_name, lambda: measure(aim, data.y, outputs)),
    ):
        try:
            float(compute())
        except Exception as error:  # Keras or the user's own class may raise anything
            reason = first_sentence(error)
            raise InputError(
                f"{kind} '{name}' does not fit {puts_out} ({reason})", f"give another --{kind}, one for such outputs"
            ) from error


def _shape(shape: tuple[int | None, ...]) -> str:
    return " x ".join("?" if n is None else str(n) for n in shape)
