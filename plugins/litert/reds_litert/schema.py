"""The content of .tflite files as objects that can be changed, and back."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"
"""The bytes 4 to 8 of the content of a .tflite file."""
ALIGNMENT_BYTES = 16
"""Alignment of the content of a tensor in the file, which kernels read in place."""
TYPES = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT8: np.int8,
    schema.TensorType.UINT8: np.uint8,
    schema.TensorType.INT16: np.int16,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT64: np.int64,
    schema.TensorType.BOOL: np.bool_,
}
"""The NumPy type of each type of tensors whose elements take whole bytes."""
INT4 = schema.TensorType.INT4
"""The type of tensors whose elements take half a byte."""
OPERATOR_NAMES = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
"""The names of the builtin operators by their codes."""
INPUT, WEIGHTS, BIAS = 0, 1, 2
"""Indices among the inputs of a convolution or a fully connected operator."""


def unpacked(content: bytes) -> Any:
    """Return the content of a file as objects of the generated classes, which can be changed."""
    return schema.ModelT.InitFromPackedBuf(content, 0)


def packed(model: Any) -> bytes:
    """Return the content of a file from objects of the generated classes."""
    model.buffers = [
        Content(np.asarray(b.data, np.uint8)) if b.data is not None and len(b.data) else b for b in model.buffers
    ]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


class Content(schema.BufferT):  # type: ignore[misc]
    """The content of a tensor, written with the alignment that the generated class would ignore."""

    def __init__(self, data: npt.NDArray[np.uint8]):
        super().__init__()
        self.data = data

    def Pack(self, builder: Any) -> Any:
        builder.StartVector(1, len(self.data), ALIGNMENT_BYTES)
        builder.head = builder.head - len(self.data)
        builder.Bytes[builder.head : builder.head + len(self.data)] = self.data.tobytes()
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


def kind_of(model: Any, operator: Any) -> int:
    """Return the builtin code of an operator."""
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def code_index(model: Any, kind: int, version: int = 1) -> int:
    """Return the index of an operator code in the file of at least a version, adding the code if the file lacks it."""
    for index, known in enumerate(model.operatorCodes):
        if known.builtinCode == kind and known.version >= version:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def elements(model: Any, tensor: Any) -> npt.NDArray[Any] | None:
    """Return the elements of a constant of a type in TYPES in its shape; None for tensors that are computed."""
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    return np.asarray(data, np.uint8).view(TYPES[tensor.type]).reshape([int(n) for n in tensor.shape])


def give_content(model: Any, tensor: Any, data: npt.NDArray[np.uint8]) -> None:
    """Give a tensor a buffer of its own, since several may share one."""
    model.buffers.append(Content(data))
    tensor.buffer = len(model.buffers) - 1


def give_scales(tensor: Any, scales: npt.NDArray[np.floating[Any]], axis: int) -> None:
    """Give a tensor scales along an axis, with zero points of 0."""
    details = tensor.quantization
    details.scale, details.zeroPoint = scales.astype(np.float32), np.zeros(len(scales), np.int64)
    details.quantizedDimension, details.min, details.max = axis, None, None


def drop_unused_content(model: Any) -> None:
    """Empty all buffers that nothing refers to."""
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in model.metadata or []}
    model.buffers = [buffer if index in used else schema.BufferT() for index, buffer in enumerate(model.buffers)]


def pack4(integers: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """Return integers from -8 to 7, two in a byte with the first in the lower half. A zero follows an odd number."""
    halves = integers.view(np.uint8) & 15
    if halves.size % 2:
        halves = np.append(halves, np.uint8(0))
    return np.asarray(halves[::2] | (halves[1::2] << 4), np.uint8)


def unpack4(data: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.int8]:
    """Return the integers that `pack4` packed."""
    halves = np.stack([data & 15, data >> 4], axis=1).reshape(-1)[:count].astype(np.int8)
    return np.where(halves > 7, halves - 16, halves).astype(np.int8)


def give_metadata(model: Any, name: bytes, data: npt.NDArray[np.uint8]) -> None:
    """Give a file an entry of metadata, in place of one of the same name."""
    model.metadata = [entry for entry in model.metadata or [] if entry.name != name]
    drop_unused_content(model)
    model.buffers.append(Content(data))
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, len(model.buffers) - 1
    model.metadata.append(entry)


def metadata_in(model: Any, name: bytes) -> npt.NDArray[np.uint8] | None:
    """Return the content of an entry of metadata, or None if the file has none of this name."""
    found = next((entry for entry in model.metadata or [] if entry.name == name), None)
    return None if found is None else np.asarray(model.buffers[found.buffer].data, np.uint8)
