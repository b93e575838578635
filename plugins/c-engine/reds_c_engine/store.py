"""One array of weights for all members: the kernels of the full network, of which those of the members are parts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from reds_litert.graph import FileGraph, FileTensor
from reds_litert.kernel_packing import KernelPacking
from reds_litert.slices import KernelSlice, channel_axis, kernel_slices

from reds_c_engine.packing import packed_kernel
from reds_c_engine.records import Coding, Kernel, Segment
from reds_core.arrays import IntArray
from reds_core.errors import UnsupportedError

DEPTHWISE, TRANSPOSED = "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"
WITH_WEIGHTS = ("CONV_2D", DEPTHWISE, TRANSPOSED, "FULLY_CONNECTED")
"""Operators whose second input is a kernel."""
LARGEST_ROW = (1 << 16) - 1
"""The largest number of elements of a row that the engine can express."""


@dataclass(frozen=True)
class StoredKernel:
    """A kernel in the store.

    Attributes:
        offset_bytes: The place of its first weight.
        row: The number of elements of its last axis, which the store holds one after the other.
        rows_of_channel: The number of rows of each output channel.
        packing: How it is packed.
        coding: Where its codebooks and its mask lie; None if it has neither.
    """

    offset_bytes: int
    row: int
    rows_of_channel: int
    packing: KernelPacking
    coding: Coding | None

    @property
    def bits(self) -> int:
        """The number of bits of a value."""
        return self.packing.bits


class WeightStore:
    """The weights of a family. Those of the full network come first, then kernels that are not parts of earlier ones.

    Args:
        full: The graph of the full network.
    """

    def __init__(self, full: FileGraph) -> None:
        self._content = bytearray()
        self._stored: dict[FileTensor, StoredKernel] = {}
        kernels: dict[int, StoredKernel] = {}
        for index, operator in enumerate(full.operators):
            if operator.kind in WITH_WEIGHTS:
                kernel = full.tensors[operator.inputs[1]]
                if kernel.data is not None:
                    kernels[index] = self._added(operator.kind, kernel)
        self._holders = [_Holder(full, kernels)]

    @property
    def content(self) -> bytes:
        """The weights."""
        return bytes(self._content)

    def kernels_of(self, member: FileGraph) -> Mapping[int, Kernel]:
        """Return where the weights of each operator of a member lie, by the index of the operator.

        A kernel that is not a part of that of the full network, value by value, nor of a member before, is added to the
        store. Members share the most if the largest come first.
        """
        slices = [kernel_slices(holder.graph, member) for holder in self._holders]
        found: dict[int, Kernel] = {}
        added: dict[int, StoredKernel] = {}
        for index, operator in enumerate(member.operators):
            if operator.kind not in WITH_WEIGHTS:
                continue
            kernel = member.tensors[operator.inputs[1]]
            if kernel.data is None:
                continue
            parts = zip(self._holders, (each.get(index) for each in slices), strict=True)
            shared = (holder.shared(operator.kind, kernel, part) for holder, part in parts if part is not None)
            place = next((each for each in shared if each is not None), None)
            if place is None:
                own = added[index] = self._added(operator.kind, kernel)
                place = Kernel(own.offset_bytes, own.row, bits=own.bits, is_shared=False, coding=own.coding)
            found[index] = place
        if added:
            self._holders.append(_Holder(member, added))
        return found

    def _added(self, kind: str, kernel: FileTensor) -> StoredKernel:
        """Return the place of a kernel, which is added once if several operators of a network read it.

        Raises:
            UnsupportedError: If its integers cannot be packed as the file says.
        """
        if kernel in self._stored:
            return self._stored[kernel]
        assert kernel.data is not None
        packing = packing_of(kernel)
        try:
            parts = packed_kernel(kernel.data.astype(np.int8), channel_axis(kind), packing)
        except ValueError as error:
            raise UnsupportedError(
                f"the C engine cannot pack the kernel '{kernel.name}': {error}", "export the file again"
            ) from error
        offset, coding = len(self._content), None
        if packing.clusters or packing.has_mask:
            codebook_bytes = offset + len(parts.values)
            coding = Coding(packing, codebook_bytes, codebook_bytes + len(parts.codebooks), parts.starts)
        self._content += parts.values + parts.codebooks + parts.mask
        rows_of_channel = math.prod(kernel.shape[1:-1])
        self._stored[kernel] = StoredKernel(offset, kernel.shape[-1], rows_of_channel, packing, coding)
        return self._stored[kernel]


def packing_of(kernel: FileTensor) -> KernelPacking:
    """Return how a kernel is packed."""
    return KernelPacking(kernel.bits, kernel.clusters, kernel.density_percent)


@dataclass(frozen=True, eq=False)
class _Holder:
    """A network some of whose kernels are in the store.

    Attributes:
        graph: Its graph.
        kernels: Where they lie, by the index of the operator.
    """

    graph: FileGraph
    kernels: Mapping[int, StoredKernel]

    def shared(self, kind: str, kernel: FileTensor, part: KernelSlice) -> Kernel | None:
        """Return a kernel as a part of one of this network; None if it is not one that the engine can express."""
        stored = self.kernels.get(part.operator)
        if stored is None or stored.packing != packing_of(kernel):
            return None
        whole = self.graph.tensors[self.graph.operators[part.operator].inputs[1]].data
        assert whole is not None
        assert kernel.data is not None
        if not _is_within(kind, part, whole.shape) or not np.array_equal(part.cut(kind, whole), kernel.data):
            return None
        if kind == DEPTHWISE:
            return _depthwise(stored, part.outputs)
        if not _is_run(part.outputs):
            return None
        if stored.packing.has_mask:
            return _masked(stored, part)
        first_bits = int(part.outputs[0]) * stored.rows_of_channel * stored.row * stored.bits
        if first_bits % 8:
            return None
        place = _row_parts(stored, stored.offset_bytes + first_bits // 8, part.inputs, kind)
        return None if place is None else replace(place, coding=_coding_from(stored, int(part.outputs[0])))


def _is_within(kind: str, part: KernelSlice, shape: tuple[int, ...]) -> bool:
    """Whether a kernel has all channels of a slice. One of a member may have fewer."""
    axis = -1 if kind == DEPTHWISE else 0
    inputs = part.inputs.max(initial=0) < shape[-1] or kind == DEPTHWISE
    return bool(part.outputs.max(initial=0) < shape[axis] and inputs)


def _depthwise(stored: StoredKernel, outputs: IntArray) -> Kernel:
    """Return a depthwise kernel, in which segments are runs of output channels."""
    start = int(outputs[0]) * stored.bits
    if _is_run(outputs) and start % 8 == 0:
        coding = _coding_from(stored, int(outputs[0]))
        return Kernel(stored.offset_bytes + start // 8, stored.row, bits=stored.bits, coding=coding)
    segments = _segments(outputs)
    return Kernel(stored.offset_bytes, stored.row, segments=segments, bits=stored.bits, coding=stored.coding)


def _coding_from(stored: StoredKernel, channel: int) -> Coding | None:
    """Return the codebooks of a kernel from an output channel on."""
    if stored.coding is None:
        return None
    return replace(stored.coding, codebook_bytes=stored.coding.codebook_bytes + channel * stored.packing.clusters)


def _masked(stored: StoredKernel, part: KernelSlice) -> Kernel | None:
    """Return a kernel with a mask that has some of the output channels of another, with all weights of each."""
    first, last = int(part.outputs[0]), int(part.outputs[-1]) + 1
    first_bits = first * stored.rows_of_channel * stored.row
    coding = _coding_from(stored, first)
    if coding is None or len(part.inputs) != stored.row or first_bits % 8:
        return None
    mask_bytes, starts = coding.mask_bytes + first_bits // 8, coding.starts[first:last]
    coding = replace(coding, mask_bytes=mask_bytes, starts=starts)
    return Kernel(stored.offset_bytes, stored.row, bits=stored.bits, coding=coding)


def _segments(indices: IntArray) -> tuple[Segment, ...]:
    """Return the runs of consecutive elements of a row."""
    starts = np.flatnonzero(np.diff(indices, prepend=indices[0] - 2) != 1)
    counts = np.diff(np.append(starts, len(indices)))
    return tuple(Segment(int(at), int(indices[at]), int(n)) for at, n in zip(starts, counts, strict=True))


def _row_parts(stored: StoredKernel, first_bytes: int, inputs: IntArray, kind: str) -> Kernel | None:
    """Return a kernel whose rows are parts of those of the full network."""
    segments = _segments(inputs)
    begin = int(inputs[0]) * stored.bits
    is_at_byte = begin % 8 == 0
    if len(segments) == 1 and is_at_byte:
        return Kernel(first_bytes + begin // 8, stored.row, bits=stored.bits)
    distances = {b.weight - a.weight for a, b in pairwise(segments)}
    is_even = len({segment.count for segment in segments}) == 1 and len(distances) == 1
    if kind == "FULLY_CONNECTED" and is_even and is_at_byte:
        (distance,) = distances
        is_regular = distance * len(segments) == stored.row
        if is_regular:  # the same channels of each position of an image
            return Kernel(first_bytes + begin // 8, distance, taps=len(segments), bits=stored.bits)
    if kind == TRANSPOSED:
        return None
    return Kernel(first_bytes, stored.row, segments=segments, bits=stored.bits)


def _is_run(indices: npt.NDArray[np.int64]) -> bool:
    """Whether indices follow each other."""
    return bool(len(indices) and (np.diff(indices) == 1).all())
