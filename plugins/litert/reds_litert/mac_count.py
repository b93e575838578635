"""The multiply-accumulates of one inference of a .tflite file, counted on its graph alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from reds_litert.schema import kind_of

_KINDS = schema.BuiltinOperator
_LSTM_KERNELS = range(1, 9)


def macs_of(model: Any) -> int | None:
    """Return the multiply-accumulates of one inference at a batch size of 1.

    They are those of convolutions, fully connected operators, products of matrices and LSTM layers, at each place where
    a kernel is applied, with padding. Other operators have none, as in budgets of MACs.

    Args:
        model: The content of a file as objects of the generated classes.

    Returns:
        Their number; None if the file has several graphs, because nothing in it says how often they run, or if its
        inputs and outputs do not say the batch size for which it was converted.
    """
    if len(model.subgraphs) != 1:
        return None
    graph = model.subgraphs[0]
    batch, total = _batch(graph), sum(_of(model, graph, operator) for operator in graph.operators)
    return None if batch is None or total % batch else total // batch


def _shape(graph: Any, index: int) -> Sequence[int]:
    found = graph.tensors[index].shape
    return [max(int(n), 1) for n in found] if found is not None else []  # -1 is an open batch


def _batch(graph: Any) -> int | None:
    """The number of examples that the graph takes at once, with which its inputs and outputs begin.

    It is 1 if that is true of none but some, such as a signal of one dimension, and None if they disagree.
    """
    shapes = [_shape(graph, int(index)) for index in (*graph.inputs, *graph.outputs)]
    first = {shape[0] if len(shape) > 1 else 1 for shape in shapes}
    if 1 in first or not first:
        return 1
    return first.pop() if len(first) == 1 else None


def _of(model: Any, graph: Any, operator: Any) -> int:
    kind = kind_of(model, operator)

    def shape(index: int) -> Sequence[int]:
        return _shape(graph, index)

    inputs = [int(index) for index in operator.inputs] if operator.inputs is not None else []
    output = shape(int(operator.outputs[0])) if operator.outputs is not None and len(operator.outputs) else []
    if kind in (_KINDS.CONV_2D, _KINDS.DEPTHWISE_CONV_2D, _KINDS.CONV_3D):
        return math.prod(shape(inputs[1])) * math.prod(output[:-1])
    if kind == _KINDS.TRANSPOSE_CONV:  # a kernel is applied to each place of the input
        return math.prod(shape(inputs[1])) * math.prod(shape(inputs[2])[:-1])
    if kind == _KINDS.FULLY_CONNECTED:
        kernel = shape(inputs[1])
        return math.prod(shape(inputs[0])) // kernel[-1] * math.prod(kernel)
    if kind == _KINDS.BATCH_MATMUL:
        is_turned = bool(operator.builtinOptions is not None and operator.builtinOptions.adjX)
        return math.prod(output) * shape(inputs[0])[-2 if is_turned else -1]
    if kind == _KINDS.UNIDIRECTIONAL_SEQUENCE_LSTM:
        steps = math.prod(shape(inputs[0])[:2])  # of all examples
        kernels = (inputs[place] for place in _LSTM_KERNELS if inputs[place] >= 0)
        return steps * sum(math.prod(shape(index)) for index in kernels)
    return 0
