"""The scratch memory that kernels request is what tflite-micro allocates besides the tensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from int8_graphs import SAME, GraphBuilder, integers, options
from micro_interpreter import arena_head
from reds_litert.graph import read_graph
from reds_litert.kernel_scratch import scratch_sizes
from reds_litert.memory_metadata import arena_bytes, with_memory_plan

RANDOM = np.random.default_rng(0)


def mean() -> bytes:
    builder = GraphBuilder()
    source, result = builder.tensor((1, 2, 2, 40)), builder.tensor((1, 40))
    axes = builder.tensor((2,), data=np.array([1, 2], np.int32))
    builder.operator("MEAN", [source, axes], result, options("ReducerOptions", keepDims=False))
    return builder.content(source, result)


def transposed_convolution() -> bytes:
    builder = GraphBuilder()
    source, result = builder.tensor((1, 3, 3, 4)), builder.tensor((1, 6, 6, 5))
    shape = builder.tensor((4,), data=np.array([1, 6, 6, 5], np.int32))
    scales = np.full(5, 0.01, np.float32)
    kernel = builder.tensor((5, 3, 3, 4), scales, data=integers(RANDOM, (5, 3, 3, 4)))
    given = options("TransposeConvOptions", padding=SAME, strideH=2, strideW=2)
    builder.operator("TRANSPOSE_CONV", [shape, kernel, source], result, given)
    return builder.content(source, result)


def convolution_of_4_bits() -> bytes:
    builder = GraphBuilder()
    source, result = builder.tensor((1, 3, 3, 4)), builder.tensor((1, 3, 3, 10))
    scales = np.full(10, 0.01, np.float32)
    kernel = builder.tensor((10, 3, 3, 4), scales, data=integers(RANDOM, (10, 3, 3, 4), -7, 7), bits=4)
    bias = builder.tensor((10,), np.full(10, 0.0005, np.float32), data=np.zeros(10, np.int32))
    given = options("Conv2DOptions", padding=SAME, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
    builder.operator("CONV_2D", [source, kernel, bias], result, given)
    return builder.content(source, result)


@pytest.mark.parametrize(
    ("made", "sizes"),
    [(mean, (160, 16, 16)), (transposed_convolution, (4 * 180,)), (convolution_of_4_bits, (360,))],
)
def test_arenas_have_room_for_scratch_memory(made: Callable[[], bytes], sizes: tuple[int, ...]) -> None:
    content = made()
    graph = read_graph(content)
    assert scratch_sizes(graph, graph.operators[0]) == sizes
    planned = with_memory_plan(content)
    tensors = sum(-(-graph.tensors[index].size_bytes // 16) * 16 for index in graph.computed)
    assert arena_head(planned) == arena_bytes(planned) == tensors + sum(-(-size // 16) * 16 for size in sizes)
