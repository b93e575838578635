"""The memory plan in a .tflite file, by which tflite-micro allocates activations.

The metadata `OfflineMemoryAllocation` gives the offset of each tensor. Without it, tflite-micro places the largest
tensors first, which leaves gaps between tensors if widths are uneven. Other interpreters ignore the metadata.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from reds_litert.graph import graph_of
from reds_litert.memory_plan import ALIGNMENT_BYTES, buffers_of, place
from reds_litert.schema import Content, drop_unused_content, packed, unpacked

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
    placed = place(found.buffers, ALIGNMENT_BYTES).offsets
    for tensor, buffer in found.of_tensor.items():
        offsets[tensor] = placed[buffer]
    plan = np.concatenate([np.array([VERSION, 0, len(offsets)], np.int32), offsets])
    _replace(model, plan.astype("<i4"))
    return packed(model)


def planned_bytes(content: bytes) -> int | None:
    """Return the size of the memory that the plan in a file takes, or None if the file has none.

    Args:
        content: The content of a .tflite file.
    """
    model, offsets = unpacked(content), offsets_in(content)
    if offsets is None:
        return None
    tensors = graph_of(model, model.subgraphs[0]).tensors
    ends = (at + tensor.size_bytes for at, tensor in zip(offsets, tensors, strict=True) if at != UNPLANNED)
    return -(-max(ends, default=0) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def offsets_in(content: bytes) -> list[int] | None:
    """Return the offset of each tensor in the memory plan of a file, or None if the file has no plan."""
    model = unpacked(content)
    for entry in model.metadata or []:
        if entry.name == NAME:
            plan = np.asarray(model.buffers[entry.buffer].data, np.uint8).view("<i4")
            return [int(offset) for offset in plan[HEADER:]]
    return None


def _replace(model: Any, plan: npt.NDArray[np.int32]) -> None:
    model.metadata = [entry for entry in model.metadata or [] if entry.name != NAME]
    drop_unused_content(model)
    model.buffers.append(Content(np.frombuffer(plan.tobytes(), np.uint8)))
    entry = schema.MetadataT()
    entry.name, entry.buffer = NAME, len(model.buffers) - 1
    model.metadata.append(entry)
