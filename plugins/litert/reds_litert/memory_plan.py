"""Memory plans: where the activations of a network lie in one block of memory, so that the block is small.

This is the offline dynamic storage allocation problem. Its lower bound is the largest total size of buffers that are
live at the same time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reds_litert.graph import FileGraph, FileOperator
from reds_litert.skyline import Skyline

ALIGNMENT_BYTES = 16
"""The alignment of buffers in tflite-micro."""
VIEWS = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")
"""Operators whose output has the same elements as their first input, in the same order."""
ELEMENTWISE = (
    *("ABS", "ADD", "CAST", "CEIL", "COS", "DIV", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG"),
    *("LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "NEG", "PRELU", "QUANTIZE", "RELU", "RELU6", "RELU_0_TO_1"),
    *("RELU_N1_TO_1", "ROUND", "RSQRT", "SIN", "SOFTMAX", "SQRT", "SQUARE", "SUB", "TANH"),
)
"""Operators that can overwrite their input: they read each element, or each row, before they write it."""
COMPARISONS = 4_000_000
"""How many comparisons of two buffers the local search may take, about a second."""


@dataclass(frozen=True)
class Buffer:
    """Memory that is needed for some time.

    Attributes:
        size_bytes: Its size.
        first: The first operator during which it is live.
        last: The last operator during which it is live.
    """

    size_bytes: int
    first: int
    last: int

    def meets(self, other: Buffer) -> bool:
        """Return whether both are live during some operator."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Placement:
    """Where buffers lie in one block of memory.

    Attributes:
        offsets: The distance of each buffer from the beginning of the block in bytes.
        size_bytes: The size of the block, a multiple of the alignment.
    """

    offsets: tuple[int, ...]
    size_bytes: int


def lower_bound_bytes(buffers: Sequence[Buffer], alignment_bytes: int = ALIGNMENT_BYTES) -> int:
    """Return the largest total size of buffers that are live at the same time, each rounded up to the alignment."""
    rounded = _rounded(buffers, alignment_bytes)
    return max((sum(b.size_bytes for b in rounded if b.first <= c.first <= b.last) for c in rounded), default=0)


def place(buffers: Sequence[Buffer], alignment_bytes: int = ALIGNMENT_BYTES) -> Placement:
    """Place buffers in one block of memory so that no two that are live at the same time overlap.

    The block is never larger than that of the greedy planner of tflite-micro, and is as small as `lower_bound_bytes`
    wherever that is found to be possible. The result depends on the arguments alone.

    Args:
        buffers: The buffers.
        alignment_bytes: Offsets and sizes are rounded up to multiples of this.
    """
    rounded = _rounded(buffers, alignment_bytes)
    bound = lower_bound_bytes(buffers, alignment_bytes)
    best = min(_until(bound, _by_orders(rounded)), key=lambda found: found.size_bytes)
    if best.size_bytes == bound:
        return best
    offsets, is_exact = Skyline([b.size_bytes for b in rounded], _spans(rounded)).least(best.size_bytes, bound)
    if offsets is not None:
        best = _placement(rounded, offsets)
    if is_exact:
        return best
    return min((best, *_until(bound, _by_moves(rounded))), key=lambda found: found.size_bytes)


def _until(bound: int, found: Iterable[Placement]) -> Iterator[Placement]:
    """Yield placements up to the first that is as small as the bound."""
    for placement in found:
        yield placement
        if placement.size_bytes == bound:
            return


