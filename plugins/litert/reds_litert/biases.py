"""Biases of operators in .tflite files, whose scales follow from those of the input and of the kernel."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray
from reds_litert.kernel_operators import bias_place, input_place
from reds_litert.schema import OPERATOR_NAMES, TYPES, WEIGHTS, elements, give_content, give_scales, kind_of


def scales_of(tensor: Any) -> FloatArray:
    """Return the scales of a tensor, one or one for each channel."""
    return np.asarray(tensor.quantization.scale, np.float64)


def bias_of(model: Any, graph: Any, operator: Any) -> tuple[Any, npt.NDArray[Any]] | None:
    """Return the tensor of the bias of an operator and its elements, or None if it has no constant bias."""
    place = bias_place(OPERATOR_NAMES[kind_of(model, operator)])
    if len(operator.inputs) <= place or operator.inputs[place] < 0:
        return None
    tensor = graph.tensors[operator.inputs[place]]
    values = elements(model, tensor)
    return None if values is None else (tensor, values)


def rescale_bias(model: Any, graph: Any, operator: Any, scales: FloatArray | None = None) -> None:
    """Give an operator a bias of its own for new scales of its input or kernel, which are large enough for it.

    Args:
        model: The content of the file.
        graph: The graph of the operator.
        operator: The operator, one with a kernel. Without a constant bias, nothing changes.
        scales: The scale of each channel of the kernel; None for those that the kernel has.
    """
    found = bias_of(model, graph, operator)
    if found is None:
        return
    bias, values = found
    kind = OPERATOR_NAMES[kind_of(model, operator)]
    source, kernel = (graph.tensors[operator.inputs[place]] for place in (input_place(kind), WEIGHTS))
    new = float(scales_of(source)[0]) * (scales_of(kernel) if scales is None else scales)
    rounded = np.where(new > 0, np.rint(values * scales_of(bias) / np.where(new > 0, new, 1)), values)
    replace_bias(model, graph, operator, rounded.astype(TYPES[bias.type]), new)


def replace_bias(
    model: Any, graph: Any, operator: Any, integers: npt.NDArray[Any], scales: npt.NDArray[np.floating[Any]]
) -> None:
    """Give an operator another bias, without changing that of other operators that read the same tensor.

    Args:
        model: The content of the file.
        graph: The graph of the operator.
        operator: The operator, which has a bias.
        integers: The new bias in the type of the old one.
        scales: The scale of each element.
    """
    place = bias_place(OPERATOR_NAMES[kind_of(model, operator)])
    index = int(operator.inputs[place])
    readers = [int(read) for each in graph.operators if each.inputs is not None for read in each.inputs]
    bias = copy.copy(graph.tensors[index])
    bias.quantization = copy.copy(bias.quantization)
    give_content(model, bias, integers.view(np.uint8))
    give_scales(bias, scales, 0)
    if readers.count(index) == 1:
        graph.tensors[index] = bias
        return
    graph.tensors.append(bias)
    operator.inputs = [*operator.inputs[:place], len(graph.tensors) - 1, *operator.inputs[place + 1 :]]
