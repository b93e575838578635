"""What a .tflite file uses of the resources that budgets know, counted from the file alone.

Weights are the constants that operators read in place of weights: kernels as they are packed, with a scale of 4 bytes
for each output channel if they are integers; biases as they are stored; other constants as they are stored. A kernel
whose integers are held in 8 bits each counts as the file records that a device packs it, with codebooks and masks.
Shapes, axes, paddings and single numbers are not weights. A constant that several operators read is counted once.

The arena is the memory for activations and scratch in a file with a memory plan.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from reds_core.errors import InputError
from reds_litert.kernel_operators import WITH_KERNELS, bias_place, channel_axis
from reds_litert.kernel_packing import KernelPacking, kernel_packings_in
from reds_litert.memory_metadata import arena_bytes
from reds_litert.schema import IDENTIFIER, OPERATOR_NAMES, TYPES, WEIGHTS, kind_of, unpacked

SCALE_BYTES = 4
INT4_BITS = 4
_KINDS, _TYPES = schema.BuiltinOperator, schema.TensorType
LSTM_KERNELS, LSTM_BIASES = range(1, 9), range(12, 16)
"""The indices of the kernels and of the biases among the inputs of an LSTM operator."""
SETTING_STATES = (_KINDS.RELU, _KINDS.QUANTIZE)
"""Operators by which the states of LSTM layers are set to zeros; they read no weights."""


def usage_of(path: Path) -> dict[str, int]:
    """Return the size of the weights in a file, and of the memory for activations if the file has a plan of it.

    Raises:
        InputError: If the file cannot be read.
    """
    try:
        content = path.read_bytes()
        if content[4:8] != IDENTIFIER:
            raise ValueError("no .tflite file")
        arena = arena_bytes(content)
        return {"weight_bytes": weight_bytes_of(content)} | ({} if arena is None else {"arena": arena})
    except FileNotFoundError:
        raise InputError(f"'{path}' does not exist", "check the path") from None
    except Exception as error:  # reading damaged content may raise anything
        raise InputError(f"'{path}' cannot be read as a LiteRT model", "export it again") from error


def weight_bytes_of(content: bytes) -> int:
    """Return the size of the weights in the content of a file."""
    model = unpacked(content)
    packings = kernel_packings_in(model)
    return sum(
        _of_graph(model, graph, {tensor: packing for (place, tensor), packing in packings.items() if place == index})
        for index, graph in enumerate(model.subgraphs)
    )


def _of_graph(model: Any, graph: Any, packings: Mapping[int, KernelPacking]) -> int:
    sizes: dict[int, int] = {}
    for operator in graph.operators:
        kind = kind_of(model, operator)
        if kind in SETTING_STATES:
            continue
        kernels, biases = _places(kind)
        for place, index in enumerate(operator.inputs if operator.inputs is not None else ()):
            if index < 0 or int(index) in sizes or not _is_constant(model, graph.tensors[index]):
                continue
            tensor = graph.tensors[index]
            if place in kernels:
                is_integer = tensor.type in (_TYPES.INT8, _TYPES.INT4)
                channels = int(tensor.shape[channel_axis(OPERATOR_NAMES[kind])])
                packing = packings.get(int(index))
                size = _stored(tensor) if packing is None else packing.size_bytes(_count(tensor), channels)
                sizes[int(index)] = size + channels * SCALE_BYTES * is_integer
            elif place in biases or _is_weight(tensor):
                sizes[int(index)] = _stored(tensor)
    return sum(sizes.values())


def _places(kind: int) -> tuple[Collection[int], Collection[int]]:
    """Return the indices of the kernels and of the biases among the inputs of an operator."""
    if kind == _KINDS.UNIDIRECTIONAL_SEQUENCE_LSTM:
        return LSTM_KERNELS, LSTM_BIASES
    name = OPERATOR_NAMES.get(kind, "")
    return ((WEIGHTS,), (bias_place(name),)) if name in WITH_KERNELS else ((), ())


def _is_weight(tensor: Any) -> bool:
    """Whether a constant that is neither a kernel nor a bias is a weight, and not a shape or a single number."""
    return tensor.type not in (_TYPES.INT32, _TYPES.INT64, _TYPES.BOOL) and _count(tensor) > 1


def _is_constant(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _count(tensor: Any) -> int:
    return math.prod(int(n) for n in tensor.shape) if tensor.shape is not None else 1


def _stored(tensor: Any) -> int:
    """Return the size of the elements of a tensor in bytes."""
    if tensor.type == _TYPES.INT4:
        return math.ceil(_count(tensor) * INT4_BITS / 8)
    return _count(tensor) * int(TYPES[tensor.type]().itemsize)
