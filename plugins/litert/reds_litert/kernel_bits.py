"""Kernels of fewer than 8 bits in files that hold their integers in 8 bits each.

Any interpreter of LiteRT files runs such a file. A device that packs weights finds the number of bits of each kernel in
the metadata `reds.kernel_bits`, which consists of little-endian int32 numbers: the version, then three for each kernel:
the index of its graph, the index of its tensor in the graph, and its number of bits. Kernels that are not named have
the bits of their type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from reds_core.errors import InputError
from reds_litert.graph import FileGraph, read_graph
from reds_litert.schema import give_metadata, metadata_in, unpacked

NAME = b"reds.kernel_bits"
VERSION = 1
Place = tuple[int, int]
"""The index of a graph, and that of a tensor in it."""


def give_kernel_bits(model: Any, bits: Mapping[Place, int]) -> None:
    """Record the numbers of bits of kernels in a file, in place of what it may have recorded.

    Args:
        model: The content of the file as objects of the generated classes.
        bits: The number of bits of each kernel of fewer than 8.
    """
    entries = [number for (graph, tensor), count in sorted(bits.items()) for number in (graph, tensor, count)]
    give_metadata(model, NAME, np.array([VERSION, *entries], "<i4").view(np.uint8))


def kernel_bits_in(model: Any) -> dict[Place, int]:
    """Return the number of bits of each kernel that a file records.

    Raises:
        InputError: If the record has another version or is damaged.
    """
    data = metadata_in(model, NAME)
    if data is None:
        return {}
    numbers = [] if len(data) % 4 else data.view("<i4").tolist()
    if not numbers or numbers[0] != VERSION or len(numbers) % 3 != 1:
        raise InputError(f"the metadata {NAME.decode()} of the file cannot be read", "export the file again")
    entries = numbers[1:]
    return {(graph, tensor): bits for graph, tensor, bits in zip(*(entries[k::3] for k in range(3)), strict=True)}


def read_packed_graph(content: bytes) -> FileGraph:
    """Return the graph of a file, in which the `bits` of each kernel are those that a device packs it with.

    Raises:
        InputError: If the content is not that of a .tflite file.
        UnsupportedError: If the file has several graphs, as with loops.
    """
    graph, bits = read_graph(content), kernel_bits_in(unpacked(content))
    tensors = (replace(each, bits=bits.get((0, index), each.bits)) for index, each in enumerate(graph.tensors))
    return replace(graph, tensors=tuple(tensors)) if bits else graph
