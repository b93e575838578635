"""Runs whole graphs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from reds_litert.graph import FileGraph, FileOperator

from reds_c_engine.reference.call import Call
from reds_c_engine.reference.operators import OPERATORS, WIDE_OPERATORS
from reds_core.errors import UnsupportedError

_ELEMENTS_AT_ONCE = 1 << 22
"""Bounds the memory that patches of convolutions take."""


def run(graph: FileGraph, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the output of a network with one input; the last one of a network with early exits.

    Args:
        graph: The graph, with int8 or int16 activations.
        x: The inputs of all examples, int8 or int16 (examples, ...).

    Returns:
        The outputs, int8 or int16 (examples, ...).

    Raises:
        UnsupportedError: If the reference has no such operator, or the operator is used in a way that it does not know.
    """
    return outputs_of(graph, x)[-1]


def outputs_of(graph: FileGraph, x: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
    """Return all outputs of a network with one input, int8 or int16 (examples, ...) each; see `run`."""
    largest = max(math.prod(graph.tensors[index].shape) for index in graph.computed)
    apart = any(graph.tensors[index].shape[:1] != (1,) for index in graph.computed)
    step = 1 if apart else max(1, _ELEMENTS_AT_ONCE // largest)
    parts = [activations(graph, x[start : start + step]) for start in range(0, len(x), step)]
    return tuple(np.concatenate([part[output] for part in parts]) for output in graph.outputs)


def activations(graph: FileGraph, x: npt.NDArray[Any]) -> dict[int, npt.NDArray[Any]]:
    """Return the values of all tensors that the network computes, by the index of the tensor; see `run`.

    Several examples at once need a graph in which the first axis of every tensor is that of the examples.
    """
    shape = graph.tensors[graph.inputs[0]].shape
    if len(graph.inputs) != 1:
        raise UnsupportedError("the reference runs networks with one input", "split the network")
    dtype = np.dtype(np.int16 if graph.tensors[graph.inputs[0]].dtype == np.int16 else np.int8)
    if x.shape[1:] != shape[1:] or x.dtype != dtype:
        raise UnsupportedError(
            f"the input is {x.dtype} {x.shape[1:]}, and the network takes {dtype} {shape[1:]}", "quantise the examples"
        )
    values: dict[int, npt.NDArray[Any]] = {graph.inputs[0]: x}
    for operator in graph.operators:
        values[operator.outputs[0]] = _result(graph, operator, values, len(x))
    return values


def _result(
    graph: FileGraph, operator: FileOperator, values: dict[int, npt.NDArray[Any]], examples: int
) -> npt.NDArray[Any]:
    operators = WIDE_OPERATORS if graph.tensors[operator.outputs[0]].dtype == np.int16 else OPERATORS
    if operator.kind not in operators or len(operator.outputs) != 1:
        raise UnsupportedError(
            f"the reference has no operator {operator.kind}", f"use networks of {', '.join(sorted(operators))}"
        )
    tensors = tuple(graph.tensors[index] if index >= 0 else None for index in operator.inputs)
    given = tuple(
        None if tensor is None else values.get(index, tensor.data)
        for index, tensor in zip(operator.inputs, tensors, strict=True)
    )
    call = Call(operator, tensors, given, graph.tensors[operator.outputs[0]], examples)
    return operators[operator.kind](call)
