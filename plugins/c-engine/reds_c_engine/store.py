"""One array of weights for all members: the kernels of the full network, of which those of the members are parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

import numpy as np
import numpy.typing as npt
from reds_litert.graph import FileGraph, FileTensor
from reds_litert.kernel_operators import DEPTHWISE, TRANSPOSED, WITH_KERNELS, channel_axis
from reds_litert.kernel_packing import KernelPacking
from reds_litert.slices import KernelSlice, kernel_slices

from reds_c_engine.kernel_records import Coding, Halves, Kernel, Segment
from reds_c_engine.packing import packed_kernel, packed_weights
from reds_core.arrays import IntArray
from reds_core.errors import UnsupportedError
from reds_core.transforms import TRUNCATED_BITS, are_truncated, truncated_codes

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
        halves: Where the lower halves of its weights lie, if they are stored in two halves, or are upper halves alone.
    """

    offset_bytes: int
    row: int
    rows_of_channel: int
    packing: KernelPacking
    coding: Coding | None = None
    halves: Halves | None = None

    @property
    def bits(self) -> int:
        """The number of bits from one value to the next."""
        return TRUNCATED_BITS if self.halves is not None else self.packing.bits


class WeightStore:
    """The weights of a family. Those of the full network come first, then kernels that are not parts of earlier ones.

    Kernels of the full network of which a member reads the upper 4 bits of each weight are stored in two halves, the
    lower ones behind everything else of the full network. Others are stored as they are.

    Args:
        full: The graph of the full network.
        members: The graphs of the members, by which kernels are stored in two halves or not.
    """

    def __init__(self, full: FileGraph, members: Sequence[FileGraph] = ()) -> None:
        self._content = bytearray()
        self._stored: dict[FileTensor, StoredKernel] = {}
        is_split = _truncated_by(full, members)
        kernels: dict[int, StoredKernel] = {}
        lower = list[FileTensor]()
        for index, operator in enumerate(full.operators):
            if operator.kind in WITH_KERNELS:
                kernel = full.tensors[operator.inputs[1]]
                if kernel.data is None:
                    continue
                if kernel in is_split and kernel not in self._stored:
                    lower.append(kernel)
                    self._stored[kernel] = self._upper_halves(kernel)
                kernels[index] = self._added(operator.kind, kernel)
        for kernel in lower:
            assert kernel.data is not None
            self._stored[kernel] = replace(self._stored[kernel], halves=Halves(len(self._content)))
            self._content += packed_weights(kernel.data.astype(np.int8), TRUNCATED_BITS)
        kernels = {index: self._stored[full.tensors[full.operators[index].inputs[1]]] for index in kernels}
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
        slices = [_slices(holder.graph, member) for holder in self._holders]
        found: dict[int, Kernel] = {}
        added: dict[int, StoredKernel] = {}
        for index, operator in enumerate(member.operators):
            if operator.kind not in WITH_KERNELS:
                continue
            kernel = member.tensors[operator.inputs[1]]
            if kernel.data is None:
                continue
            parts = zip(self._holders, (each.get(index) for each in slices), strict=True)
            shared = (holder.shared(operator.kind, kernel, part) for holder, part in parts if part is not None)
            place = next((each for each in shared if each is not None), None)
            if place is None:
                own = added[index] = self._added(operator.kind, kernel)
                place = Kernel(
                    own.offset_bytes, own.row, bits=own.bits, is_shared=False, coding=own.coding, halves=own.halves
                )
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
        if is_truncated(kernel):
            self._stored[kernel] = self._upper_halves(kernel)
            return self._stored[kernel]
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

    def _upper_halves(self, kernel: FileTensor) -> StoredKernel:
        """Add the upper halves of the weights of a kernel, and return their place."""
        assert kernel.data is not None
        offset = len(self._content)
        self._content += packed_weights(kernel.data.astype(np.int8) >> TRUNCATED_BITS, TRUNCATED_BITS)
        rows_of_channel = math.prod(kernel.shape[1:-1])
        return StoredKernel(offset, kernel.shape[-1], rows_of_channel, packing_of(kernel), halves=Halves(None))


def is_truncated(kernel: FileTensor) -> bool:
    """Whether the integers of a kernel of 4 bits are truncated codes of 8 bits."""
    is_plain = packing_of(kernel) == KernelPacking(TRUNCATED_BITS)
    return is_plain and kernel.data is not None and are_truncated(kernel.data)


def _truncated_by(full: FileGraph, members: Sequence[FileGraph]) -> set[FileTensor]:
    """Return the kernels of 8 bits of a network of which members have truncated parts.

    There are none if a member has activations of 16 bits, whose kernels read weights in one piece.
    """
    found: set[FileTensor] = set()
    if any(graph.tensors[index].dtype == np.int16 for graph in (full, *members) for index in graph.inputs):
        return found
    for member in members:
        truncated = {
            index
            for index, operator in enumerate(member.operators)
            if operator.kind in WITH_KERNELS and is_truncated(member.tensors[operator.inputs[1]])
        }
        for index, part in _slices(full, member).items() if truncated else ():
            operator = member.operators[index]
            kernel, whole = member.tensors[operator.inputs[1]], full.tensors[full.operators[part.operator].inputs[1]]
            if index not in truncated or whole.data is None or packing_of(whole) != KernelPacking():
                continue
            if _is_within(operator.kind, part, whole.shape) and _is_cut(operator.kind, part, whole, kernel):
                found.add(whole)
    return found


def _slices(full: FileGraph, member: FileGraph) -> dict[int, KernelSlice]:
    """Return the slices of kernels that a member may have of another network.

    Where neither contains the other, as of files that end at different exits, these are of the operators before those
    in which they differ.
    """
    found = kernel_slices(full, member)
    if found:
        return found
    kinds = ([operator.kind for operator in graph.operators] for graph in (full, member))
    count = len([*takewhile(lambda pair: pair[0] == pair[1], zip(*kinds, strict=False))])
    return kernel_slices(_begin(full, count), _begin(member, count)) if count else {}


def _begin(graph: FileGraph, count: int) -> FileGraph:
    """Return the first operators of a graph."""
    return replace(graph, operators=graph.operators[:count], outputs=graph.operators[count - 1].outputs)


def _is_cut(kind: str, part: KernelSlice, whole: FileTensor, kernel: FileTensor) -> bool:
    """Whether a kernel is a slice of another one, or of its truncated codes."""
    assert whole.data is not None
    assert kernel.data is not None
    cut = part.cut(kind, whole.data)
    is_read_above = is_truncated(kernel) and packing_of(whole) == KernelPacking()
    return np.array_equal(truncated_codes(cut) if is_read_above else cut, kernel.data)


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
        if stored is None:
            return None
        if stored.halves is not None and is_truncated(kernel):
            stored = replace(stored, halves=Halves(None), packing=packing_of(kernel))  # whatever the lower ones are
        if stored.packing != packing_of(kernel):
            return None
        whole = self.graph.tensors[self.graph.operators[part.operator].inputs[1]]
        assert whole.data is not None
        if not _is_within(kind, part, whole.shape) or not _is_cut(kind, part, whole, kernel):
            return None
        place = self._placed(kind, stored, part)
        if place is None or stored.halves is None:
            return place
        lower_bytes = stored.halves.lower_bytes
        if lower_bytes is not None:
            lower_bytes += place.offset_bytes - stored.offset_bytes
        return replace(place, halves=Halves(lower_bytes))

    def _placed(self, kind: str, stored: StoredKernel, part: KernelSlice) -> Kernel | None:
        """Return where a slice of a stored kernel lies; None if it is not one that the engine can express."""
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
