"""Files for devices, run in LiteRT's interpreter without the model that they were exported from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError
from reds_core.framework import Data, ExportedFigures, ExportedModel, Stream, Task, columns
from reds_tensorflow.checking import Interface, shaped
from reds_tensorflow.device_tracing import plain_names
from reds_tensorflow.evaluation import evaluated_batches, resolve_outputs
from reds_tensorflow.file_interface import input_names_of, output_names_of
from reds_tensorflow.quiet import silenced
from reds_tensorflow.task import Activation, Outputs

THREADS = 2


class LiteRtFile(ExportedModel):
    """A .tflite file with a batch size of 1, as float32 or int8.

    Args:
        path: the path of the file.

    Raises:
        InputError: if the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            content = path.read_bytes()
            self._interpreter = interpreter_of(content)
            self._outputs = _outputs(content, self._interpreter)
        except FileNotFoundError:
            raise InputError(f"'{path}' does not exist", "check the path") from None
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"'{path}' cannot be read as a LiteRT model", "export it again") from error
        self._names = output_names_of(content)
        shapes = [tuple(int(n) for n in source["shape"][1:]) for source in self._interpreter.get_input_details()]
        self._interface = Interface.named(input_names_of(content), shapes, self._names)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        return self._interface.shapes[0]

    def check_data(self, data: Data, what: str) -> Data:
        if isinstance(data, Stream):
            shaped(self._interface, data.sample(1), what)
            return data.mapped(lambda batch: shaped(self._interface, batch, what))
        return shaped(self._interface, data, what)

    def evaluate(self, data: Data, task: Task) -> ExportedFigures:
        task = _task_of_file(task, self._names)
        data, aim = resolve_outputs(self._outputs, self._names, data, task, "test data")
        metrics = aim.new_metrics()
        total, count = 0.0, 0
        for batch in evaluated_batches(data):
            found = run_one_by_one(self._interpreter, columns(batch.x))
            aim.update(metrics, batch.y, found, batch.weights)
            total += float(aim.loss(batch.y, found, batch.weights)) * len(batch)
            count += len(batch)
        return ExportedFigures(aim.figure(metrics), total / count, count)


def _task_of_file(task: Task, names: Sequence[str]) -> Task:
    """Return a task by the names of a file's outputs, which are plain; a single output has a name of its own."""

    def renamed(given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        if len(names) == 1 and len(given) == 1:
            return next(iter(given.values()))
        return dict(zip(plain_names(given), given.values(), strict=True))

    return Task(renamed(task.loss), renamed(task.metric), renamed(task.loss_weights))


def interpreter_of(content: bytes, threads: int = THREADS) -> Any:
    """Return LiteRT's interpreter for the content of a .tflite file, ready to run."""
    from ai_edge_litert.interpreter import Interpreter

    with silenced():
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


def run_one_by_one(interpreter: Any, x: tuple[npt.NDArray[Any], ...]) -> tuple[npt.NDArray[np.float32], ...]:
    """Return real-valued outputs (N, ...), computed one example at a time as on the device."""
    sources, targets = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = tuple(np.empty((len(x[0]), *target["shape"][1:]), np.float32) for target in targets)
    for i in range(len(x[0])):
        for source, column in zip(sources, x, strict=True):
            interpreter.set_tensor(source["index"], _quantised(column[i][None], source))
        interpreter.invoke()
        for output, target in zip(outputs, targets, strict=True):
            output[i] = _real(interpreter.get_tensor(target["index"]), target)[0]
    return outputs


def _quantised(x: npt.NDArray[Any], tensor: Any) -> npt.NDArray[Any]:
    """Convert `x` to the type of a tensor: q = round(x / scale) + zero point, saturated."""
    kind: np.dtype[Any] = np.dtype(tensor["dtype"])
    scale, zero_point = tensor["quantization"]
    if not scale:
        return x.astype(kind)
    limits = np.iinfo(kind)
    return np.asarray(np.clip(np.round(x.astype(np.float32) / scale) + zero_point, limits.min, limits.max), kind)


def _real(q: npt.NDArray[Any], tensor: Any) -> npt.NDArray[np.float32]:
    scale, zero_point = tensor["quantization"]
    return q.astype(np.float32) if not scale else (q.astype(np.float32) - zero_point) * np.float32(scale)


def _outputs(content: bytes, interpreter: Any) -> tuple[Outputs, ...]:
    """Return the shape and the last activation of each output of the file."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content)
    graph = model.Subgraphs(0)
    kinds = schema.BuiltinOperator

    def activation_before(tensor: int) -> Activation:
        for index in reversed(range(graph.OperatorsLength())):
            operator = graph.Operators(index)
            if tensor not in operator.OutputsAsNumpy():
                continue
            code = model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
            if code not in (kinds.RESHAPE, kinds.QUANTIZE, kinds.DEQUANTIZE):
                found = {kinds.SOFTMAX: Activation.SOFTMAX, kinds.LOGISTIC: Activation.SIGMOID}
                return found.get(code, Activation.OTHER)
            tensor = operator.Inputs(0)
        return Activation.OTHER

    return tuple(
        Outputs(tuple(int(n) for n in detail["shape"][1:]), activation_before(graph.Outputs(i)))
        for i, detail in enumerate(interpreter.get_output_details())
    )
