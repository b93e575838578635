"""How a device packs the kernels of a file that holds their integers in 8 bits each.

Any interpreter of LiteRT files runs such a file. A device that packs weights finds how in the metadata
`reds.kernel_bits`, which consists of little-endian int32 numbers: the version, then the same count of numbers for each
kernel. In version 2 these are the index of its graph, the index of its tensor in the graph, and the three attributes of
`KernelPacking`; in version 1, which is still read, there is only the first of those, the number of bits. Kernels that
are not named have the bits of their type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reds_core.errors import InputError
from reds_litert.graph import FileGraph, read_graph
from reds_litert.schema import give_metadata, metadata_in, unpacked

NAME = b"reds.kernel_bits"
VERSION, BITS_ONLY = 2, 1
"""The version that is written, and the one before, which only names numbers of bits."""
Place = tuple[int, int]
"""The index of a graph, and that of a tensor in it."""
ALL = 100
"""The density of a kernel of which every weight is stored, in percent."""
START_BITS = 32
"""The size of the number that says where the values of an output channel begin in a kernel with a mask."""


@dataclass(frozen=True)
class KernelPacking:
    """How a device packs a kernel.

    Attributes:
        bits: The number of bits of each stored value, which is a weight, or an index into a codebook.
        clusters: The number of 8-bit integers in the codebook of each output channel; 0 without codebooks.
        density_percent: The largest share of weights other than zero, in percent. Below 100, a mask of one bit for each
            weight says which are stored.
    """

    bits: int = 8
    clusters: int = 0
    density_percent: int = ALL

    @property
    def has_mask(self) -> bool:
        """Whether only the weights in a mask are stored."""
        return self.density_percent < ALL

    def values(self, weights: int) -> int:
        """Return the number of values that are stored of a kernel of some number of weights."""
        return -(-weights * self.density_percent // ALL)

    def size_bytes(self, weights: int, channels: int) -> int:
        """Return the size of a kernel with its codebooks and its mask, each rounded up to whole bytes.

        Args:
            weights: The number of its weights.
            channels: The number of its output channels.
        """
        size = -(-weights * self.bits * self.density_percent // (8 * ALL)) + channels * self.clusters
        return size + (-(-weights // 8) + channels * START_BITS // 8 if self.has_mask else 0)


def give_kernel_packings(model: Any, packings: Mapping[Place, KernelPacking]) -> None:
    """Record how kernels are packed in a file, in place of what it may have recorded.

    Args:
        model: The content of the file as objects of the generated classes.
        packings: How each kernel is packed that is not stored as weights of 8 bits.
    """
    rows = [
        (*place, one.bits, one.clusters, one.density_percent) for place, one in sorted(packings.items(), key=_place)
    ]
    give_metadata(model, NAME, np.array([VERSION, *(n for row in rows for n in row)], "<i4").view(np.uint8))


def _place(item: tuple[Place, KernelPacking]) -> Place:
    return item[0]


def kernel_packings_in(model: Any) -> dict[Place, KernelPacking]:
    """Return how each kernel is packed that a file records.

    Raises:
        InputError: If the record has another version or is damaged.
    """
    data = metadata_in(model, NAME)
    if data is None:
        return {}
    numbers = [] if len(data) % 4 else data.view("<i4").tolist()
    of_kernel = {BITS_ONLY: 3, VERSION: 5}.get(numbers[0] if numbers else 0, 0)
    if not of_kernel or len(numbers) % of_kernel != 1:
        raise InputError(f"the metadata {NAME.decode()} of the file cannot be read", "export the file again")
    rows = np.array(numbers[1:]).reshape(-1, of_kernel).tolist()
    return {(graph, tensor): KernelPacking(*rest) for graph, tensor, *rest in rows}


def read_packed_graph(content: bytes) -> FileGraph:
    """Return the graph of a file, in which each kernel says how a device packs it.

    Raises:
        InputError: If the content is not that of a .tflite file.
        UnsupportedError: If the file has several graphs, as with loops.
    """
    graph, packings = read_graph(content), kernel_packings_in(unpacked(content))
    if not packings:
        return graph
    tensors = list(graph.tensors)
    for (place, index), packing in packings.items():
        if place == 0 and index < len(tensors):
            clusters, density = packing.clusters, packing.density_percent
            tensors[index] = replace(tensors[index], bits=packing.bits, clusters=clusters, density_percent=density)
    return replace(graph, tensors=tuple(tensors))
