"""Evaluation of exported files: what their outputs mean for a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.framework import Data, ExportedFigures, FileInterface, RunFile, Stream, Task, TaskKind, columns
from reds_core.network import are_exits
from reds_tensorflow.checking import Interface, shaped
from reds_tensorflow.device_tracing import plain_names
from reds_tensorflow.evaluation import evaluated_batches, resolve_outputs
from reds_tensorflow.task import Activation, Outputs


def check_file_data(interface: FileInterface, data: Data, what: str) -> Data:
    """Convert `data` to the form that a file takes; the batches of a stream are converted as they are read."""
    names = [output.name for output in interface.outputs]
    inputs, shapes = [each.name for each in interface.inputs], [each.shape for each in interface.inputs]
    taken = Interface.named(inputs, shapes, names, _has_exits(interface))
    if isinstance(data, Stream):
        shaped(taken, data.sample(1), what)
        return data.mapped(lambda batch: shaped(taken, batch, what))
    return shaped(taken, data, what)


def evaluated(interface: FileInterface, run: RunFile, data: Data, task: Task) -> ExportedFigures:
    """Compute the task's metric and mean loss from the outputs of a file on `data`."""
    names = [output.name for output in interface.outputs]
    outputs = [Outputs(output.shape, Activation(output.activation)) for output in interface.outputs]
    exits = _has_exits(interface)
    data, aim = resolve_outputs(outputs, names, data, _task_of_file(task, names), "test data", exits)
    metrics = aim.new_metrics()
    total, count, answers = 0.0, 0, list[npt.NDArray[np.int64]]()
    rates = None if task.kind is TaskKind.EMBEDDING else _rating(interface)
    for batch in evaluated_batches(data):
        found = run(columns(batch.x))
        aim.update(metrics, batch.y, found, batch.weights)
        total += float(aim.loss(batch.y, found, batch.weights)) * len(batch)
        count += len(batch)
        if rates is not None:
            answers.append(rates(found[0]))
    return ExportedFigures(aim.figure(metrics), total / count, count, np.concatenate(answers) if answers else None)


def _has_exits(interface: FileInterface) -> bool:
    """Whether the outputs of a file are early exits, followed by the output of the whole network."""
    shapes = {output.shape for output in interface.outputs}
    return len(shapes) == 1 and are_exits(output.name for output in interface.outputs)


def _rating(interface: FileInterface) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.int64]] | None:
    """Return what makes answers (N,) of the only output (N, classes) of a file; None if it does not rate classes."""
    if len(interface.outputs) != 1 or len(interface.outputs[0].shape) != 1:
        return None
    (classes,), activation = interface.outputs[0].shape, interface.outputs[0].activation
    if classes > 1:
        return lambda found: found.argmax(axis=1)
    threshold = 0.5 if activation == "sigmoid" else 0.0
    return lambda found: (found[:, 0] > threshold).astype(np.int64)


def _task_of_file(task: Task, names: Sequence[str]) -> Task:
    """Return a task by the names of a file's outputs, which are plain; a single output has a name of its own."""

    def renamed(given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        if len(names) == 1 and len(given) == 1:
            return next(iter(given.values()))
        return dict(zip(plain_names(given), given.values(), strict=True))

    return Task(renamed(task.loss), renamed(task.metric), renamed(task.loss_weights), task.kind)
