"""Which slice of a kernel of the full network a member of a family has, found by following channels through graphs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray
from reds_litert.channels import Axes, Channels, Source, Step, passed_on, regrouped, same
from reds_litert.graph import FileGraph, FileOperator
from reds_litert.kernel_operators import CONV, DENSE, DEPTHWISE, WITH_KERNELS, channel_axis, input_place
from reds_litert.schema import WEIGHTS
from reds_litert.skipped_blocks import CHANGING_NUMBERS_ONLY, SUM, adds_constant, contained_operators, skipped_sums

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"


@dataclass(frozen=True, eq=False)
class KernelSlice:
    """The part of a kernel of the full network that a member has.

    Attributes:
        outputs: The output channels of the full kernel, int64 (output channels of the member,).
        inputs: The elements of the last axis of the full kernel, int64 (length of that axis in the member,). For a
            fully connected operator after a flattened image these are taps times channels. For a depthwise convolution,
            whose kernel has its output channels there, the channels of the input.
        operator: The index of the operator of the full network.
    """

    outputs: IntArray
    inputs: IntArray
    operator: int

    def cut(self, kind: str, kernel: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the kernel of the member, given the kind of the operator and the kernel of the full network."""
        if kind == DEPTHWISE:
            return np.ascontiguousarray(kernel[..., self.outputs])
        return np.ascontiguousarray(kernel[self.outputs][..., self.inputs])


def kernel_slices(full: FileGraph, member: FileGraph) -> dict[int, KernelSlice]:
    """Find which slices of the kernels of a full network the kernels of a member are.

    The member keeps the first channels of each layer of the full network, apart from layers whose channels join those
    of a concatenation or are split later. Where that cannot be followed through the graphs, kernels are left out.
    Whether the values agree is not compared.

    Args:
        full: The graph of the full network.
        member: The graph of the member, converted in the same way or with other types of numbers.

    Returns:
        The slice of each kernel that can be followed, by the index of its operator in the graph of the member.
    """
    pairs = matched_operators(full, member)
    follower = _Follower(full, member, pairs)
    while True:
        known = len(follower.outputs)
        slices = follower.slices()
        if len(follower.outputs) == known:
            return slices


def matched_operators(full: FileGraph, member: FileGraph) -> tuple[tuple[int, int], ...]:
    """Return the indices of the operators that correspond to each other, without those that only change numbers.

    A member may have fewer outputs than the full network, as one that ends at an early exit does. It then corresponds
    to what the full network computes those outputs by. It may also lack residual blocks of that. Graphs of otherwise
    different operators have none.
    """
    of_member = _counted(member, range(len(member.operators)))
    kinds = [member.operators[index].kind for index in of_member]
    candidates = list(combinations(reversed(full.outputs), len(member.outputs)))
    for outputs in candidates:
        of_full = _counted(full, _needed(full, outputs))
        if kinds == [full.operators[index].kind for index in of_full]:
            return tuple(zip(of_full, of_member, strict=True))
    parts = (_counted(full, _needed(full, outputs)) for outputs in candidates)
    return next((pairs for part in parts if (pairs := contained_operators(full, member, part, of_member))), ())


def _needed(graph: FileGraph, outputs: Sequence[int]) -> Iterable[int]:
    """Return the indices of the operators that some outputs of a graph need, in execution order."""
    return range(len(graph.operators)) if len(outputs) == len(graph.outputs) else graph.needed(outputs)


def _counted(graph: FileGraph, operators: Iterable[int]) -> list[int]:
    """Return those of some operators that do more than change numbers."""
    return [index for index in operators if graph.operators[index].kind not in CHANGING_NUMBERS_ONLY]


