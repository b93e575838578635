"""Corrections of int8 files with a RELU6 whose output has another scale than its input.

The converter writes such an operator where it cannot fuse the activation into the layer in front of it, as behind a
concatenation. LiteRT scales between the two, whereas LiteRT for Microcontrollers only limits the integers, so that a
device computes noise. The range of the output ends at 6 at the latest, and integers saturate there, so that RELU, which
both scale, computes the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from reds_litert.schema import INPUT, code_index, kind_of, packed, unpacked

GREATEST = np.iinfo(np.int8).max
HEADROOM = 1.01
"""By how much the range of the output may exceed 6, relative to it: the converter rounds zero points."""
RELU_VERSION = 2
"""The first version of RELU that takes int8."""


def relu6_replaced(content: bytes) -> bytes:
    """Return .tflite content in which no RELU6 of int8 has to scale; files without any are returned as they are."""
    model = unpacked(content)
    scaling = [
        operator
        for graph in model.subgraphs
        for operator in graph.operators
        if kind_of(model, operator) == schema.BuiltinOperator.RELU6 and _has_to_scale(graph, operator)
    ]
    for operator in scaling:
        operator.opcodeIndex = code_index(model, schema.BuiltinOperator.RELU, RELU_VERSION)
    return packed(model) if scaling else content


def _has_to_scale(graph: Any, operator: Any) -> bool:
    source, made = (graph.tensors[index] for index in (operator.inputs[INPUT], operator.outputs[0]))
    if made.type != schema.TensorType.INT8:
        return False
    (scale,), (zero,) = made.quantization.scale, made.quantization.zeroPoint
    is_same = source.quantization.scale[0] == scale and source.quantization.zeroPoint[0] == zero
    return not is_same and (GREATEST - zero) * scale <= HEADROOM * 6
