"""Corrections of int8 files with tensors that are zero for every example, such as those behind a ReLU that is dead.

The converter gives them the least scale that it has, for a range of a millionth. A layer that computes such a tensor
then multiplies its sums by a factor of thousands. LiteRT's default delegate, XNNPACK, refuses factors of 256 and more,
so that the file cannot be loaded, or even ends the process. Since zero is zero at any scale, such tensors get that of
the tensor that they are computed from, and so do the tensors that poolings, paddings and the like make of them, whose
scale must be that of their input.
"""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from reds_litert.biases import rescale_bias
from reds_litert.kernel_operators import WITH_KERNELS, input_place
from reds_litert.schema import OPERATOR_NAMES, kind_of, packed, unpacked

_KINDS = schema.BuiltinOperator

LEAST_SCALE = 1e-8
"""Scales below this are those of tensors without a range."""
ANY_SCALE = frozenset(
    {
        *(getattr(_KINDS, name) for name in WITH_KERNELS),
        _KINDS.ADD,
        _KINDS.BATCH_MATMUL,
        _KINDS.HARD_SWISH,
        _KINDS.LEAKY_RELU,
        _KINDS.MEAN,
        _KINDS.MUL,
        _KINDS.PRELU,
        _KINDS.QUANTIZE,
        _KINDS.RELU,
        _KINDS.SQUARED_DIFFERENCE,
        _KINDS.SUB,
        _KINDS.SUM,
    }
)
"""Operators whose tensors may have any scale, whatever their others have."""
FIXED_OUTPUT = frozenset({_KINDS.DEQUANTIZE, _KINDS.LOGISTIC, _KINDS.SOFTMAX, _KINDS.TANH})
"""Operators whose input may have any scale, and whose output has a fixed one or none."""
SAME_SCALE = frozenset(
    {
        _KINDS.AVERAGE_POOL_2D,
        _KINDS.BATCH_TO_SPACE_ND,
        _KINDS.CONCATENATION,
        _KINDS.DEPTH_TO_SPACE,
        _KINDS.EXPAND_DIMS,
        _KINDS.MAXIMUM,
        _KINDS.MAX_POOL_2D,
        _KINDS.MINIMUM,
        _KINDS.MIRROR_PAD,
        _KINDS.PACK,
        _KINDS.PAD,
        _KINDS.PADV2,
        _KINDS.REDUCE_MAX,
        _KINDS.REDUCE_MIN,
        _KINDS.RESHAPE,
        _KINDS.RESIZE_BILINEAR,
        _KINDS.RESIZE_NEAREST_NEIGHBOR,
        _KINDS.SLICE,
        _KINDS.SPACE_TO_BATCH_ND,
        _KINDS.SPACE_TO_DEPTH,
        _KINDS.SPLIT,
        _KINDS.SQUEEZE,
        _KINDS.STRIDED_SLICE,
        _KINDS.TILE,
        _KINDS.TRANSPOSE,
        _KINDS.UNPACK,
    }
)
"""Operators whose tensors of real numbers must all have the same scale."""


def zero_tensors_scaled(content: bytes) -> bytes:
    """Return .tflite content in which tensors without a range have the scale of what they are computed from.

    Files without such tensors are returned as they are.
    """
    model = unpacked(content)
    changed = [_scaled(model, graph) for graph in model.subgraphs]
    return packed(model) if any(changed) else content


def _scaled(model: Any, graph: Any) -> bool:
    """Scale the tensors of a graph, and say whether there were any."""
    changed = False
    for operator in graph.operators:
        kind = kind_of(model, operator)
        if kind not in ANY_SCALE:
            continue
        source = graph.tensors[operator.inputs[input_place(OPERATOR_NAMES[kind])]]
        before, after = _scale_of(graph.tensors[operator.outputs[0]]), _scale_of(source)
        if before is None or after is None or before >= LEAST_SCALE or after < LEAST_SCALE:
            continue
        alike = _with_the_same_scale(model, graph, int(operator.outputs[0]))
        readers = [each for each in graph.operators if alike & _read(each)]
        if any(_scale_of(graph.tensors[index]) != before for index in alike):
            continue
        if any(kind_of(model, each) not in ANY_SCALE | FIXED_OUTPUT | SAME_SCALE for each in readers):
            continue
        for index in alike:
            details = graph.tensors[index].quantization
            details.scale, details.min, details.max = [after], None, None
        for each in readers:
            if OPERATOR_NAMES[kind_of(model, each)] in WITH_KERNELS:
                rescale_bias(model, graph, each)
        changed = True
    return changed


def _with_the_same_scale(model: Any, graph: Any, index: int) -> set[int]:
    """A tensor, and those that must have the same scale because of the operators that make or read them."""
    joined = [
        {i for i in (*_read(each), *map(int, each.outputs)) if _scale_of(graph.tensors[i]) is not None}
        for each in graph.operators
        if kind_of(model, each) in SAME_SCALE
    ]
    found: set[int] = set()
    more = {index}
    while more - found:
        found |= more
        more = set().union(*(tensors for tensors in joined if tensors & found))
    return found


def _read(operator: Any) -> set[int]:
    """The indices of the tensors that an operator reads."""
    return set() if operator.inputs is None else {int(index) for index in operator.inputs if index >= 0}


def _scale_of(tensor: Any) -> float | None:
    """The scale of a tensor of int8 that has a single one; None for others."""
    scales = None if tensor.quantization is None else tensor.quantization.scale
    if tensor.type != schema.TensorType.INT8 or scales is None or len(scales) != 1:
        return None
    return float(scales[0])