class _Follower:
    """Follows channels through the graphs of a full network and a member.

    Args:
        full: The graph of the full network.
        member: The graph of the member.
        pairs: The indices of corresponding operators in both.
    """

    def __init__(self, full: FileGraph, member: FileGraph, pairs: Sequence[tuple[int, int]]) -> None:
        self._full, self._member, self._pairs = full, member, pairs
        self._full_source, self._source = _sources(full), _sources(member)
        self._sums = skipped_sums(full, {of_full for of_full, _ in pairs})
        self.outputs: dict[int, IntArray] = {}
        """The output channels of operators that are known not to be the first ones, by index in the member."""

    def slices(self) -> dict[int, KernelSlice]:
        """Follow the channels once. What is learned about `outputs` of earlier operators takes effect the next time."""
        found: dict[int, KernelSlice] = {}
        known: dict[int, Axes] = {}
        partners: dict[int, int] = {}
        for of_full, of_member in zip(self._full.inputs, self._member.inputs, strict=True):
            known[of_member], partners[of_member] = self._whole(of_full, of_member), of_full
        for at_full, at in self._pairs:
            full, member = self._full.operators[at_full], self._member.operators[at]
            step = self._step(full, member, known, partners)
            if member.kind == SUM and adds_constant(self._member, member) and not adds_constant(self._full, full):
                results = [self._beside_constant(member, known)]  # of a residual block that the member skips
            elif member.kind in WITH_KERNELS:
                part, results = self._kernel(at_full, at, step)
                if part is not None:
                    found[at] = part
            elif member.kind == LSTM:
                results = [(None, None, self._first(at, step.full_results[0][-1], step.pruned_results[0][-1]))]
            else:
                results = passed_on(step) or []
            for place, (of_full, of_member) in enumerate(zip(full.outputs, member.outputs, strict=False)):
                axes = results[place] if place < len(results) else ()
                known[of_member] = self._checked(axes, of_full, of_member)
                partners[of_member] = of_full
        return found

    def _step(self, full: FileOperator, member: FileOperator, known: dict[int, Axes], partners: dict[int, int]) -> Step:
        sources = []
        for of_full, of_member in zip(full.inputs, member.inputs, strict=False):
            of_full, of_member = self._from(of_full), self._source.get(of_member, of_member)
            if min(of_full, of_member) < 0:
                continue
            a, b = self._full.tensors[of_full], self._member.tensors[of_member]
            is_partner = b.data is not None or partners.get(of_member) == of_full
            axes = known.get(of_member, ()) if is_partner else ()
            axes = axes if len(axes) == len(b.shape) else (None,) * len(b.shape)
            sources.append(Source(axes, a.shape, b.shape, a.data, b.data))
        shapes = [
            tuple(graph.tensors[index].shape for index in operator.outputs)
            for graph, operator in ((self._full, full), (self._member, member))
        ]
        return Step(member.kind, member.options, tuple(sources), shapes[0], shapes[1], self._decided)

    def _from(self, tensor: int) -> int:
        """The tensor of the full network that one is made from by changing numbers, or by adding a skipped block."""
        while tensor in self._full_source or tensor in self._sums:
            tensor = self._full_source.get(tensor, self._sums.get(tensor, tensor))
        return tensor

    def _beside_constant(self, operator: FileOperator, known: dict[int, Axes]) -> Axes:
        """The elements of a sum with a constant: those of its other operand."""
        sources = (self._source.get(each, each) for each in operator.inputs)
        return next((known[each] for each in sources if each in known), ())

    def _decided(self, channels: Channels | None, indices: IntArray) -> Channels | None:
        if channels is None or channels.maker is None or np.array_equal(channels.indices, indices):
            return channels
        self.outputs.setdefault(channels.maker, indices)
        return Channels(indices)

    def _first(self, at: int, full: int, member: int) -> Channels:
        """The output channels of an operator: its first ones, unless others are known."""
        if at in self.outputs and len(self.outputs[at]) == member:
            return Channels(self.outputs[at])
        return Channels(np.arange(member), None if full == member else at)

    def _kernel(self, at_full: int, at: int, step: Step) -> tuple[KernelSlice | None, list[Axes]]:
        """The slice of a kernel, and the elements of the output."""
        full, member = self._full.operators[at_full], self._member.operators[at]
        kernel, pruned = (
            graph.tensors[operator.inputs[WEIGHTS]] for graph, operator in ((self._full, full), (self._member, member))
        )
        source = step.sources[input_place(member.kind)]
        channels = source.last
        of_kernel = channel_axis(member.kind)
        lengths, shapes = (kernel.shape[-1], pruned.shape[-1]), (source.full, source.pruned)
        if member.kind == DENSE and (source.full[-1], source.pruned[-1]) != lengths:
            flat, flat_pruned = ((math.prod(s) // n, n) for s, n in zip(shapes, lengths, strict=True))
            channels = regrouped(source.axes, source.full, flat, flat_pruned)[-1]
        if member.kind == DEPTHWISE:
            outputs = self._depthwise_outputs(at, channels, source, kernel.shape[3], pruned.shape[3])
        elif member.kind == CONV and kernel.shape[-1] == pruned.shape[-1] < source.full[-1]:
            outputs = _grouped_outputs(channels, source, kernel.shape, pruned.shape)
            channels = same(kernel.shape[-1])
        else:
            outputs = self._first(at, kernel.shape[of_kernel], pruned.shape[of_kernel])
        result = step.pruned_results[0]
        axes: Axes = (*(None,) * (len(result) - 1), outputs)
        if channels is None or outputs is None or kernel.data is None or pruned.data is None:
            return None, [axes]
        part = KernelSlice(outputs.indices, channels.indices, at_full)
        is_whole = all(a == b for a, b in zip(source.full[1:-1], source.pruned[1:-1], strict=True))
        limits = kernel.shape[of_kernel], source.full[-1] if member.kind == DEPTHWISE else kernel.shape[-1]
        is_inside = all((i < limit).all() for i, limit in zip((part.outputs, part.inputs), limits, strict=True))
        is_alike = is_inside and part.cut(member.kind, kernel.data).shape == pruned.shape
        return part if is_alike and (is_whole or member.kind == DENSE) else None, [axes]

    def _depthwise_outputs(
        self, at: int, channels: Channels | None, source: Source, full: int, member: int
    ) -> Channels | None:
        """The output channels of a depthwise convolution: several in a row for each channel of the input."""
        multiplier = full // source.full[-1]
        if member != multiplier * source.pruned[-1]:
            return self._first(at, full, member)
        if channels is None or multiplier == 1:
            return channels
        return Channels((channels.indices[:, None] * multiplier + np.arange(multiplier)).reshape(-1))

    def _whole(self, of_full: int, of_member: int) -> Axes:
        return self._checked((), of_full, of_member)

    def _checked(self, axes: Axes, of_full: int, of_member: int) -> Axes:
        """The elements of each axis: all of them where both tensors are of one length, else those of a rule."""
        full, member = self._full.tensors[of_full].shape, self._member.tensors[of_member].shape
        if len(full) != len(member):
            return (None,) * len(member)
        axes = axes if len(axes) == len(member) else (None,) * len(member)
        found: list[Channels | None] = []
        for each, length, kept in zip(axes, full, member, strict=True):
            if length == kept:
                found.append(same(kept))
            else:
                found.append(each if each is not None and len(each.indices) == kept else None)
        return tuple(found)


def _grouped_outputs(
    channels: Channels | None, source: Source, full: tuple[int, ...], member: tuple[int, ...]
) -> Channels | None:
    """The output channels of a grouped convolution, of which a member keeps whole groups.

    Args:
        channels: The channels of the input.
        source: The input.
        full: The shape of the full kernel, whose last axis holds the input channels of one group.
        member: The shape of the kernel of the member.
    """
    size, count, kept = full[-1], source.full[-1] // full[-1], source.pruned[-1] // full[-1]
    outputs = full[0] // count
    if channels is None or len(channels.indices) != kept * size or member[0] != kept * outputs:
        return None
    groups = channels.indices.reshape(kept, size)[:, 0] // size
    if not np.array_equal(channels.indices.reshape(kept, size), groups[:, None] * size + np.arange(size)):
        return None
    return Channels((groups[:, None] * outputs + np.arange(outputs)).reshape(-1))


def _sources(graph: FileGraph) -> dict[int, int]:
    """The tensor from which each output of an operator that only changes numbers is made."""
    found: dict[int, int] = {}
    for operator in graph.operators:
        if operator.kind in CHANGING_NUMBERS_ONLY:
            source = operator.inputs[0]
            found[operator.outputs[0]] = found.get(source, source)
    return found
