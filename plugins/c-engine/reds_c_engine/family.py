"""A family from the files of its members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

import numpy as np
from reds_litert.file_interface import output_names_of
from reds_litert.graph import FileGraph
from reds_litert.kernel_operators import WITH_KERNELS
from reds_litert.kernel_packing import read_packed_graph

from reds_c_engine.kernel_records import Kernel
from reds_c_engine.lowering import check_kinds, layer_name, lowered
from reds_c_engine.placing import placed
from reds_c_engine.records import Family, Member, OwnKernels
from reds_c_engine.store import LARGEST_ROW, WeightStore
from reds_core.errors import InputError, UnsupportedError

NO_EXITS: Mapping[str, str] = MappingProxyType({})
"""All members end at the last output of their file."""


def family_of(contents: Sequence[tuple[str, bytes]], exits: Mapping[str, str] = NO_EXITS) -> Family:
    """Return the family of some .tflite files with activations of 8 or of 16 bits.

    A file with several outputs, which are ordered by depth, has early exits. All outputs have one shape.

    Args:
        contents: The name and the content of the file of each member, smallest first; the full network last.
        exits: The name of the output at which members end that do not end at the last one of their file, by the name of
            the member.

    Raises:
        InputError: If a file is damaged, or the files are not of one family.
        UnsupportedError: If the engine cannot run a member.
    """
    graphs = [(name, _read(name, content, exits.get(name))) for name, content in contents]
    full = graphs[-1][1]
    for name, graph in graphs:
        with _named(name, len(graphs)):
            _check_operators(graph)
    for name, graph in graphs:
        _check_interface(name, graph, full)
    store = WeightStore(full, [graph for _, graph in graphs])
    members: list[Member] = []
    own: list[OwnKernels] = []
    # the largest first, since smaller ones may share what it does not share with the full network
    found = [store.kernels_of(graph) for _, graph in reversed(graphs)]
    for (name, graph), kernels in zip(graphs, reversed(found), strict=True):
        with _named(name, len(graphs)):
            members.append(placed(name, graph, lowered(graph, kernels)))
            _check_rows(graph, kernels)
        layers = _own_kernels(graph, kernels)
        own += [OwnKernels(name, layers)] if layers else []
    return Family(tuple(members), store.content, tuple(own))


def check_runs(content: bytes) -> None:
    """Check that the engine can run a file.

    Raises:
        InputError: If the file is damaged.
        UnsupportedError: If the engine cannot run it.
    """
    graph = read_packed_graph(content)
    _check_operators(graph)
    kernels = WeightStore(graph).kernels_of(graph)
    _check_rows(graph, kernels)
    lowered(graph, kernels)


def _read(name: str, content: bytes, end: str | None) -> FileGraph:
    """Return the graph of a member up to the output at which it ends.

    Raises:
        InputError: If the file has no such output, or outputs of several shapes.
    """
    graph = read_packed_graph(content)
    if end is not None:
        known = output_names_of(content)
        if end not in known:
            raise InputError(f"member '{name}' has no output '{end}'", f"choose from: {', '.join(known)}")
        graph = graph.ending_at(graph.outputs[: known.index(end) + 1])
    shapes = {graph.tensors[index].shape for index in graph.outputs}
    if len(shapes) > 1:
        raise InputError(
            f"member '{name}' has outputs of the shapes {', '.join(map(str, sorted(shapes)))}",
            "give all exits outputs of one shape",
        )
    return graph


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
    weights = (operator.inputs[1] for operator in graph.operators if operator.kind in WITH_KERNELS)
    for tensor in (graph.tensors[index] for index in (*graph.inputs, *weights)):
        if np.issubdtype(tensor.dtype, np.floating):
            raise UnsupportedError(
                f"the C engine cannot run files in floating point: tensor '{tensor.name}' has the type {tensor.dtype}",
                "give an int8 file, such as subnet-50-int8.tflite",
            )
    check_kinds(graph)


def _check_interface(name: str, graph: FileGraph, full: FileGraph) -> None:
    """Check that a member has inputs and outputs of the shapes of those of the full network.

    Raises:
        InputError: If it has others.
    """
    shapes = [
        [tuple(one.tensors[index].shape for index in indices) for indices in (one.inputs, one.outputs[-1:])]
        for one in (graph, full)
    ]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"member '{name}' has inputs and outputs of the shapes {shapes[0]}, and the full network {shapes[1]}",
            "give files of one family",
        )


def _check_rows(graph: FileGraph, kernels: Mapping[int, Kernel]) -> None:
    """Check the lengths of the rows of kernels.

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


def _own_kernels(graph: FileGraph, kernels: Mapping[int, Kernel]) -> tuple[str, ...]:
    """Return the names of the layers that have a copy of weights of their own."""
    return tuple(
        layer_name(graph.tensors[graph.operators[index].outputs[0]])
        for index, kernel in kernels.items()
        if not kernel.is_shared
    )
