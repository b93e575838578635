"""Engines of a single operator against tflite-micro: what the generator makes of its options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")

from engines import KernelObjects
from int8_graphs import SAME, VALID, GraphBuilder, examples, integers, options, tflite_micro_outputs
from reds_c_engine.reference import run
from reds_litert.graph import read_graph
from split_graphs import truncated

Shape = tuple[int, ...]
CASES: dict[str, Callable[[GraphBuilder, np.random.Generator], tuple[int, int]]] = {}
"""What builds each graph; it returns its input and its output."""


def case(build: Callable[[GraphBuilder, np.random.Generator], tuple[int, int]]) -> None:
    CASES[build.__name__] = build


def scales(rng: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
    return rng.uniform(0.004, 0.015, count).astype(np.float32)


def kernel(build: GraphBuilder, rng: np.random.Generator, shape: Shape, outputs: int, axis: int = 0) -> list[int]:
    """A kernel and a bias."""
    scale = scales(rng, outputs)
    weights = build.tensor(shape, scale, data=integers(rng, shape), axis=axis)
    return [weights, build.tensor((outputs,), 0.04 * scale, data=rng.integers(-900, 900, outputs).astype(np.int32))]


def window(name: str, padding: int, stride: tuple[int, int], **more: int) -> object:
    return options(name, padding=padding, strideH=stride[0], strideW=stride[1], **more)


@case
def grouped_dilated(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 9, 8, 6), 0.04, 5)
    settings = window("Conv2DOptions", SAME, (1, 1), dilationHFactor=2, dilationWFactor=1)
    y = build.tensor((1, 9, 8, 9), 0.05, -3)
    return x, build.operator("CONV_2D", [x, *kernel(build, rng, (9, 3, 2, 2), 9)], y, settings)


@case
def strided(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 9, 8, 3), 0.04, 5)
    settings = window("Conv2DOptions", VALID, (2, 3), dilationHFactor=1, dilationWFactor=1)
    y = build.tensor((1, 4, 2, 5), 0.05, -3)
    return x, build.operator("CONV_2D", [x, *kernel(build, rng, (5, 3, 3, 3), 5)], y, settings)


@case
def pointwise_with_stride(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 9, 8, 3), 0.04, 5)
    settings = window("Conv2DOptions", SAME, (2, 2), dilationHFactor=1, dilationWFactor=1)
    y = build.tensor((1, 5, 4, 5), 0.05, -3)
    return x, build.operator("CONV_2D", [x, *kernel(build, rng, (5, 1, 1, 3), 5)], y, settings)


@case
def depthwise_multiplier(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 7, 6, 4), 0.04, 5)
    settings = window("DepthwiseConv2DOptions", SAME, (1, 1), dilationHFactor=1, dilationWFactor=2, depthMultiplier=3)
    y = build.tensor((1, 7, 6, 12), 0.05, -3)
    return x, build.operator("DEPTHWISE_CONV_2D", [x, *kernel(build, rng, (1, 3, 3, 12), 12, 3)], y, settings)


@case
def transposed(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 4, 5, 4), 0.04, 5)
    size = build.tensor((4,), data=np.array([1, 8, 10, 3], np.int32))
    weights, bias = kernel(build, rng, (3, 3, 3, 4), 3)
    y = build.tensor((1, 8, 10, 3), 0.05, -3)
    settings = window("TransposeConvOptions", SAME, (2, 2))
    return x, build.operator("TRANSPOSE_CONV", [size, weights, x, bias], y, settings)


@case
def dense_of_several_rows(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 6, 11), 0.04, 5)
    y = build.tensor((1, 6, 4), 0.09, -3)
    settings = options("FullyConnectedOptions", keepNumDims=True)
    return x, build.operator("FULLY_CONNECTED", [x, *kernel(build, rng, (4, 11), 4)], y, settings)


@case
def dense_of_one_scale(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 33), 0.0413, 11)
    weights = build.tensor((10, 33), 0.0071, data=integers(rng, (10, 33)))
    y = build.tensor((1, 10), 0.13, -20)
    return x, build.operator("FULLY_CONNECTED", [x, weights, -1], y, options("FullyConnectedOptions"))


def pooling(kind: str, padding: int, size: tuple[int, int]) -> None:
    def build_pooling(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
        x = build.tensor((1, 9, 8, 3), 0.06, -40)
        settings = window("Pool2DOptions", padding, (2, 3), filterHeight=3, filterWidth=2, fusedActivationFunction=3)
        return x, build.operator(kind, [x], build.tensor((1, *size, 3), 0.06, -40), settings)

    CASES[f"{kind}_{padding}"] = build_pooling


for pool_kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
    pooling(pool_kind, SAME, (5, 3))
    pooling(pool_kind, VALID, (4, 3))


@case
def mean(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 7, 6, 5), 0.05, -17)
    axes = build.tensor((2,), data=np.array([1, 2], np.int32))
    return x, build.operator("MEAN", [x, axes], build.tensor((1, 5), 0.011, 4), options("ReducerOptions"))


@case
def mean_of_a_sequence(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 13, 5), 0.05, -17)
    axes = build.tensor((1,), data=np.array([1], np.int32))
    return x, build.operator("MEAN", [x, axes], build.tensor((1, 5), 0.021, 4), options("ReducerOptions"))


@case
def maximum(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 2, 3, 9), 0.05, -17)
    axes = build.tensor((2,), data=np.array([1, 2], np.int32))
    return x, build.operator("REDUCE_MAX", [x, axes], build.tensor((1, 9), 0.05, -17), options("ReducerOptions"))


@case
def pad_of_channels(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 3, 4, 2), 0.05, 4)
    sides = build.tensor((4, 2), data=np.array([[0, 0], [1, 2], [0, 3], [1, 2]], np.int32))
    return x, build.operator("PAD", [x, sides], build.tensor((1, 6, 7, 5), 0.05, 4), options("PadOptions"))


@case
def pad_of_a_sequence(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    """As a causal convolution of one dimension pads its input."""
    x = build.tensor((1, 7, 3), 0.05, 4)
    sides = build.tensor((3, 2), data=np.array([[0, 0], [4, 1], [0, 0]], np.int32))
    return x, build.operator("PAD", [x, sides], build.tensor((1, 12, 3), 0.05, 4), options("PadOptions"))


@case
def softmax_of_rows(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 3, 10), 0.06, 13)
    y = build.tensor((1, 3, 10), 1 / 256, -128)
    return x, build.operator("SOFTMAX", [x], y, options("SoftmaxOptions", beta=0.7))


@case
def joined_along_height_and_channels(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 3, 4, 2), 0.05, 4)
    other = build.operator("RELU", [x], build.tensor((1, 3, 4, 2), 0.05, 4))
    wide = build.operator(
        "CONCATENATION", [x, other], build.tensor((1, 3, 4, 4), 0.05, 4), options("ConcatenationOptions", axis=-1)
    )
    y = build.tensor((1, 6, 4, 4), 0.05, 4)
    return x, build.operator("CONCATENATION", [wide, wide], y, options("ConcatenationOptions", axis=1))


@case
def gate_of_channels(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    """The products of squeeze-and-excitation blocks: one factor for each channel, the smaller tensor first."""
    x = build.tensor((1, 5, 4, 6), 0.05, -17)
    axes = build.tensor((2,), data=np.array([1, 2], np.int32))
    pooled = build.tensor((1, 1, 1, 6), 0.01, 4)
    build.operator("MEAN", [x, axes], pooled, options("ReducerOptions", keepDims=True))
    gate = build.operator("LOGISTIC", [pooled], build.tensor((1, 1, 1, 6), 1 / 256, -128))
    return x, build.operator("MUL", [gate, x], build.tensor((1, 5, 4, 6), 0.03, 2), options("MulOptions"))


def with_constant(kind: str, shape: Shape) -> None:
    def build_constant(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
        x = build.tensor((1, 4, 5, 3), 0.043, 9)
        constant = build.tensor(shape, 0.017, -5, data=integers(rng, shape))
        y = build.tensor((1, 4, 5, 3), 0.051, -30)
        return x, build.operator(kind, [x, constant], y, options(f"{kind.capitalize()}Options"))

    CASES[f"{kind}_{'x'.join(map(str, shape))}"] = build_constant


for arithmetic in ("ADD", "SUB", "MUL"):
    with_constant(arithmetic, (3,))
with_constant("SUB", (1, 4, 5, 3))
with_constant("MUL", (1, 4, 5, 1))


@case
def only_a_reshape(build: GraphBuilder, rng: np.random.Generator) -> tuple[int, int]:
    x = build.tensor((1, 3, 8), 0.05, 4)
    shape = build.tensor((2,), data=np.array([1, 24], np.int32))
    return x, build.operator("RESHAPE", [x, shape], build.tensor((1, 24), 0.05, 4), options("ReshapeOptions"))


@pytest.mark.parametrize("name", CASES)
def test_operators(name: str, objects: KernelObjects, tmp_path: Path) -> None:
    build = GraphBuilder()
    content = build.content(*CASES[name](build, np.random.default_rng(3)))
    x = examples(content, 16)
    expected = tflite_micro_outputs(content, x)
    found = objects.linked([("full", content)], tmp_path).outputs(0, x)
    assert int((found != expected).sum()) == 0
    assert len(np.unique(found)) >= 4


@pytest.mark.parametrize("name", ["grouped_dilated", "strided", "depthwise_multiplier", "dense_of_several_rows"])
def test_weights_in_halves(name: str, objects: KernelObjects, tmp_path: Path) -> None:
    """A network, and the same with the upper halves of its weights alone, from one store."""
    build = GraphBuilder()
    whole = build.content(*CASES[name](build, np.random.default_rng(0)))
    contents = [("coarse", truncated(whole)), ("full", whole)]
    engine, x = objects.linked(contents, tmp_path), examples(whole, 6)
    assert engine.engine.family.own_kernels == ()
    assert {step.step.kernel.removesuffix("_split") for member in engine.engine.family.members for step in member.steps
            if step.step.kernel.endswith("_split")}  # fmt: skip
    for member, (_, content) in enumerate(contents):
        assert np.array_equal(engine.outputs(member, x), run(read_graph(content), x))
