"""Graphs with activations of 16 bits, one operator each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from int8_graphs import SAME, VALID, GraphBuilder, integers, options

Shape = tuple[int, ...]
Ends = tuple[int, int]
CASES: dict[str, Callable[[GraphBuilder, np.random.Generator], Ends]] = {}
"""What builds each graph; it returns its input and its output."""


def content(name: str) -> bytes:
    """Return the file of a case."""
    build = GraphBuilder(bits=16)
    return build.content(*CASES[name](build, np.random.default_rng(3)))


def case(build: Callable[[GraphBuilder, np.random.Generator], Ends]) -> None:
    CASES[build.__name__] = build


def kernel(build: GraphBuilder, rng: np.random.Generator, shape: Shape, outputs: int, axis: int = 0) -> list[int]:
    """A kernel and a bias of 64 bits."""
    scales = rng.uniform(0.004, 0.015, outputs).astype(np.float32)
    weights = build.tensor(shape, scales, data=integers(rng, shape, -128), axis=axis)
    return [weights, build.tensor((outputs,), 0.0003 * scales, data=rng.integers(-(1 << 18), 1 << 18, outputs))]


def window(name: str, padding: int, stride: tuple[int, int], **more: int) -> Any:
    return options(name, padding=padding, strideH=stride[0], strideW=stride[1], **more)


@case
def grouped_dilated(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 9, 8, 6), 0.0003)
    settings = window("Conv2DOptions", SAME, (1, 1), dilationHFactor=2, dilationWFactor=1, fusedActivationFunction=3)
    y = build.tensor((1, 9, 8, 9), 0.0004)
    return x, build.operator("CONV_2D", [x, *kernel(build, rng, (9, 3, 2, 2), 9)], y, settings)


@case
def strided(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 9, 8, 3), 0.0003)
    settings = window("Conv2DOptions", VALID, (2, 3), dilationHFactor=1, dilationWFactor=1)
    y = build.tensor((1, 4, 2, 5), 0.0004)
    return x, build.operator("CONV_2D", [x, *kernel(build, rng, (5, 3, 3, 3), 5)], y, settings)


@case
def same_padding(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 8, 7, 3), 0.0003)
    settings = window("Conv2DOptions", SAME, (1, 2), dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=1)
    y = build.tensor((1, 8, 4, 35), 0.0004)
    return x, build.operator("CONV_2D", [x, *kernel(build, rng, (35, 3, 3, 3), 35)], y, settings)


@case
def pointwise(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    """Rows that are longer than what a sum of 32 bits can hold."""
    x = build.tensor((1, 3, 2, 1100), 0.0003)
    settings = window("Conv2DOptions", VALID, (1, 1), dilationHFactor=1, dilationWFactor=1)
    y = build.tensor((1, 3, 2, 5), 0.009)
    return x, build.operator("CONV_2D", [x, *kernel(build, rng, (5, 1, 1, 1100), 5)], y, settings)


@case
def depthwise_multiplier(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 7, 6, 4), 0.0003)
    settings = window("DepthwiseConv2DOptions", SAME, (1, 1), dilationHFactor=1, dilationWFactor=2, depthMultiplier=3)
    y = build.tensor((1, 7, 6, 12), 0.0002)
    return x, build.operator("DEPTHWISE_CONV_2D", [x, *kernel(build, rng, (1, 3, 3, 12), 12, 3)], y, settings)


@case
def depthwise(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 7, 6, 37), 0.0003)
    settings = window("DepthwiseConv2DOptions", SAME, (2, 2), dilationHFactor=1, dilationWFactor=1, depthMultiplier=1)
    y = build.tensor((1, 4, 3, 37), 0.0002)
    return x, build.operator("DEPTHWISE_CONV_2D", [x, *kernel(build, rng, (1, 3, 3, 37), 37, 3)], y, settings)


@case
def dense_of_several_rows(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 6, 11), 0.0003)
    y = build.tensor((1, 6, 4), 0.0005)
    settings = options("FullyConnectedOptions", keepNumDims=True)
    return x, build.operator("FULLY_CONNECTED", [x, *kernel(build, rng, (4, 11), 4)], y, settings)


@case
def dense_without_bias(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 33), 0.000413)
    weights = build.tensor((10, 33), 0.0071, data=integers(rng, (10, 33)))
    y = build.tensor((1, 10), 0.00073)
    return x, build.operator("FULLY_CONNECTED", [x, weights, -1], y, options("FullyConnectedOptions"))


def pooling(kind: str, padding: int, size: tuple[int, int]) -> None:
    def build_pooling(build: GraphBuilder, rng: np.random.Generator) -> Ends:
        x = build.tensor((1, 9, 8, 3), 0.0003)
        settings = window("Pool2DOptions", padding, (2, 3), filterHeight=3, filterWidth=2, fusedActivationFunction=3)
        return x, build.operator(kind, [x], build.tensor((1, *size, 3), 0.0003), settings)

    CASES[f"{kind}_{padding}"] = build_pooling


for pool_kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
    pooling(pool_kind, SAME, (5, 3))
    pooling(pool_kind, VALID, (4, 3))


@case
def mean(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 7, 6, 9), 0.0003)
    axes = build.tensor((2,), data=np.array([1, 2], np.int32))
    return x, build.operator("MEAN", [x, axes], build.tensor((1, 9), 0.00005), options("ReducerOptions"))


@case
def pad_of_channels(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 3, 4, 2), 0.0003)
    sides = build.tensor((4, 2), data=np.array([[0, 0], [1, 2], [0, 3], [1, 2]], np.int32))
    return x, build.operator("PAD", [x, sides], build.tensor((1, 6, 7, 5), 0.0003), options("PadOptions"))


@case
def softmax_of_rows(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 50, 10), 0.0002)
    y = build.tensor((1, 50, 10), 1 / 32768)
    return x, build.operator("SOFTMAX", [x], y, options("SoftmaxOptions", beta=0.7))


@case
def softmax_of_a_large_scale(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 50, 3), 0.003)
    y = build.tensor((1, 50, 3), 1 / 32768)
    return x, build.operator("SOFTMAX", [x], y, options("SoftmaxOptions", beta=1.0))


@case
def joined_along_height_and_channels(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    x = build.tensor((1, 3, 4, 2), 0.0003)
    other = build.operator("RELU", [x], build.tensor((1, 3, 4, 2), 0.0003))
    settings = options("ConcatenationOptions", axis=-1)
    wide = build.operator("CONCATENATION", [x, other], build.tensor((1, 3, 4, 4), 0.0003), settings)
    y = build.tensor((1, 6, 4, 4), 0.0003)
    return x, build.operator("CONCATENATION", [wide, wide], y, options("ConcatenationOptions", axis=1))


def function(kind: str, scale: float, output: float, settings: Any = None) -> None:
    def build_function(build: GraphBuilder, rng: np.random.Generator) -> Ends:
        x = build.tensor((1, 2000), scale)
        return x, build.operator(kind, [x], build.tensor((1, 2000), output), settings)

    CASES[f"{kind}_{scale}"] = build_function


function("RELU", 0.0003, 0.0002)
function("RELU", 0.00025, 0.0003)  # results halfway between two integers
function("RELU6", 0.0003, 0.0003)
function("LEAKY_RELU", 0.0003, 0.0004, options("LeakyReluOptions", alpha=0.3))
function("LEAKY_RELU", 0.00025, 0.0003, options("LeakyReluOptions", alpha=0.25))
function("QUANTIZE", 0.0003, 0.0002)
function("QUANTIZE", 0.0002, 0.0003)


@case
def gate_of_channels(build: GraphBuilder, rng: np.random.Generator) -> Ends:
    """The products of squeeze-and-excitation blocks: one factor for each channel, the smaller tensor first."""
    x = build.tensor((1, 5, 4, 6), 0.0003)
    axes = build.tensor((2,), data=np.array([1, 2], np.int32))
    pooled = build.tensor((1, 1, 1, 6), 0.0001)
    build.operator("MEAN", [x, axes], pooled, options("ReducerOptions", keepDims=True))
    gate = build.operator("RELU6", [pooled], build.tensor((1, 1, 1, 6), 0.0001))
    return x, build.operator("MUL", [gate, x], build.tensor((1, 5, 4, 6), 0.0002), options("MulOptions"))


def of_two(kind: str) -> None:
    def build_two(build: GraphBuilder, rng: np.random.Generator) -> Ends:
        x = build.tensor((1, 4, 5, 3), 0.0003)
        other = build.operator(
            "LEAKY_RELU", [x], build.tensor((1, 4, 5, 3), 0.0002), options("LeakyReluOptions", alpha=0.3)
        )
        settings = options(f"{kind.capitalize()}Options", fusedActivationFunction=1)
        return x, build.operator(kind, [x, other], build.tensor((1, 4, 5, 3), 0.0005), settings)

    CASES[f"{kind}_of_two"] = build_two


def with_constant(kind: str, shape: Shape) -> None:
    def build_constant(build: GraphBuilder, rng: np.random.Generator) -> Ends:
        x = build.tensor((1, 4, 5, 3), 0.0003)
        data = rng.integers(-30000, 30000, shape).astype(np.int16)
        constant = build.tensor(shape, 0.0001, data=data)
        y = build.tensor((1, 4, 5, 3), 0.0004)
        return x, build.operator(kind, [x, constant], y, options(f"{kind.capitalize()}Options"))

    CASES[f"{kind}_{'x'.join(map(str, shape))}"] = build_constant


for arithmetic in ("ADD", "SUB", "MUL"):
    of_two(arithmetic)
    with_constant(arithmetic, (3,))
    with_constant(arithmetic, (1,))
with_constant("MUL", (1, 4, 5, 1))
