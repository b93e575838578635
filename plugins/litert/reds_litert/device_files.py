"""Files for devices, run in LiteRT's interpreter without the model that they were exported from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError
from reds_core.framework import (
    Data,
    ExportedFigures,
    ExportedModel,
    FileInput,
    FileInterface,
    FileOutput,
    Framework,
    Task,
    columns,
)
from reds_core.system import silenced_output, silenced_warnings
from reds_litert.file_interface import input_names_of, output_names_of

THREADS = 2

Values = tuple[npt.NDArray[Any], ...]
"""An array (N, ...) for each input or output of a file, in its type: real numbers or integers that stand for them."""


class LiteRtFile(ExportedModel):
    """A .tflite file with a batch size of 1.

    Args:
        framework: Compares the outputs of the file with labels.
        path: The path of the file.

    Raises:
        InputError: If the file cannot be read.
    """

    def __init__(self, framework: Framework, path: Path) -> None:
        try:
            content = self.runnable(path.read_bytes())
            self._interpreter = interpreter_of(content)
            self._interface = _interface(content, self._interpreter)
        except FileNotFoundError:
            raise InputError(f"'{path}' does not exist", "check the path") from None
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"'{path}' cannot be read as a LiteRT model", "export it again") from error
        self._framework = framework

    def runnable(self, content: bytes) -> bytes:
        """Return the content of a file that LiteRT runs in place of another."""
        return content

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        return self._interface.inputs[0].shape

    def check_data(self, data: Data, what: str) -> Data:
        return self._framework.check_file_data(self._interface, data, what)

    def evaluate(self, data: Data, task: Task) -> ExportedFigures:
        return self._framework.evaluated(self._interface, self.run, data, task)

    def outputs(self, x: Any) -> tuple[npt.NDArray[np.float32], ...]:
        return self.run(columns(x))

    @property
    def output_steps(self) -> tuple[float | None, ...]:
        return tuple(float(each["quantization"][0]) or None for each in self._interpreter.get_output_details())

    def run(self, x: tuple[npt.NDArray[Any], ...]) -> tuple[npt.NDArray[np.float32], ...]:
        """Return real-valued outputs (N, ...), computed one example at a time as on the device."""
        return run_one_by_one(self._interpreter, x)


def interpreter_of(content: bytes, threads: int = THREADS) -> Any:
    """Return LiteRT's interpreter for the content of a .tflite file, ready to run."""
    from ai_edge_litert.interpreter import Interpreter

    with silenced_output(), silenced_warnings():
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


def run_one_by_one(interpreter: Any, x: tuple[npt.NDArray[Any], ...]) -> tuple[npt.NDArray[np.float32], ...]:
    """Return real-valued outputs (N, ...), computed one example at a time as on the device."""

    def compute(given: Values) -> Values:
        sources, targets = interpreter.get_input_details(), interpreter.get_output_details()
        outputs = tuple(np.empty((len(given[0]), *target["shape"][1:]), target["dtype"]) for target in targets)
        for i, example in enumerate(zip(*given, strict=True)):
            for source, values in zip(sources, example, strict=True):
                interpreter.set_tensor(source["index"], values[None])
            interpreter.invoke()
            for output, target in zip(outputs, targets, strict=True):
                output[i] = interpreter.get_tensor(target["index"])[0]
        return outputs

    return real_outputs(interpreter, compute, x)


def real_outputs(
    interpreter: Any, compute: Callable[[Values], Values], x: tuple[npt.NDArray[Any], ...]
) -> tuple[npt.NDArray[np.float32], ...]:
    """Run a function of the values that a file has on real numbers.

    Args:
        interpreter: Describes the inputs and outputs of the file, as LiteRT does.
        compute: From the values of each input (N, ...), in its type, those of each output (N, ...), in its type.
        x: The real numbers of each input (N, ...).

    Returns:
        The real numbers of each output (N, ...).
    """
    sources, targets = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = compute(tuple(_quantised(column, source) for column, source in zip(x, sources, strict=True)))
    return tuple(_real(values, target) for values, target in zip(outputs, targets, strict=True))


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


def _interface(content: bytes, interpreter: Any) -> FileInterface:
    """Return the inputs of a file, and its outputs with the last activation before each."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content)
    graph = model.Subgraphs(0)
    kinds = schema.BuiltinOperator

    def activation_before(tensor: int) -> str:
        for index in reversed(range(graph.OperatorsLength())):
            operator = graph.Operators(index)
            if tensor not in operator.OutputsAsNumpy():
                continue
            code = model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
            if code not in (kinds.RESHAPE, kinds.QUANTIZE, kinds.DEQUANTIZE):
                return {kinds.SOFTMAX: "softmax", kinds.LOGISTIC: "sigmoid"}.get(code, "other")
            tensor = operator.Inputs(0)
        return "other"

    inputs = zip(input_names_of(content), interpreter.get_input_details(), strict=True)
    outputs = zip(output_names_of(content), interpreter.get_output_details(), strict=True)
    return FileInterface(
        tuple(FileInput(name, _shape(detail)) for name, detail in inputs),
        tuple(
            FileOutput(name, _shape(detail), activation_before(graph.Outputs(i)))
            for i, (name, detail) in enumerate(outputs)
        ),
    )


def _shape(detail: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in detail["shape"][1:])
