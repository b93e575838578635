"""A family from the files of its members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from reds_litert.graph import FileGraph, read_graph

from reds_c_engine.lowering import check_kinds, layer_name, lowered
from reds_c_engine.placing import placed
from reds_c_engine.records import Family, Kernel, Member, OwnKernels
from reds_c_engine.store import LARGEST_ROW, WITH_WEIGHTS, WeightStore
from reds_core.errors import InputError, UnsupportedError


def family_of(contents: Sequence[tuple[str, bytes]]) -> Family:
    """Return the family of some int8 .tflite files.

    Args:
        contents: The name and the content of the file of each member, smallest first; the full network last.

    Raises:
        InputError: If a file is damaged, or the files are not of one family.
        UnsupportedError: If the engine cannot run a member.
    """
    graphs = [(name, read_graph(content)) for name, content in contents]
    full = graphs[-1][1]
    for name, graph in graphs:
        with _named(name, len(graphs)):
            _check_operators(graph)
    for name, graph in graphs:
        _check_interface(name, graph, full)
    store = WeightStore(full)
    members: list[Member] = []
    own: list[OwnKernels] = []
    for name, graph in graphs:
        kernels = store.kernels_of(graph)
        with _named(name, len(graphs)):
            members.append(placed(name, graph, lowered(graph, kernels)))
        layers = _own_kernels(graph, kernels)
        own += [OwnKernels(name, layers)] if layers else []
    return Family(tuple(members), store.content, tuple(own))


@contextmanager
def _named(member: str, count: int) -> Iterator[None]:
    """Add the name of a member to errors, unless it is the only one."""
    try:
        yield
    except UnsupportedError as error:
        if count == 1:
            raise
        raise UnsupportedError(f"{error.what} (member '{member}')", error.fix) from error


def _check_operators(graph: FileGraph) -> None:
    """Check that a graph has no operator without a kernel, and neither inputs nor weights in floating point.

    Raises:
        UnsupportedError: If it has.
    """
    weights = (operator.inputs[1] for operator in graph.operators if operator.kind in WITH_WEIGHTS)
    for tensor in (graph.tensors[index] for index in (*graph.inputs, *weights)):
        if np.issubdtype(tensor.dtype, np.floating):
            raise UnsupportedError(
                f"the C engine cannot run files in floating point: tensor '{tensor.name}' has the type {tensor.dtype}",
                "give an int8 file, such as subnet-50-int8.tflite",
            )
    check_kinds(graph)


def _check_interface(name: str, graph: FileGraph, full: FileGraph) -> None:
    """Check that a member has inputs and outputs of the shapes of the full network.

    Raises:
        InputError: If it has others.
    """
    shapes = [
        [tuple(one.tensors[index].shape for index in indices) for indices in (one.inputs, one.outputs)]
        for one in (graph, full)
    ]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"member '{name}' has inputs and outputs of the shapes {shapes[0]}, and the full network {shapes[1]}",
            "give files of one family",
        )


def _own_kernels(graph: FileGraph, kernels: Mapping[int, Kernel]) -> tuple[str, ...]:
    """Return the names of the layers whose weights are not those of the full network.

    Raises:
        UnsupportedError: If the rows of a kernel are longer than the engine can express.
    """
    for index, kernel in kernels.items():
        if kernel.row > LARGEST_ROW:
            layer = layer_name(graph.tensors[graph.operators[index].outputs[0]])
            raise UnsupportedError(
                f"the C engine cannot run layer '{layer}', which reads {kernel.row} values at a time",
                f"use at most {LARGEST_ROW}",
            )
    return tuple(
        layer_name(graph.tensors[graph.operators[index].outputs[0]])
        for index, kernel in kernels.items()
        if not kernel.is_shared
    )
