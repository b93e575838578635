"""Every operator of the NumPy reference against tflite-micro, on graphs of one operator with random constants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from reds_c_engine.lowering.program import LOWERINGS, RENAMING
from reds_c_engine.reference import OPERATORS, run

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")

from int8_graphs import (
    ACTIVATIONS,
    SAME,
    VALID,
    GraphBuilder,
    examples,
    integers,
    options,
    tflite_micro_outputs,
)
from reds_litert.graph import read_graph

from reds_core.errors import UnsupportedError

EXAMPLES = 16


def check(content: bytes, count: int = EXAMPLES, values: int = 4) -> None:
    """Compare all values of random inputs, of which there must be several, since saturated outputs prove little."""
    pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")
    x = examples(content, count)
    found = run(read_graph(content), x)
    expected = tflite_micro_outputs(content, x)
    assert found.shape == expected.shape
    assert int((found != expected).sum()) == 0
    assert len(np.unique(found)) >= values


def scales(rng: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
    return rng.uniform(0.002, 0.02, count).astype(np.float32)


def biases(rng: np.random.Generator, count: int) -> npt.NDArray[np.int32]:
    return rng.integers(-3000, 3000, count).astype(np.int32)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "padding", "groups", "bits"),
    [
        ((1, 1), (1, 1), (1, 1), VALID, 1, 8),
        ((3, 3), (1, 1), (1, 1), SAME, 1, 8),
        ((3, 2), (2, 3), (1, 1), SAME, 1, 8),
        ((3, 3), (1, 1), (2, 3), SAME, 1, 8),
        ((2, 3), (2, 1), (1, 1), VALID, 3, 8),
        ((3, 3), (1, 1), (1, 1), SAME, 1, 4),
    ],
)
def test_convolution(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: int,
    groups: int,
    bits: int,
    activation: str,
) -> None:
    rng = np.random.default_rng(0)
    height, width, inputs, outputs = 9, 8, 6, 9
    limit = 7 if bits == 4 else 127
    shape = (outputs, *kernel, inputs // groups)
    build = GraphBuilder()
    x = build.tensor((1, height, width, inputs), 0.04, 3)
    per_channel = scales(rng, outputs) * (127 / limit)
    weights = build.tensor(shape, per_channel, data=integers(rng, shape, -limit, limit), bits=bits)
    bias = build.tensor((outputs,), 0.04 * per_channel, data=biases(rng, outputs))
    size = out_size((height, width), kernel, stride, dilation, padding)
    y = build.tensor((1, *size, outputs), 0.05, -9)
    settings = options(
        "Conv2DOptions",
        padding=padding,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=ACTIVATIONS[activation],
    )
    build.operator("CONV_2D", [x, weights, bias], y, settings)
    check(build.content(x, y))


def out_size(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: int
) -> tuple[int, int]:
    sides = []
    for axis in (0, 1):
        reach = (kernel[axis] - 1) * dilation[axis] + 1
        sides.append(-(-(size[axis] if padding == SAME else size[axis] - reach + 1) // stride[axis]))
    return sides[0], sides[1]


@pytest.mark.parametrize(
    ("multiplier", "kernel", "stride", "dilation", "padding", "bits"),
    [
        (1, (3, 3), (1, 1), (1, 1), SAME, 8),
        (1, (3, 2), (2, 2), (1, 1), VALID, 8),
        (2, (3, 3), (2, 2), (1, 1), SAME, 8),
        (1, (3, 3), (1, 1), (2, 2), SAME, 8),
        (1, (3, 3), (1, 1), (1, 1), SAME, 4),
    ],
)
def test_depthwise_convolution(
    multiplier: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: int,
    bits: int,
) -> None:
    rng = np.random.default_rng(1)
    height, width, inputs = 9, 8, 5
    outputs = inputs * multiplier
    limit = 7 if bits == 4 else 127
    shape = (1, *kernel, outputs)
    build = GraphBuilder()
    x = build.tensor((1, height, width, inputs), 0.04, -4)
    per_channel = scales(rng, outputs) * (127 / limit)
    weights = build.tensor(shape, per_channel, data=integers(rng, shape, -limit, limit), axis=3, bits=bits)
    bias = build.tensor((outputs,), 0.04 * per_channel, data=biases(rng, outputs))
    y = build.tensor((1, *out_size((height, width), kernel, stride, dilation, padding), outputs), 0.03, 7)
    settings = options(
        "DepthwiseConv2DOptions",
        padding=padding,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        depthMultiplier=multiplier,
        fusedActivationFunction=ACTIVATIONS["relu6"],
    )
    build.operator("DEPTHWISE_CONV_2D", [x, weights, bias], y, settings)
    check(build.content(x, y))


def test_layers_without_bias() -> None:
    rng = np.random.default_rng(2)
    build = GraphBuilder()
    x = build.tensor((1, 5, 5, 4), 0.04, 1)
    weights = build.tensor((3, 1, 1, 4), scales(rng, 3), data=integers(rng, (3, 1, 1, 4)))
    y = build.tensor((1, 5, 5, 3), 0.05, 2)
    settings = options("Conv2DOptions", padding=VALID, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
    build.operator("CONV_2D", [x, weights], y, settings)
    check(build.content(x, y))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size"),
    [
        ((3, 3), (2, 2), SAME, (8, 10)),
        ((3, 2), (2, 2), VALID, (9, 10)),
        ((2, 2), (2, 2), SAME, (8, 10)),
        ((3, 3), (1, 1), SAME, (4, 5)),
        ((2, 2), (3, 3), SAME, (12, 15)),
        ((1, 1), (2, 2), SAME, (8, 10)),
    ],
)
def test_transposed_convolution(
    kernel: tuple[int, int], stride: tuple[int, int], padding: int, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(3)
    inputs, outputs = 4, 3
    shape = (outputs, *kernel, inputs)
    build = GraphBuilder()
    x = build.tensor((1, 4, 5, inputs), 0.04, 5)
    of_output = build.tensor((4,), data=np.array([1, *size, outputs], np.int32))
    per_channel = scales(rng, outputs)
    weights = build.tensor(shape, per_channel, data=integers(rng, shape))
    bias = build.tensor((outputs,), 0.04 * per_channel, data=biases(rng, outputs))
    y = build.tensor((1, *size, outputs), 0.06, -3)
    settings = options("TransposeConvOptions", padding=padding, strideH=stride[0], strideW=stride[1])
    build.operator("TRANSPOSE_CONV", [of_output, weights, x, bias], y, settings)
    check(build.content(x, y))


@pytest.mark.parametrize(("per_channel", "bits"), [(False, 8), (True, 8), (False, 4)])
def test_fully_connected(per_channel: bool, bits: int) -> None:
    rng = np.random.default_rng(4)
    inputs, outputs = 33, 10
    limit = 7 if bits == 4 else 127
    build = GraphBuilder()
    x = build.tensor((1, inputs), 0.0413, 11)
    of_weights = scales(rng, outputs if per_channel else 1) * (127 / limit)
    weights = build.tensor(
        (outputs, inputs), of_weights, data=integers(rng, (outputs, inputs), -limit, limit), bits=bits
    )
    bias = build.tensor((outputs,), 0.0413 * of_weights, data=biases(rng, outputs))
    y = build.tensor((1, outputs), 0.11, -20)
    build.operator("FULLY_CONNECTED", [x, weights, bias], y, options("FullyConnectedOptions"))
    check(build.content(x, y), 100)


def test_fully_connected_with_one_scale_takes_the_product_of_scales_in_float32() -> None:
    """Some scales, where the product in float64 gives another multiplier, so that sums near halves differ."""
    rng = np.random.default_rng(5)
    for _ in range(10):
        build = GraphBuilder()
        x = build.tensor((1, 64), float(rng.uniform(0.001, 0.1)), int(rng.integers(-128, 128)))
        scale = float(rng.uniform(0.001, 0.02))
        weights = build.tensor((32, 64), scale, data=integers(rng, (32, 64)))
        y = build.tensor((1, 32), float(rng.uniform(0.1, 0.4)), int(rng.integers(-20, 20)))
        build.operator("FULLY_CONNECTED", [x, weights, -1], y, options("FullyConnectedOptions"))
        check(build.content(x, y), 50)


@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
@pytest.mark.parametrize(
    ("taps", "stride", "padding"), [((2, 2), (2, 2), VALID), ((3, 3), (2, 1), SAME), ((9, 8), (1, 1), VALID)]
)
@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
def test_pooling(kind: str, taps: tuple[int, int], stride: tuple[int, int], padding: int, activation: str) -> None:
    build = GraphBuilder()
    x = build.tensor((1, 9, 8, 3), 0.06, -40)
    y = build.tensor((1, *out_size((9, 8), taps, stride, (1, 1), padding), 3), 0.06, -40)  # 6 is 60
    settings = options(
        "Pool2DOptions",
        padding=padding,
        strideH=stride[0],
        strideW=stride[1],
        filterHeight=taps[0],
        filterWidth=taps[1],
        fusedActivationFunction=ACTIVATIONS[activation],
    )
    build.operator(kind, [x], y, settings)
    check(build.content(x, y), values=2)


@pytest.mark.parametrize("scale", [0.05, 0.011])
@pytest.mark.parametrize(("axes", "keep"), [((1, 2), False), ((1, 2), True), ((3,), False), ((1,), False)])
def test_mean(axes: tuple[int, ...], keep: bool, scale: float) -> None:
    shape = (1, 7, 6, 5)
    build = GraphBuilder()
    x = build.tensor(shape, 0.05, -17)
    of_axes = build.tensor((len(axes),), data=np.array(axes, np.int32))
    kept = [1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes]
    y = build.tensor(tuple(kept), scale, 4)
    build.operator("MEAN", [x, of_axes], y, options("ReducerOptions", keepDims=keep))
    check(build.content(x, y), 50)


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("second", [(1, 4, 5, 3), (3,), (1, 1, 1, 1), (1, 1, 1, 3), (1, 4, 5, 1)])
@pytest.mark.parametrize("activation", ["none", "relu"])
def test_arithmetic_with_a_constant(kind: str, second: tuple[int, ...], activation: str) -> None:
    rng = np.random.default_rng(6)
    build = GraphBuilder()
    x = build.tensor((1, 4, 5, 3), 0.043, 9)
    constant = build.tensor(second, 0.017, -5, data=integers(rng, second))
    y = build.tensor((1, 4, 5, 3), 0.051, -30)
    settings = options(f"{kind.capitalize()}Options", fusedActivationFunction=ACTIVATIONS[activation])
    build.operator(kind, [x, constant], y, settings)
    check(build.content(x, y))


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_arithmetic_of_two_computed_tensors(kind: str) -> None:
    """x and another function of x, for every pair of scales that differ."""
    for other in (0.02, 0.043, 0.3):
        build = GraphBuilder()
        x = build.tensor((1, 256), 0.043, 9)
        changed = build.tensor((1, 256), other, -3)
        build.operator("QUANTIZE", [x], changed, options("QuantizeOptions"))
        y = build.tensor((1, 256), 0.09, 2)
        build.operator(kind, [x, changed], y, options(f"{kind.capitalize()}Options"))
        check(build.content(x, y))


def test_arithmetic_of_computed_tensors_of_different_ranks() -> None:
    build = GraphBuilder()
    x = build.tensor((1, 4, 5, 3), 0.043, 9)
    axes = build.tensor((2,), data=np.array([1, 2], np.int32))
    gate = build.operator("MEAN", [x, axes], build.tensor((1, 3), 0.011, -3), options("ReducerOptions"))
    y = build.operator("MUL", [x, gate], build.tensor((1, 4, 5, 3), 0.02, 2), options("MulOptions"))
    check(build.content(x, y))


@pytest.mark.parametrize("scale", [0.01, 0.05, 0.31])
def test_quantize(scale: float) -> None:
    build = GraphBuilder()
    x = build.tensor((1, 256), 0.05, 4)
    y = build.tensor((1, 256), scale, -6)
    build.operator("QUANTIZE", [x], y, options("QuantizeOptions"))
    check(build.content(x, y))


def concatenated(axis: int, scale: float) -> bytes:
    rng = np.random.default_rng(7)
    build = GraphBuilder()
    x = build.tensor((1, 3, 4, 2), 0.05, 4)
    other = build.tensor((1, 3, 4, 2), scale, 4, data=integers(rng, (1, 3, 4, 2)))
    shape = [1, 3, 4, 2]
    shape[axis] *= 3
    y = build.tensor(tuple(shape), 0.05, 4)
    build.operator("CONCATENATION", [x, other, x], y, options("ConcatenationOptions", axis=axis))
    return build.content(x, y)


@pytest.mark.parametrize("axis", [3, -1, 1])
def test_concatenation(axis: int) -> None:
    check(concatenated(axis, 0.05))


def test_concatenation_of_different_scales_is_refused_as_tflite_micro_does() -> None:
    content = concatenated(3, 0.02)
    with pytest.raises(UnsupportedError, match="input 1 of CONCATENATION has a scale of its own"):
        run(read_graph(content), examples(content, 3))


@pytest.mark.parametrize("value", [None, 77])
def test_pad(value: int | None) -> None:
    build = GraphBuilder()
    x = build.tensor((1, 3, 4, 2), 0.05, 4)
    sides = np.array([[0, 0], [1, 2], [0, 3], [1, 1]], np.int32)
    inputs = [x, build.tensor((4, 2), data=sides)]
    if value is not None:
        inputs.append(build.tensor((1,), 0.05, 4, data=np.array([value], np.int8)))
    y = build.tensor((1, 6, 7, 4), 0.05, 4)
    if value is None:
        build.operator("PAD", inputs, y, options("PadOptions"))
    else:
        build.operator("PADV2", inputs, y, options("PadV2Options"))
    check(build.content(x, y))


def test_reshape_squeeze_and_expand_dims() -> None:
    build = GraphBuilder()
    x = build.tensor((1, 3, 1, 8), 0.05, 4)
    flat = build.tensor((1, 24), 0.05, 4)
    build.operator(
        "RESHAPE", [x, build.tensor((2,), data=np.array([1, 24], np.int32))], flat, options("ReshapeOptions")
    )
    back = build.tensor((1, 3, 1, 8), 0.05, 4)
    build.operator(
        "RESHAPE", [flat, build.tensor((4,), data=np.array([1, 3, 1, 8], np.int32))], back, options("ReshapeOptions")
    )
    squeezed = build.tensor((1, 3, 8), 0.05, 4)
    build.operator("SQUEEZE", [back], squeezed, options("SqueezeOptions", squeezeDims=[2]))
    y = build.tensor((1, 3, 8, 1), 0.05, 4)
    build.operator(
        "EXPAND_DIMS", [squeezed, build.tensor((1,), data=np.array([3], np.int32))], y, options("ExpandDimsOptions")
    )
    check(build.content(x, y))


def test_maximum_along_axes() -> None:
    build = GraphBuilder()
    x, y = build.tensor((1, 4, 3, 5), 0.05, 7), build.tensor((1, 5), 0.05, 7)
    axes = build.tensor((2,), data=np.array([1, -2], np.int32))
    build.operator("REDUCE_MAX", [x, axes], y, options("ReducerOptions"))
    check(build.content(x, y))


def test_the_reference_knows_all_operators_of_the_engine() -> None:
    """Otherwise an engine could not be generated without tflite-micro, since its self-test lacks outputs."""
    assert {*LOWERINGS, *RENAMING} <= set(OPERATORS)


def test_what_the_reference_does_not_know_is_refused_with_what_it_knows() -> None:
    build = GraphBuilder()
    x = build.tensor((1, 8))
    y = build.operator("SIN", [x], build.tensor((1, 8)))
    content = build.content(x, y)
    with pytest.raises(UnsupportedError, match=r"no operator SIN; .*CONV_2D"):
        run(read_graph(content), examples(content, 3))
    with pytest.raises(UnsupportedError, match=r"the input is float64 \(8,\)"):
        run(read_graph(content), np.zeros((3, 8)))  # type: ignore[arg-type]


def test_every_operator_is_tested() -> None:
    files = Path(__file__).parent.glob("test_reference_*s.py")
    source = "".join(path.read_text() for path in files)
    assert [name for name in OPERATORS if f'"{name}"' not in source] == []
