"""Scratch memory that kernels of tflite-micro request in the arena while they run, besides their inputs and outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from reds_litert.graph import FileGraph, FileOperator

INT_BYTES, INT4_BITS = 4, 4


def scratch_sizes(graph: FileGraph, operator: FileOperator) -> tuple[int, ...]:
    """Return the sizes of the scratch buffers of an operator in bytes, as the portable kernels request them.

    Kernels that are optimised for a processor may request others.
    """
    count = _REQUESTS.get(operator.kind)
    return () if count is None else tuple(size for size in count(graph, operator) if size)


def _unpacked_kernel(graph: FileGraph, operator: FileOperator) -> tuple[int, ...]:
    """Weights of 4 bits are unpacked to 8 bits before they are used."""
    kernel = graph.tensors[operator.inputs[1]]
    return (math.prod(kernel.shape),) if kernel.bits == INT4_BITS else ()


def _transposed_convolution(graph: FileGraph, operator: FileOperator) -> tuple[int, ...]:
    """The sums of the output: 32 bits for activations of 8 bits, 64 bits for 16 bits."""
    output = graph.tensors[operator.outputs[0]]
    return (4 * output.size_bytes,)


def _mean(graph: FileGraph, operator: FileOperator) -> tuple[int, ...]:
    """The sums of the output, and two lists of dimensions."""
    sums = INT_BYTES * math.prod(graph.tensors[operator.outputs[0]].shape)
    return (sums, *_dimensions(graph, operator))


def _dimensions(graph: FileGraph, operator: FileOperator) -> tuple[int, ...]:
    size = INT_BYTES * len(graph.tensors[operator.inputs[0]].shape)
    return size, size


def _lstm(graph: FileGraph, operator: FileOperator) -> tuple[int, ...]:
    """The gates, of 16 bits for each cell."""
    cells = graph.tensors[operator.inputs[_INPUT_TO_CELL]].shape[0]
    return (2 * cells,) * 4


_INPUT_TO_CELL = 3
"""The index of the kernel from the input to the cells among the inputs of an LSTM operator."""
_REQUESTS: Mapping[str, Callable[[FileGraph, FileOperator], tuple[int, ...]]] = {
    "CONV_2D": _unpacked_kernel,
    "DEPTHWISE_CONV_2D": _unpacked_kernel,
    "FULLY_CONNECTED": _unpacked_kernel,
    "MEAN": _mean,
    "REDUCE_MAX": _dimensions,
    "TRANSPOSE_CONV": _transposed_convolution,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
