"""Kernels in .tflite files as lookup tables of tflite-micro, and back.

The wheel of tflite-micro writes and runs such files. Each kernel becomes a tensor of indices and one of tables, which a
custom operator, TFLM_DECODE, turns into the kernel in the arena directly before the operator that needs it. Other
interpreters do not have the operator.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from reds_litert.memory_metadata import with_memory_plan
from reds_litert.schema import give_content, packed, unpacked
from reds_litert.usage import SCALE_BYTES, weight_bytes_of

from reds_core.errors import UnsupportedError
from reds_core.system import silenced_output

OPERATOR = b"TFLM_DECODE"
HEADER_BYTES = 16
"""The size of what stands before the tables of a tensor."""
LOOKUP = 0
"""The kind of coding by lookup tables."""
_VERSION, _PARAMETERS, _STRIDE = 4, 5, 6
"""The places of bytes in the header: the version, the axis and the bits of an index, and the length of a table."""


@dataclass(frozen=True)
class Lookup:
    """How a kernel is stored.

    Attributes:
        bits: The number of bits of an index.
        axis: The axis of output channels, each of which has a table of its own.
    """

    bits: int
    axis: int


@dataclass(frozen=True, eq=False)
class _Coded:
    """A kernel in a file.

    Attributes:
        tensor: The kernel, which the operator writes.
        lookup: How it is stored.
        codes: The indices as they are packed.
        tables: The tables, int8 (output channels, length).
    """

    tensor: Any
    lookup: Lookup
    codes: npt.NDArray[np.uint8]
    tables: npt.NDArray[np.int8]


def with_lookup_tables(content: bytes, kernels: Mapping[int, Lookup]) -> bytes:
    """Return a file in which some kernels are lookup tables, with a memory plan.

    Args:
        content: The content of a file with one graph.
        kernels: How each kernel is stored, by the index of its tensor.

    Raises:
        UnsupportedError: If an output channel has too many different weights.
    """
    if not kernels:
        return with_memory_plan(content)
    from tflite_micro.tensorflow.lite.micro.compression import compress, parse_yaml
    from tflite_micro.tensorflow.lite.micro.compression.compressor import CompressionError

    asked = [
        {"subgraph": 0, "tensor": tensor, "compression": [{"lut": _as_asked(lookup)}]}
        for tensor, lookup in kernels.items()
    ]
    try:
        with silenced_output(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a table may take more than it saves, which costs have counted
            made = bytes(compress(content, parse_yaml(json.dumps({"tensors": asked}))))
    except CompressionError as error:
        what = f"tflite-micro cannot make lookup tables ({error})"
        raise UnsupportedError(what, "leave weights as they are") from error
    return with_memory_plan(_smaller(made))


def _smaller(content: bytes) -> bytes:
    """Return a file without the names and scales of indices and tables, which nothing reads."""
    model = unpacked(content)
    decoding = _codes_of_operator(model)
    for graph in model.subgraphs:
        for operator in (each for each in graph.operators if each.opcodeIndex in decoding):
            for index in operator.inputs:
                graph.tensors[index].quantization = graph.tensors[index].name = None
    return packed(model)


def _as_asked(lookup: Lookup) -> dict[str, Any]:
    return {"index_bitwidth": lookup.bits, "per_channel": {"axis": lookup.axis}}


def without_lookup_tables(content: bytes) -> bytes:
    """Return a file that computes the same without lookup tables, so that any interpreter runs it."""
    model = unpacked(content)
    decoding = _codes_of_operator(model)
    if not decoding:
        return content
    for coded in _coded(model):
        give_content(model, coded.tensor, _decoded(coded).reshape(-1).view(np.uint8))
    for graph in model.subgraphs:
        graph.operators = [each for each in graph.operators if each.opcodeIndex not in decoding]
    other = next(code for index, code in enumerate(model.operatorCodes) if index not in decoding)
    for index in decoding:
        model.operatorCodes[index] = other
    return packed(model)


def coded_weight_bytes(content: bytes) -> int:
    """Return the size of the weights in a file with lookup tables, as descriptions of networks count it.

    A table counts as many integers as its indices could tell apart. The header of each tensor counts as a part of the
    graph.
    """
    size = weight_bytes_of(content)
    for coded in _coded(unpacked(content)):
        channels, length = coded.tables.shape
        size += channels * (SCALE_BYTES + (1 << coded.lookup.bits) - length) - HEADER_BYTES
    return size


def _codes_of_operator(model: Any) -> set[int]:
    return {index for index, code in enumerate(model.operatorCodes) if code.customCode == OPERATOR}


def _coded(model: Any) -> Iterator[_Coded]:
    """Yield the kernels that the graphs of a file decode.

    Raises:
        ValueError: If one is coded in another way than by lookup tables of output channels.
    """
    decoding = _codes_of_operator(model)
    for graph in model.subgraphs:
        for operator in graph.operators:
            if operator.opcodeIndex not in decoding:
                continue
            for place, output in enumerate(operator.outputs):
                codes, about = (
                    np.asarray(model.buffers[graph.tensors[operator.inputs[2 * place + k]].buffer].data, np.uint8)
                    for k in range(2)
                )
                tensor, axis = graph.tensors[output], int(about[_PARAMETERS]) >> 4
                if about[0] != LOOKUP or about[_VERSION] != 1 or axis >= len(tensor.shape):
                    raise ValueError("a tensor has no lookup table of each output channel")
                tables = about[HEADER_BYTES:].view(np.int8).reshape(-1, int(about[_STRIDE]))
                yield _Coded(tensor, Lookup(int(about[_PARAMETERS]) & 7, axis), codes, tables)


def _decoded(coded: _Coded) -> npt.NDArray[np.int8]:
    """Return a kernel. The first index is in the highest bits of a byte."""
    shape, bits = [int(n) for n in coded.tensor.shape], coded.lookup.bits
    count = int(np.prod(shape))
    fields = np.unpackbits(coded.codes)[: count * bits].reshape(count, bits)
    codes = (fields << np.arange(bits)[::-1]).sum(axis=1).reshape(shape)
    channels = np.arange(shape[coded.lookup.axis])
    along = channels.reshape([-1 if axis == coded.lookup.axis else 1 for axis in range(len(shape))])
    return np.asarray(coded.tables[along, codes], np.int8)
