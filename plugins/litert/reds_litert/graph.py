"""The graph of a .tflite file as plain records, which can be read without an interpreter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from reds_core.errors import InputError, UnsupportedError
from reds_litert.schema import IDENTIFIER, OPERATOR_NAMES, TYPES, kind_of, unpack4, unpacked

_INT4 = schema.TensorType.INT4


@dataclass(frozen=True, eq=False)
class FileTensor:
    """A tensor of a file.

    Attributes:
        name: Its name.
        shape: Its shape, with the batch dimension of 1.
        dtype: The type of its elements; int8 for elements of 4 bits.
        bits: The number of bits of an element in the file.
        scales: The scale of each channel along `axis`, or a single one, float32 (channels,); empty for real numbers.
        zero_points: The zero point for each scale, int64 (channels,).
        axis: The axis along which `scales` differ.
        data: Its elements in its shape if it is a constant; None if it is computed or an input.
        is_variable: Whether it keeps its elements from one run to the next.
        clusters: Of a kernel that a device packs with codebooks: the number of integers in that of an output channel,
            of which `bits` is the size of an index. 0 otherwise.
        density_percent: The largest share of weights other than zero of a kernel that a device packs with a mask, in
            percent. 100 otherwise.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    bits: int
    scales: npt.NDArray[np.float32]
    zero_points: npt.NDArray[np.int64]
    axis: int
    data: npt.NDArray[Any] | None
    is_variable: bool
    clusters: int = 0
    density_percent: int = 100

    @property
    def size_bytes(self) -> int:
        """The size of its elements in memory, in bytes."""
        return math.ceil(math.prod(self.shape) * self.bits / 8)

    @property
    def scale(self) -> float:
        """The scale of a tensor that has a single one, as the float32 number in the file."""
        return float(self.scales[0])

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor that has a single one."""
        return int(self.zero_points[0])


@dataclass(frozen=True, eq=False)
class FileOperator:
    """An operator of a file.

    Attributes:
        kind: Its name in LiteRT, such as "CONV_2D".
        inputs: The indices of its inputs into the tensors of the graph; -1 for an optional input that is left out.
        outputs: The indices of its outputs.
        options: Its options, an object of the generated class, such as `Conv2DOptionsT`; None if it has none.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True, eq=False)
class FileGraph:
    """The graph of a file with a single graph.

    Attributes:
        tensors: Its tensors.
        operators: Its operators, in the order in which they run.
        inputs: The indices of the inputs of the network.
        outputs: The indices of its outputs.
    """

    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @cached_property
    def computed(self) -> tuple[int, ...]:
        """The indices of the tensors that take memory while the network runs: the inputs, and what operators write."""
        made = (index for operator in self.operators for index in operator.outputs)
        return tuple(dict.fromkeys((*self.inputs, *made)))

    def needed(self, outputs: Sequence[int]) -> tuple[int, ...]:
        """Return the indices of the operators that some tensors are computed by, in the order in which they run."""
        wanted, found = set(outputs), list[int]()
        for index in reversed(range(len(self.operators))):
            operator = self.operators[index]
            if wanted.intersection(operator.outputs):
                wanted.update(operator.inputs)
                found.append(index)
        return tuple(reversed(found))

    def ending_at(self, outputs: Sequence[int]) -> FileGraph:
        """Return the part of the graph that computes some tensors, which become its outputs."""
        operators = tuple(self.operators[index] for index in self.needed(outputs))
        return replace(self, operators=operators, outputs=tuple(outputs))


def read_graph(content: bytes) -> FileGraph:
    """Return the graph of the content of a .tflite file.

    Raises:
        InputError: If the content is not that of a .tflite file.
        UnsupportedError: If the file has several graphs, as with loops.
    """
    try:
        if content[4:8] != IDENTIFIER:
            raise ValueError("it is not a .tflite file")
        model = unpacked(content)
        graphs = model.subgraphs
        graph = graph_of(model, graphs[0])
        _check_indices(graph)
    except Exception as error:  # reading damaged content may raise anything
        raise InputError("the content cannot be read as a LiteRT model", "export it again") from error
    if len(graphs) != 1:
        raise UnsupportedError(f"the file has {len(graphs)} graphs, as with loops", "unroll the loops")
    return graph


def _check_indices(graph: FileGraph) -> None:
    """Check that a graph names no tensors that it does not have. An input of -1 is one that is left out.

    Raises:
        ValueError: If it does.
    """
    inputs = (index for operator in graph.operators for index in operator.inputs)
    outputs = (index for operator in graph.operators for index in operator.outputs)
    indices = {*graph.inputs, *graph.outputs, *outputs, *(index for index in inputs if index != -1)}
    if not indices <= set(range(len(graph.tensors))):
        raise ValueError("there is no such tensor")


def graph_of(model: Any, graph: Any) -> FileGraph:
    """Return a graph as records from objects of the generated classes."""
    return FileGraph(
        tuple(_tensor(model, tensor) for tensor in graph.tensors),
        tuple(
            FileOperator(
                OPERATOR_NAMES[kind_of(model, operator)],
                _indices(operator.inputs),
                _indices(operator.outputs),
                operator.builtinOptions,
            )
            for operator in graph.operators
        ),
        _indices(graph.inputs),
        _indices(graph.outputs),
    )


def _tensor(model: Any, tensor: Any) -> FileTensor:
    shape = _indices(tensor.shape)
    details = tensor.quantization
    scales = np.asarray([] if details is None or details.scale is None else details.scale, np.float32)
    zeros = np.asarray([] if details is None or details.zeroPoint is None else details.zeroPoint, np.int64)
    dtype: np.dtype[Any] = np.dtype(np.int8 if tensor.type == _INT4 else TYPES.get(tensor.type, np.void))
    data = model.buffers[tensor.buffer].data
    content: npt.NDArray[Any] | None = None if data is None or not len(data) else np.asarray(data, np.uint8)
    if content is not None and dtype != np.void:
        content = unpack4(content, math.prod(shape)) if tensor.type == _INT4 else content.view(dtype)
        content = content.reshape(shape)
    return FileTensor(
        (tensor.name or b"").decode(),
        shape,
        dtype,
        4 if tensor.type == _INT4 else 8 * dtype.itemsize,
        scales,
        zeros,
        0 if details is None else int(details.quantizedDimension),
        content,
        bool(tensor.isVariable),
    )


def _indices(values: Any) -> tuple[int, ...]:
    return () if values is None else tuple(int(value) for value in values)
