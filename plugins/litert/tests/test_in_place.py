"""Operators that overwrite their input in a memory plan compute the same in tflite-micro."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from int8_graphs import GraphBuilder, options
from micro_interpreter import arena_head, micro_run
from reds_litert.graph import read_graph
from reds_litert.memory_metadata import arena_bytes, offsets_in, with_memory_plan
from reds_litert.schema import packed, unpacked

SHAPE = (1, 4, 4, 6)
OPTIONS: dict[str, Any] = {
    "ADD": options("AddOptions", potScaleInt16=False),
    "SUB": options("SubOptions", potScaleInt16=False),
    "DIV": options("DivOptions"),
    "MUL": options("MulOptions"),
    "MAXIMUM": options("MaximumMinimumOptions"),
    "MINIMUM": options("MaximumMinimumOptions"),
    "LEAKY_RELU": options("LeakyReluOptions", alpha=0.2),
    "SOFTMAX": options("SoftmaxOptions", beta=1.0),
}
OF_8_BITS = (
    *("ABS", "ADD", "DIV", "ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "PRELU"),
    *("QUANTIZE", "RELU", "RELU6", "RSQRT", "SOFTMAX", "SUB", "TANH"),
)
OF_16_BITS = (
    *("ABS", "ADD", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "QUANTIZE", "RELU", "RELU6", "RSQRT"),
    *("SOFTMAX", "SUB", "TANH"),
)
"""Elementwise operators that tflite-micro runs on integers."""
BINARY = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "PRELU")


def output_scale(kind: str, dtype: type) -> tuple[float, int]:
    """The scale and the zero point that kernels demand for their output."""
    if kind in ("LOGISTIC", "SOFTMAX"):
        return (1 / 256, -128) if dtype is np.int8 else (1 / 32768, 0)
    if kind == "TANH":
        return (1 / 128, 0) if dtype is np.int8 else (1 / 32768, 0)
    return 0.05, 0


def single(kind: str, dtype: type) -> bytes:
    """A file with one operator, whose other input is a constant if it has two."""
    builder, random = GraphBuilder(), np.random.default_rng(0)
    source, result = builder.tensor(SHAPE), builder.tensor(SHAPE, *output_scale(kind, dtype))
    inputs = [source]
    if kind in BINARY:
        data = random.integers(5, 100, (1, 1, 6) if kind == "PRELU" else (6,)).astype(dtype)
        inputs.append(builder.tensor(data.shape, data=data))
    for tensor in builder.graph.tensors:
        tensor.type = schema.TensorType.INT8 if dtype is np.int8 else schema.TensorType.INT16
    return builder.content(source, builder.operator(kind, inputs, result, OPTIONS.get(kind)))


def random_file(seed: int) -> bytes:
    """A file of random operators, any of which may read any earlier tensor again, with up to three outputs."""
    builder, random = GraphBuilder(), np.random.default_rng(seed)
    tensors = [builder.tensor(SHAPE)]

    def shape_of(index: int) -> tuple[int, ...]:
        return tuple(builder.graph.tensors[index].shape)

    def add(kind: str, inputs: list[int], shape: tuple[int, ...], given: Any = None) -> int:
        made = builder.operator(kind, inputs, builder.tensor(shape, *output_scale(kind, np.int8)), given)
        return made if output_scale(kind, np.int8) == (0.05, 0) else add("QUANTIZE", [made], shape)

    for _ in range(random.integers(3, 14)):
        source = int(random.choice(tensors[-3:]))
        shape = shape_of(source)
        kind = str(random.choice(["RELU", "TANH", "LOGISTIC", "LEAKY_RELU", "MUL", "ADD", "CONCATENATION", "RESHAPE"]))
        if kind == "RESHAPE":
            turned = (1, 2, 2, shape[3] * 4) if shape[1] == 4 else (*SHAPE[:3], shape[3] // 4)
            tensors.append(add(kind, [source], turned, options("ReshapeOptions", newShape=list(turned))))
        elif kind == "MUL":
            constant = builder.tensor((shape[3],), data=random.integers(5, 40, shape[3]).astype(np.int8))
            tensors.append(add(kind, [source, constant], shape, OPTIONS["MUL"]))
        elif kind == "ADD":
            other = int(random.choice([t for t in tensors if shape_of(t) == shape]))
            tensors.append(add(kind, [source, other], shape, OPTIONS["ADD"]))
        elif kind == "CONCATENATION":
            other = int(random.choice([t for t in tensors if shape_of(t)[1] == shape[1]]))
            joined = (*shape[:3], shape[3] + shape_of(other)[3])
            tensors.append(add(kind, [source, other], joined, options("ConcatenationOptions", axis=3)))
        else:
            tensors.append(add(kind, [source], shape, OPTIONS.get(kind)))
    content = unpacked(builder.content(tensors[0], tensors[-1]))
    content.subgraphs[0].outputs = sorted({tensors[-1], *(int(t) for t in random.choice(tensors[1:], 2))})
    return packed(content)


def check_same(content: bytes, planned: bytes, dtype: type) -> None:
    random, limits = np.random.default_rng(1), np.iinfo(dtype)
    least = 1 if read_graph(content).operators[0].kind == "RSQRT" else limits.min
    examples = [[random.integers(least, limits.max, SHAPE).astype(dtype)] for _ in range(4)]
    expected, found = micro_run(content, examples), micro_run(planned, examples)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(one.std() for one in expected)


@pytest.mark.parametrize(
    ("kind", "dtype"), [*((kind, np.int8) for kind in OF_8_BITS), *((kind, np.int16) for kind in OF_16_BITS)]
)
def test_operators_compute_the_same_in_place(kind: str, dtype: type) -> None:
    content = single(kind, dtype)
    planned = with_memory_plan(content)
    graph, offsets = read_graph(planned), offsets_in(planned)
    assert offsets is not None
    assert offsets[graph.inputs[0]] == offsets[graph.outputs[0]] == 0
    check_same(content, planned, dtype)


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_compute_the_same_in_the_memory_that_is_planned(seed: int) -> None:
    content = random_file(seed)
    planned = with_memory_plan(content)
    assert arena_bytes(planned) == arena_head(planned) <= arena_head(content)
    check_same(content, planned, np.int8)
