"""The steps of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from reds_litert.graph import FileGraph

from reds_c_engine.kernel_records import Kernel
from reds_c_engine.lowering.convolutions import conv, dense, depthwise, transposed
from reds_c_engine.lowering.elements import arithmetic, function
from reds_c_engine.lowering.exits import by_exits
from reds_c_engine.lowering.fusion import tables_fused
from reds_c_engine.lowering.images import concatenation, greatest, mean, pad, pool, softmax
from reds_c_engine.lowering.operator import Operator
from reds_c_engine.lowering.wide import WIDE_LOWERINGS
from reds_c_engine.records import Program, Step
from reds_c_engine.sizes import misfit
from reds_c_engine.tables import FUNCTIONS
from reds_core.errors import UnsupportedError

RENAMING = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")
"""Operators whose output is their first input in another shape."""
LOWERINGS: dict[str, Callable[[Operator], list[Step]]] = {
    "CONV_2D": conv,
    "DEPTHWISE_CONV_2D": depthwise,
    "TRANSPOSE_CONV": transposed,
    "FULLY_CONNECTED": dense,
    "AVERAGE_POOL_2D": pool("reds_average_pool"),
    "MAX_POOL_2D": pool("reds_max_pool"),
    "MEAN": mean,
    "REDUCE_MAX": greatest,
    "PAD": pad,
    "PADV2": pad,
    "SOFTMAX": softmax,
    "CONCATENATION": concatenation,
    "ADD": arithmetic("reds_add"),
    "SUB": arithmetic("reds_subtract"),
    "MUL": arithmetic("reds_multiply"),
    **dict.fromkeys(FUNCTIONS, function),
}
"""What lowers each kind of operator."""


def lowered(graph: FileGraph, kernels: Mapping[int, Kernel]) -> Program:
    """Return the steps of a network.

    Args:
        graph: The graph of its file.
        kernels: Where the weights of each operator that has any lie in the store, by the index of the operator.

    Raises:
        UnsupportedError: If an operator has no kernel, or the network has several inputs.
    """
    check_kinds(graph)
    if len(graph.inputs) != 1 or not graph.outputs:
        raise UnsupportedError(
            f"the C engine cannot run networks of {len(graph.inputs)} inputs and {len(graph.outputs)} outputs",
            "give the network one input, and one output of each exit",
        )
    source = graph.tensors[graph.inputs[0]]
    shape, is_wide = source.shape, source.dtype == np.int16
    lowerings, dtype = (WIDE_LOWERINGS, np.dtype(np.int16)) if is_wide else (LOWERINGS, np.dtype(np.int8))
    if shape and shape[0] != 1:
        raise UnsupportedError(f"the C engine cannot run a batch of {shape[0]} inputs", "export files of batch size 1")
    renamed: dict[int, int] = {}
    steps: list[Step] = []
    for index, operator in enumerate(graph.operators):
        one = Operator(graph, operator, kernels.get(index))
        if operator.kind in RENAMING:
            renamed[operator.outputs[0]] = renamed.get(operator.inputs[0], operator.inputs[0])
            continue
        _check_integers(one, dtype)
        try:
            made = lowerings[operator.kind](one)
        except OverflowError as error:
            raise one.refused("its scales are too far apart") from error
        for step in made:
            field = misfit(step.settings)
            if field is not None:
                raise one.refused(f"its {field} is {getattr(step.settings, field)}, which is too large")
        steps += made
    steps = [replace(step, inputs=tuple(renamed.get(i, i) for i in step.inputs)) for step in steps]
    outputs = tuple(renamed.get(index, index) for index in graph.outputs)
    steps, sections = by_exits(tables_fused(steps, outputs), outputs)
    used = {graph.inputs[0], *(step.output for step in steps)}
    sizes = {index: graph.tensors[index].size_bytes for index in sorted(used)}
    return Program(tuple(steps), sections, sizes, graph.inputs[0], outputs, dtype.itemsize * 8)


def check_kinds(graph: FileGraph) -> None:
    """Check that there is a kernel for each operator of a network.

    Raises:
        UnsupportedError: If there is none for an operator. Conversions to floating point are named last, since they
            only serve an operator that is computed in it.
    """
    is_wide = any(graph.tensors[index].dtype == np.int16 for index in graph.inputs)
    lowerings = WIDE_LOWERINGS if is_wide else LOWERINGS
    missing = [one for one in graph.operators if one.kind not in lowerings and one.kind not in RENAMING]
    missing.sort(key=lambda one: one.kind == "DEQUANTIZE")
    if missing:
        raise Operator(graph, missing[0], None).refused(
            f"there is no kernel for it{' with activations of 16 bits' if is_wide else ''}"
        )


def _check_integers(one: Operator, dtype: np.dtype[Any]) -> None:
    """Refuse tensors of other numbers than the integers that are activations.

    Raises:
        UnsupportedError: If there is one.
    """
    indices = (*(i for i in one.operator.inputs if i >= 0 and one.graph.tensors[i].data is None), *one.operator.outputs)
    for tensor in (one.graph.tensors[i] for i in indices):
        if tensor.dtype != dtype or not len(tensor.scales):
            raise one.refused(f"tensor '{tensor.name}' has elements of type {tensor.dtype}, not {dtype}")
        if dtype == np.int16 and tensor.zero_points.any():
            raise one.refused(f"tensor '{tensor.name}' of 16 bits has a zero point other than 0")
        if tensor.is_variable:
            raise one.refused("it keeps a state from one run to the next")
