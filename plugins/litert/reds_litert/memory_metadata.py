"""The memory plan in a .tflite file, by which tflite-micro allocates activations.

The metadata `OfflineMemoryAllocation` gives the offset of each tensor. Without it, tflite-micro places the largest
tensors first, which leaves gaps between tensors if widths are uneven. Other interpreters ignore the metadata.
"""

from __future__ import annotations

import itertools

import numpy as np

from reds_litert.graph import FileGraph, graph_of
from reds_litert.kernel_scratch import scratch_sizes
from reds_litert.memory_plan import ALIGNMENT_BYTES, Buffer, buffers_of, gap, place
from reds_litert.schema import give_metadata, metadata_in, packed, unpacked

NAME = b"OfflineMemoryAllocation"
VERSION = 1
UNPLANNED = -1
"""The offset of constants and of tensors that outlast a run, for which the interpreter has memory elsewhere."""
HEADER = 3
"""The number of integers before the offsets: the version, the index of the graph, the number of tensors."""


def with_memory_plan(content: bytes) -> bytes:
    """Return the content of a .tflite file with a memory plan, in place of one that it may have.

    A file with several graphs, such as one with loops, is returned as it is.

    Args:
        content: The content of a file.
    """
    model = unpacked(content)
    if len(model.subgraphs) != 1:
        return content
    graph = graph_of(model, model.subgraphs[0])
    found = buffers_of(graph)
    offsets = np.full(len(graph.tensors), UNPLANNED, np.int32)
    # leave room for the scratch memory of kernels, which tflite-micro places itself
    placed = place((*found.buffers, *_scratch(graph)), ALIGNMENT_BYTES).offsets
    for tensor, buffer in found.of_tensor.items():
        offsets[tensor] = placed[buffer]
    plan = np.concatenate([np.array([VERSION, 0, len(offsets)], np.int32), offsets])
    give_metadata(model, NAME, plan.astype("<i4").view(np.uint8))
    return packed(model)


def arena_bytes(content: bytes) -> int | None:
    """Return what tflite-micro sets aside for activations and scratch memory, or None if a file has no memory plan.

    Args:
        content: The content of a .tflite file.
    """
    model, offsets = unpacked(content), offsets_in(content)
    if offsets is None:
        return None
    graph = graph_of(model, model.subgraphs[0])
    found = buffers_of(graph)
    at = {buffer: offsets[tensor] for tensor, buffer in found.of_tensor.items()}
    planned = [(at[i], at[i] + _aligned(b.size_bytes), b) for i, b in enumerate(found.buffers)]
    ends = [end for _, end, _ in planned]
    for time, sizes in itertools.groupby(_scratch(graph), key=lambda buffer: buffer.first):
        taken = [(start, end) for start, end, b in planned if b.first <= time <= b.last]
        # in the first gap, the largest first
        for size in sorted((_aligned(buffer.size_bytes) for buffer in sizes), reverse=True):
            start = gap(sorted(taken), size)
            taken.append((start, start + size))
        ends += [end for _, end in taken]
    return max(ends, default=0)


def _scratch(graph: FileGraph) -> list[Buffer]:
    """Return the scratch buffers of all operators, in the order of the operators."""
    return [
        Buffer(size, time, time)
        for time, operator in enumerate(graph.operators)
        for size in scratch_sizes(graph, operator)
    ]


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def offsets_in(content: bytes) -> list[int] | None:
    """Return the offset of each tensor in the memory plan of a file, or None if the file has no plan."""
    plan = metadata_in(unpacked(content), NAME)
    return None if plan is None else [int(offset) for offset in plan.view("<i4")[HEADER:]]
