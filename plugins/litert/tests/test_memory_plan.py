"""Placements of buffers: valid, as small as a brute force finds, and never larger than tflite-micro's own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reds_litert.graph import FileGraph, FileOperator, FileTensor
from reds_litert.memory_plan import Buffer, Placement, buffers_of, lower_bound_bytes, place


@st.composite
def buffers(draw: st.DrawFn, largest: int, most: int, last: int = 6) -> list[Buffer]:
    found = []
    for _ in range(draw(st.integers(0, most))):
        first = draw(st.integers(0, last))
        found.append(Buffer(draw(st.integers(0, largest)), first, draw(st.integers(first, last))))
    return found


def check(wanted: Sequence[Buffer], placement: Placement, alignment: int) -> None:
    ends = [offset + b.size_bytes for offset, b in zip(placement.offsets, wanted, strict=True)]
    assert all(offset >= 0 and offset % alignment == 0 for offset in placement.offsets)
    assert placement.size_bytes % alignment == 0
    assert placement.size_bytes >= max(ends, default=0)
    for i, one in enumerate(wanted):
        for j, other in enumerate(wanted[:i]):
            is_together = one.first <= other.last and other.first <= one.last
            is_apart = ends[i] <= placement.offsets[j] or ends[j] <= placement.offsets[i]
            assert is_apart or not is_together or 0 in (one.size_bytes, other.size_bytes)


def greedy(wanted: Sequence[Buffer], alignment: int) -> int:
    """The size of the block of tflite-micro's planner: by size, the last of equal ones first, in the first gap."""
    sizes = [-(-b.size_bytes // alignment) * alignment for b in wanted]
    placed: list[tuple[int, int]] = []
    for i in sorted(range(len(wanted)), key=lambda i: (-sizes[i], -i)):
        at = 0
        for offset, j in sorted(placed):
            if wanted[j].last < wanted[i].first or wanted[i].last < wanted[j].first:
                continue
            if offset - at >= sizes[i]:
                break
            at = max(at, offset + sizes[j])
        placed.append((at, i))
    return max((offset + sizes[i] for offset, i in placed), default=0)


def smallest(wanted: Sequence[Buffer]) -> int:
    """The size of the smallest block, by trying all offsets."""
    order = sorted((b for b in wanted if b.size_bytes), key=lambda b: b.first)

    def fits(size: int, placed: list[tuple[int, Buffer]]) -> bool:
        if len(placed) == len(order):
            return True
        own = order[len(placed)]
        for offset in range(size - own.size_bytes + 1):
            if all(
                b.last < own.first or offset + own.size_bytes <= at or at + b.size_bytes <= offset for at, b in placed
            ) and fits(size, [*placed, (offset, own)]):
                return True
        return False

    size = lower_bound_bytes(wanted, 1)
    while not fits(size, []):
        size += 1
    return size


@settings(max_examples=200, deadline=None)
@given(buffers(largest=200, most=12), st.sampled_from([1, 4, 16]))
def test_placements_are_valid_and_at_most_those_of_the_greedy_planner(wanted: list[Buffer], alignment: int) -> None:
    placement = place(wanted, alignment)
    check(wanted, placement, alignment)
    assert lower_bound_bytes(wanted, alignment) <= placement.size_bytes <= greedy(wanted, alignment)
    assert place(wanted, alignment) == placement


@settings(max_examples=150, deadline=None)
@given(buffers(largest=4, most=7))
def test_placements_of_a_few_buffers_are_the_smallest(wanted: list[Buffer]) -> None:
    assert place(wanted, 1).size_bytes == smallest(wanted)


def test_the_bound_cannot_always_be_reached() -> None:
    lives = ((1, 0, 1), (3, 0, 2), (2, 3, 3), (1, 2, 4), (1, 3, 5), (2, 5, 5), (1, 4, 7), (3, 6, 7))
    wanted = [Buffer(*live) for live in lives]
    assert (lower_bound_bytes(wanted, 1), place(wanted, 1).size_bytes, smallest(wanted)) == (4, 5, 5)


def test_chains_of_uneven_widths_need_the_largest_pair_only() -> None:
    sizes = np.random.default_rng(0).integers(100, 4000, size=40)
    chain = [Buffer(int(size), i, i + 1) for i, size in enumerate(sizes)]
    pairs = [sum(-(-int(s) // 16) * 16 for s in pair) for pair in itertools.pairwise(sizes)]
    assert place(chain, 16).size_bytes == max(pairs)
    assert greedy(chain, 16) > max(pairs)


@pytest.mark.parametrize(("count", "span"), [(60, 6), (120, 4), (300, 10)])
def test_large_problems_are_placed(count: int, span: int) -> None:
    random = np.random.default_rng(count)
    wanted = [Buffer(int(random.integers(1, 4000)), i, i + int(random.integers(1, span))) for i in range(count)]
    placement = place(wanted, 16)
    check(wanted, placement, 16)
    assert placement.size_bytes <= 1.02 * lower_bound_bytes(wanted, 16)


def tensor(*shape: int, data: bool = False, is_variable: bool = False, kind: type = np.int8) -> FileTensor:
    scales, zeros = np.ones(1, np.float32), np.zeros(1, np.int64)
    content: np.ndarray | None = np.zeros(shape, kind) if data else None
    dtype = np.dtype(kind)
    return FileTensor("", shape, dtype, 8 * dtype.itemsize, scales, zeros, 0, content, is_variable)


def graph(tensors: Sequence[FileTensor], operators: Sequence[FileOperator], inputs: tuple[int, ...]) -> FileGraph:
    return FileGraph(tuple(tensors), tuple(operators), inputs, (len(tensors) - 1,))


def operator(kind: str, inputs: tuple[int, ...], *outputs: int) -> FileOperator:
    return FileOperator(kind, inputs, outputs, None)


def test_operators_in_place_share_the_buffer_of_their_input() -> None:
    tensors = [tensor(1, 4, 4, 2), tensor(2, data=True), tensor(1, 4, 4, 2), tensor(1, 32), tensor(1, 32), tensor(1, 5)]
    operators = [
        operator("MUL", (0, 1), 2),
        operator("RESHAPE", (2, -1), 3),
        operator("RELU", (3,), 4),
        operator("FULLY_CONNECTED", (4, 1, -1), 5),
    ]
    found = buffers_of(graph(tensors, operators, (0,)))
    assert found.buffers == (Buffer(32, 0, 3), Buffer(5, 3, 3))
    assert found.of_tensor == {0: 0, 2: 0, 3: 0, 4: 0, 5: 1}


def test_inputs_that_are_needed_afterwards_are_not_overwritten() -> None:
    tensors = [tensor(1, 8), tensor(1, 8), tensor(1, 8), tensor(1, 8)]
    operators = [operator("RESHAPE", (0,), 1), operator("RELU", (1,), 2), operator("ADD", (0, 2), 3)]
    found = buffers_of(graph(tensors, operators, (0,)))
    assert found.of_tensor == {0: 0, 1: 0, 2: 1, 3: 2}  # the view may share, its activation may not
    assert found.buffers == (Buffer(8, 0, 2), Buffer(8, 1, 2), Buffer(8, 2, 2))


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (tensor(1, 8), tensor(1, 8, kind=np.float32), "DEQUANTIZE"),
        (tensor(1, 8), tensor(1, 8, kind=np.int16), "QUANTIZE"),
        (tensor(1, 1, 8), tensor(1, 8, 1), "TRANSPOSE"),
        (tensor(1, 4, 1), tensor(1, 2, 2), "MUL"),
        (tensor(1, 8), tensor(1, 8), "FULLY_CONNECTED"),
    ],
)
def test_other_operators_write_to_buffers_of_their_own(first: FileTensor, second: FileTensor, kind: str) -> None:
    found = buffers_of(graph([first, second], [operator(kind, (0,), 1)], (0,)))
    assert found.of_tensor == {0: 0, 1: 1}


def test_variable_tensors_have_no_buffer_and_outputs_last_to_the_end() -> None:
    tensors = [tensor(1, 8), tensor(1, 8, is_variable=True), tensor(1, 4), tensor(1, 8), tensor(1, 2)]
    operators = [operator("LSTM", (0, 1), 2), operator("FULLY_CONNECTED", (0,), 3), operator("SUM", (3,), 4)]
    found = buffers_of(FileGraph(tuple(tensors), tuple(operators), (0,), (2, 4)))
    assert found.of_tensor == {0: 0, 2: 1, 3: 2, 4: 3}
    assert found.buffers == (Buffer(8, 0, 1), Buffer(4, 0, 2), Buffer(8, 1, 2), Buffer(2, 2, 2))
