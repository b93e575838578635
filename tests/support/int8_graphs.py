"""Small graphs of integers as .tflite files, assembled from the objects of the schema without a converter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from reds_litert.schema import Content, pack4, packed

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
ACTIVATIONS = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}


TYPES: dict[Any, int] = {
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int16): schema.TensorType.INT16,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
    np.dtype(np.float32): schema.TensorType.FLOAT32,
}


class GraphBuilder:
    """Collects the tensors and operators of a file with one graph.

    Args:
        bits: The number of bits of activations, 8 or 16.
    """

    def __init__(self, bits: int = 8) -> None:
        self.activations = np.dtype(f"int{bits}")
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.operatorCodes = []
        self.model.buffers = [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        shape: tuple[int, ...],
        scale: float | npt.NDArray[np.float32] = 0.05,
        zero_point: int = 0,
        data: npt.NDArray[Any] | None = None,
        axis: int = 0,
        bits: int = 8,
    ) -> int:
        """Add a tensor, of the type of activations unless it has `data`, and return its index.

        `bits` is 8 or 4 for weights, or 32 for floating point.
        """
        scales = np.atleast_1d(np.asarray(scale, np.float32))
        tensor = schema.TensorT()
        tensor.name = f"tensor{len(self.graph.tensors)}".encode()
        tensor.shape = list(shape)
        if bits == 4:
            tensor.type = schema.TensorType.INT4
        elif bits == 32:
            tensor.type = schema.TensorType.FLOAT32
        else:
            tensor.type = TYPES[self.activations if data is None else data.dtype]
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = scales
        tensor.quantization.zeroPoint = np.full(len(scales), zero_point, np.int64)
        tensor.quantization.quantizedDimension = axis
        self.model.buffers.append(schema.BufferT())
        if data is not None:
            content = pack4(data.reshape(-1)) if bits == 4 else np.frombuffer(data.tobytes(), np.uint8)
            self.model.buffers[-1] = Content(content)
        tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, kind: str, inputs: list[int], output: int, options: Any = None) -> int:
        """Add an operator by its name in LiteRT and return its output."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, [output]
        if options is not None:
            name = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            operator.builtinOptions = options
        self.graph.operators.append(operator)
        return output

    def content(self, source: int, *results: int) -> bytes:
        """Return the file, with one input, and one output or several."""
        self.graph.inputs, self.graph.outputs = [source], [*results]
        return packed(self.model)


def options(kind: str, **values: Any) -> Any:
    """Return the options of an operator from the name of their generated class, such as "Conv2DOptions"."""
    made = getattr(schema, f"{kind}T")()
    for name, value in values.items():
        assert hasattr(made, name), name
        setattr(made, name, value)
    return made


def integers(rng: np.random.Generator, shape: tuple[int, ...], least: int = -127, greatest: int = 127) -> Any:
    """Return random int8 constants."""
    return rng.integers(least, greatest, shape, endpoint=True).astype(np.int8)


def examples(content: bytes, count: int, seed: int = 0) -> npt.NDArray[Any]:
    """Return random inputs of a file, int8 or int16 (count, ...), among them the extremes."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    source = graph.tensors[graph.inputs[0]]
    shape = tuple(int(n) for n in source.shape)[1:]
    end = 1 << 15 if source.type == schema.TensorType.INT16 else 1 << 7
    dtype = np.int16 if end > 128 else np.int8
    x = np.random.default_rng(seed).integers(-end, end, (count, *shape)).astype(dtype)
    if count > 2:
        x[0], x[1] = -end, end - 1
    assert math.prod(shape)
    return x


def tflite_micro_outputs(content: bytes, x: npt.NDArray[Any], arena_bytes: int = 1 << 22) -> npt.NDArray[Any]:
    """Return what tflite-micro computes, int8 or int16 (examples, ...)."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)
    outputs = []
    for one in x:
        interpreter.set_input(one[None], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0)[0].copy())
    return np.array(outputs)