def _rounded(buffers: Sequence[Buffer], alignment_bytes: int) -> list[Buffer]:
    return [Buffer(-(-b.size_bytes // alignment_bytes) * alignment_bytes, b.first, b.last) for b in buffers]


def _by_orders(buffers: Sequence[Buffer]) -> Iterator[Placement]:
    """Yield placements of buffers one after the other in several orders. The first is that of tflite-micro."""
    live = {b.first: sum(c.size_bytes for c in buffers if c.first <= b.first <= c.last) for b in buffers}

    def breadth(b: Buffer) -> int:
        return max(size for time, size in live.items() if b.first <= time <= b.last)

    keys: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
        lambda b: (-b.size_bytes,),
        lambda b: (-breadth(b), -b.size_bytes),
        lambda b: (-breadth(b), b.first - b.last, -b.size_bytes),
        lambda b: (b.first - b.last, -b.size_bytes),
        lambda b: (b.size_bytes * (b.first - b.last - 1),),
        lambda b: (b.first, -b.size_bytes),
        lambda b: (-b.last, -b.size_bytes),
    )
    for key in keys:
        for indices in (range(len(buffers) - 1, -1, -1), range(len(buffers))):  # tflite-micro: the last of equals first
            order = sorted(indices, key=lambda i: key(buffers[i]))
            yield _fitted(buffers, order, is_best_fit=False)
            yield _fitted(buffers, order, is_best_fit=True)


def _by_moves(buffers: Sequence[Buffer]) -> Iterator[Placement]:
    """Yield placements that a local search finds: orders that differ from the best one by a few moves."""
    generator = random.Random(0)
    order = sorted(range(len(buffers)), key=lambda i: (-buffers[i].size_bytes, buffers[i].first))
    best = _fitted(buffers, order, is_best_fit=False)
    for _ in range(COMPARISONS // (len(buffers) ** 2 + 1) if len(buffers) > 1 else 0):
        changed = list(order)
        for _ in range(generator.randint(1, 3)):
            changed.insert(generator.randrange(len(order)), changed.pop(generator.randrange(len(order))))
        found = _fitted(buffers, changed, is_best_fit=False)
        if found.size_bytes <= best.size_bytes:  # equals as well, which leads out of plateaus
            if found.size_bytes < best.size_bytes:
                yield found
            order, best = changed, found


def _fitted(buffers: Sequence[Buffer], order: Iterable[int], *, is_best_fit: bool) -> Placement:
    """Place each buffer in turn in the first, or the smallest, gap between those that were placed before."""
    offsets = [0] * len(buffers)
    placed: list[int] = []
    for index in order:
        buffer = buffers[index]
        taken = sorted((offsets[i], offsets[i] + buffers[i].size_bytes) for i in placed if buffers[i].meets(buffer))
        offsets[index] = gap(taken, buffer.size_bytes, is_best_fit)
        placed.append(index)
    return _placement(buffers, offsets)


def gap(taken: Iterable[tuple[int, int]], size: int, is_best_fit: bool = False) -> int:
    """Return the beginning of the first, or the smallest, gap of a size between ranges, or the end of the last range.

    Args:
        taken: The beginnings and ends of the ranges, in ascending order.
        size: The size.
        is_best_fit: Whether the smallest gap is to be found.
    """
    end, found, least = 0, None, None
    for low, high in taken:
        room = low - end
        if room >= size and (least is None or room < least):
            found, least = end, room
            if not is_best_fit:
                break
        end = max(end, high)
    return end if found is None else found


def _placement(buffers: Sequence[Buffer], offsets: Sequence[int]) -> Placement:
    return Placement(tuple(offsets), max((o + b.size_bytes for o, b in zip(offsets, buffers, strict=True)), default=0))


def _spans(buffers: Sequence[Buffer]) -> list[list[int]]:
    """Return the times of each buffer, reduced to those that matter and numbered from 0.

    Whatever is live together at some time is live together at one of these times.
    """
    live = {
        t: frozenset(i for i, b in enumerate(buffers) if b.first <= t <= b.last) for t in {b.first for b in buffers}
    }
    times = sorted(t for t, own in live.items() if not any(own < other for other in live.values()))
    return [[i for i, t in enumerate(times) if b.first <= t <= b.last] for b in buffers]


@dataclass(frozen=True)
class GraphBuffers:
    """The buffers that hold the activations of a graph.

    Attributes:
        buffers: The buffers.
        of_tensor: The index into `buffers` for the index of each tensor that an operator writes or that is an input of
            the network. Variable tensors are missing, since they outlast a run.
    """

    buffers: tuple[Buffer, ...]
    of_tensor: Mapping[int, int]


def buffers_of(graph: FileGraph) -> GraphBuffers:
    """Return the buffers that hold the activations of a graph.

    The output of an operator in VIEWS lies in the buffer of its input. So does that of an operator in ELEMENTWISE with
    one input that is computed, if it has the same shape and size and nothing reads the input afterwards. Operators that
    compute one activation together, such as x * sigmoid(x), may overwrite x as well.
    """
    end = max(len(graph.operators) - 1, 0)
    last_read = dict.fromkeys(graph.outputs, end + 1)  # outputs are read after the last operator
    for time, operator in reversed(list(enumerate(graph.operators))):
        for index in operator.inputs:
            last_read.setdefault(index, time)
    made = {index: time for time, operator in enumerate(graph.operators) for index in operator.outputs}
    origins = _origins(graph)
    of_tensor: dict[int, int] = {}
    found: list[Buffer] = []
    for index in graph.computed:
        if graph.tensors[index].is_variable:
            continue
        time, last = made.get(index, 0), last_read.get(index, made.get(index, 0))
        source = _overwritten(graph, graph.operators[time], origins) if index in made else None
        buffer = None if source is None else of_tensor.get(source)
        if buffer is not None and (found[buffer].last <= time or graph.operators[time].kind in VIEWS):
            own = found[buffer]
            found[buffer] = replace(own, last=max(own.last, last))
            of_tensor[index] = buffer
            continue
        of_tensor[index] = len(found)
        found.append(Buffer(graph.tensors[index].size_bytes, time, last))
    return GraphBuffers(tuple(replace(b, last=min(b.last, end)) for b in found), of_tensor)


def _overwritten(graph: FileGraph, operator: FileOperator, origins: Mapping[int, int]) -> int | None:
    """Return the input in whose place an operator may write its only output, if nothing reads it afterwards."""
    computed = _computed(graph, operator)
    if len(operator.outputs) != 1 or not computed:
        return None
    if operator.kind in VIEWS:
        return computed[0] if computed[0] == operator.inputs[0] else None
    if operator.kind not in ELEMENTWISE or len({origins.get(index, index) for index in computed}) > 1:
        return None
    source = min(computed, key=lambda index: index in origins)  # the one that the others are computed from
    return source if _is_alike(graph, source, operator.outputs[0]) else None


def _origins(graph: FileGraph) -> dict[int, int]:
    """Return, for each tensor that is computed from a single one element by element, the first such tensor."""
    origins: dict[int, int] = {}
    for operator in graph.operators:
        computed = _computed(graph, operator)
        roots = {origins.get(index, index) for index in computed}
        if (
            operator.kind in ELEMENTWISE
            and len(roots) == 1
            and all(_is_alike(graph, index, operator.outputs[0]) for index in computed)
        ):
            origins[operator.outputs[0]] = roots.pop()
    return origins


def _computed(graph: FileGraph, operator: FileOperator) -> list[int]:
    return [index for index in operator.inputs if index >= 0 and graph.tensors[index].data is None]


def _is_alike(graph: FileGraph, first: int, second: int) -> bool:
    one, other = graph.tensors[first], graph.tensors[second]
    return one.shape == other.shape and one.size_bytes == other.size_bytes
