"""Corrections of int8 files with tensors that are zero for every example, such as those behind a ReLU that is dead.

The converter gives them the least scale that it has, for a range of a millionth. A layer that computes such a tensor
then multiplies its sums by a factor of thousands. LiteRT's default delegate, XNNPACK, refuses factors of 256 and more,
so that the file cannot be loaded, or even ends the process. Since zero is zero at any scale, such tensors get that of
the tensor that they are computed from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from reds_litert.schema import BIAS, INPUT, WEIGHTS, elements, kind_of, packed, replace_bias, unpacked

LEAST_SCALE = 1e-8
"""Scales below this are those of tensors without a range."""
KERNELS = (
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.FULLY_CONNECTED,
)
ANY_SCALE = (
    *KERNELS,
    schema.BuiltinOperator.ADD,
    schema.BuiltinOperator.SUB,
    schema.BuiltinOperator.MUL,
    schema.BuiltinOperator.MEAN,
)
"""Operators whose tensors may have any scale, whatever their others have."""


def zero_tensors_scaled(content: bytes) -> bytes:
    """Return .tflite content in which tensors without a range have the scale of what they are computed from.

    Files without such tensors are returned as they are.
    """
    model = unpacked(content)
    changed = [_scaled(model, graph) for graph in model.subgraphs]
    return packed(model) if any(changed) else content


def _scaled(model: Any, graph: Any) -> bool:
    """Scale the tensors of a graph, and say whether there were any."""
    given = {int(index) for index in graph.outputs}
    changed = False
    for operator in graph.operators:
        if kind_of(model, operator) not in ANY_SCALE:
            continue
        made = graph.tensors[operator.outputs[0]]
        before, after = _scale_of(made), _scale_of(graph.tensors[operator.inputs[INPUT]])
        if before is None or after is None or before >= LEAST_SCALE or after < LEAST_SCALE:
            continue
        readers = [each for each in graph.operators if each.inputs is not None and operator.outputs[0] in each.inputs]
        if int(operator.outputs[0]) in given or any(kind_of(model, each) not in ANY_SCALE for each in readers):
            continue
        made.quantization.scale = [after]
        made.quantization.min = made.quantization.max = None
        for each in readers:
            if kind_of(model, each) in KERNELS and len(each.inputs) > BIAS and each.inputs[BIAS] >= 0:
                _rescale_bias(model, graph, each, before / after)
        changed = True
    return changed


def _scale_of(tensor: Any) -> float | None:
    """The scale of a tensor of int8 that has a single one; None for others."""
    scales = None if tensor.quantization is None else tensor.quantization.scale
    if tensor.type != schema.TensorType.INT8 or scales is None or len(scales) != 1:
        return None
    return float(scales[0])


def _rescale_bias(model: Any, graph: Any, operator: Any, factor: float) -> None:
    """Give an operator the integers of its bias at the scale that follows from that of its input."""
    bias, source = graph.tensors[operator.inputs[BIAS]], graph.tensors[operator.inputs[INPUT]]
    integers = elements(model, bias)
    if integers is None:
        return
    kernel = np.asarray(graph.tensors[operator.inputs[WEIGHTS]].quantization.scale, np.float64)
    scales = np.float32(source.quantization.scale[0]) * kernel
    scaled = np.rint(integers.astype(np.float64) * factor).astype(integers.dtype)
    replace_bias(model, graph, operator, scaled, scales)
