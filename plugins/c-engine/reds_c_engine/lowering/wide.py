"""Operators with activations of 16 bits, whose zero points are 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from reds_litert.graph import FileTensor

from reds_c_engine.fixed_point import QuantizedMultiplier, quantized_multiplier, quantized_multipliers
from reds_c_engine.fixed_point import reduced_multiplier as reduced
from reds_c_engine.kernel_records import Blocks, Padding
from reds_c_engine.lowering.convolutions import dense_sizes, dilations, sum_factors
from reds_c_engine.lowering.elements import repeats
from reds_c_engine.lowering.images import is_over_positions
from reds_c_engine.lowering.operator import Operator, image, window
from reds_c_engine.quantization import NO_ACTIVATION, quantized
from reds_c_engine.records import Step
from reds_c_engine.samples import EXPONENTIAL, RECIPROCAL
from reds_c_engine.wide_records import (
    WideArithmetic,
    WideConvolution,
    WidePooling,
    WideReduction,
    WideSlopes,
    WideSoftmax,
)

LEAST, GREATEST = -(1 << 15), (1 << 15) - 1
VALUE_BYTES = 2
SUM_SHIFT = 15
"""How far inputs of sums are shifted to the left before they are scaled."""
LONGEST_SUM = (1 << 16) - 1
"""The number of integers of 16 bits whose sum certainly fits into 32 bits."""
MOST_TAPS = 504
"""The number of products of activations and weights that are summed in 32 bits."""
_LARGEST_SHIFT = 14
_SHIFTS = range(8, 47)
"""How far sums of products can be shifted to the right."""
_IDENTITY = QuantizedMultiplier(1 << 30, 1)


def _convolution(one: Operator, kernel: FileTensor, source: FileTensor, bias: FileTensor | None, **fields: Any) -> Any:
    """Return the settings of a convolution."""
    if kernel.data is None:
        raise one.refused("its kernel is not a constant")
    if kernel.dtype != np.int8 or kernel.zero_points.any():
        raise one.refused("its kernel does not consist of symmetric integers of 8 bits or fewer")
    if one.weights.coding is not None:
        raise one.refused("its kernel has a codebook or a mask, and its activations have 16 bits")
    if kernel.bits != 8:
        raise one.refused(f"its weights have {kernel.bits} bits and its activations 16")
    if bias is not None and bias.dtype != np.int64:
        raise one.refused(f"its bias has elements of type {bias.dtype}, not int64")
    channels = one.target.shape[-1]
    by = quantized_multipliers(sum_factors(one, kernel, source))
    shifts = (15 - by.shifts).tolist()
    if not all(shift in _SHIFTS for shift in shifts):
        raise one.refused("its scales are too far apart")
    least, greatest = one.limits(LEAST, GREATEST)
    plain = np.zeros(channels, np.int64) if bias is None or bias.data is None else bias.data
    return WideConvolution(
        kernel=one.weights,
        bias=tuple(plain.tolist()),
        multiplier=tuple(map(reduced, by.multipliers.tolist())),
        shift=tuple(shifts),
        out_channels=channels,
        least=least,
        greatest=greatest,
        **fields,
    )


def conv(one: Operator) -> list[Step]:
    """Return the step of a convolution."""
    source, kernel = one.source(), one.source(1)
    channels = image(one, source)[2]
    height, width, row = kernel.shape[1:]
    settings = _convolution(
        one,
        kernel,
        source,
        one.optional(2),
        in_channels=row,
        groups=channels // row,
        **window(one, source, height, width),
        **dilations(one),
    )
    return [one.step(_conv_kernel(settings), settings, one.operator.inputs[0])]


def _conv_kernel(settings: WideConvolution) -> str:
    """Return the function of a convolution or a fully connected layer."""
    is_point = settings.kernel_height * settings.kernel_width * settings.stride_y * settings.stride_x == 1
    is_plain = settings.groups == 1 and not settings.kernel.segments
    is_unpadded = (settings.in_height, settings.in_width) == (settings.out_height, settings.out_width)
    return "reds_wide_convolve_pointwise" if is_point and is_plain and is_unpadded else "reds_wide_convolve"


def depthwise(one: Operator) -> list[Step]:
    """Return the step of a depthwise convolution."""
    source, kernel = one.source(), one.source(1)
    channels = image(one, source)[2]
    height, width, outputs = kernel.shape[1:]
    if height * width > MOST_TAPS:
        raise one.refused(f"its kernel has more than {MOST_TAPS} taps")
    settings = _convolution(
        one,
        kernel,
        source,
        one.optional(2),
        in_channels=channels,
        depth_multiplier=outputs // channels,
        **window(one, source, height, width),
        **dilations(one),
    )
    return [one.step("reds_wide_convolve_depthwise", settings, one.operator.inputs[0])]


def dense(one: Operator) -> list[Step]:
    """Return the step of a fully connected layer."""
    source, kernel = one.source(), one.source(1)
    settings = _convolution(one, kernel, source, one.optional(2), **dense_sizes(one))
    return [one.step(_conv_kernel(settings), settings, one.operator.inputs[0])]


def pool(kernel: str) -> Callable[[Operator], list[Step]]:
    """Return what lowers poolings, given their kernel."""

    def lower(one: Operator) -> list[Step]:
        source, options = one.source(), one.options
        _check_same_scale(one)
        if options.filterHeight * options.filterWidth > LONGEST_SUM:
            raise one.refused("its window is too large")
        moved = window(one, source, options.filterHeight, options.filterWidth)
        least, greatest = one.limits(LEAST, GREATEST)
        settings = WidePooling(channels=image(one, source)[2], least=least, greatest=greatest, **moved)
        return [one.step(kernel, settings, one.operator.inputs[0])]

    return lower


def mean(one: Operator) -> list[Step]:
    """Return the step of a mean over all positions."""
    source = one.source()
    if not is_over_positions(one):
        raise one.refused("it is not a mean over all positions")
    positions = math.prod(source.shape[1:-1])
    by = quantized_multiplier(source.scale / one.target.scale)
    shift = min(positions.bit_length() - 1, 32, 31 + by.shift)
    if by.shift - shift > _LARGEST_SHIFT:
        raise one.refused("its scales are too far apart")
    settings = WideReduction(positions, source.shape[-1], (by.multiplier << shift) // positions, by.shift - shift)
    return [one.step("reds_wide_mean", settings, one.operator.inputs[0])]


def pad(one: Operator) -> list[Step]:
    """Return the step of padding with zeros, which pads bytes."""
    amounts, value = one.source(1), one.optional(2)
    if amounts.data is None:
        raise one.refused("its amounts are not constants")
    if value is not None and (value.data is None or value.data.any()):
        raise one.refused("it pads activations of 16 bits with other values than 0")
    _check_same_scale(one)
    height, width, channels = image(one, one.source())
    out_height, out_width, out_channels = image(one, one.target)
    before = [0] * (4 - len(amounts.data)) + [int(pair[0]) for pair in amounts.data]
    settings = Padding(
        height,
        width,
        out_height,
        out_width,
        channels * VALUE_BYTES,
        before[3] * VALUE_BYTES,
        out_channels * VALUE_BYTES,
        before[1],
        before[2],
        0,
    )
    return [one.step("reds_pad", settings, one.operator.inputs[0])]


def softmax(one: Operator) -> list[Step]:
    """Return the step of a softmax over the last axis."""
    source, target = one.source(), one.target
    if not math.isclose(target.scale, 1 / 32768, rel_tol=1e-3):
        raise one.refused(f"its output has the scale {target.scale:.6g}, not 1/32768")
    by = quantized_multiplier(source.scale * one.options.beta / (10.0 / 65535.0))
    if by.shift > _LARGEST_SHIFT:
        raise one.refused("the scale of its input is too large")
    classes = source.shape[-1]
    rows = math.prod(source.shape) // classes
    settings = WideSoftmax(rows, classes, by.multiplier, by.shift, EXPONENTIAL, RECIPROCAL)
    return [one.step("reds_wide_softmax", settings, one.operator.inputs[0])]


def concatenation(one: Operator) -> list[Step]:
    """Return the steps of a concatenation, one copy for each part."""
    target, axis = one.target, one.options.axis % len(one.target.shape)
    if one.options.fusedActivationFunction != NO_ACTIVATION:
        raise one.refused("it has a fused activation function")
    inner = math.prod(target.shape[axis + 1 :]) * VALUE_BYTES
    outer = math.prod(target.shape[:axis])
    stride = target.shape[axis] * inner
    steps, offset = [], 0
    for index in one.operator.inputs:
        part = one.graph.tensors[index]
        if part.data is not None:
            raise one.refused("one of its inputs is a constant")
        if part.scale != target.scale:
            raise one.refused("its inputs have different scales")
        size = part.shape[axis] * inner
        steps.append(one.step("reds_copy", Blocks(outer, size, size, stride), index, offset_bytes=offset))
        offset += size
    return steps


# --- functions of each element, sums and products --------------------------------------------------------------------


def _slopes(one: Operator, above: QuantizedMultiplier, below: QuantizedMultiplier, greatest: int) -> list[Step]:
    if max(above.shift, below.shift) > _LARGEST_SHIFT:
        raise one.refused("its scales are too far apart")
    count = math.prod(one.source().shape)
    settings = WideSlopes(
        count, above.multiplier, below.multiplier, above.shift, below.shift, LEAST, min(GREATEST, greatest)
    )
    return [one.step("reds_wide_relu", settings, one.operator.inputs[0])]


def _ratio(one: Operator, factor: float = 1.0) -> QuantizedMultiplier:
    """Return the scale of the input times a factor in float32, over that of the output."""
    return quantized_multiplier(one.source().scale * float(np.float32(factor)) / one.target.scale)


def relu(one: Operator) -> list[Step]:
    """Return the step of max(x, 0)."""
    return _slopes(one, _ratio(one), quantized_multiplier(0.0), GREATEST)


def relu6(one: Operator) -> list[Step]:
    """Return the step of min(max(x, 0), 6). tflite-micro ignores the scale of the output."""
    return _slopes(one, _IDENTITY, quantized_multiplier(0.0), quantized(6.0, one.source()))


def leaky_relu(one: Operator) -> list[Step]:
    """Return the step of x, or alpha times x below 0."""
    return _slopes(one, _ratio(one), _ratio(one, one.options.alpha), GREATEST)


def requantize(one: Operator) -> list[Step]:
    """Return the step of a change of scale."""
    by = quantized_multiplier(one.source().scale / one.target.scale)
    return _slopes(one, by, by, GREATEST)


def arithmetic(kernel: str) -> Callable[[Operator], list[Step]]:
    """Return what lowers sums, differences or products, given their kernel."""

    def lower(one: Operator) -> list[Step]:
        first, second = one.operator.inputs
        tensors = one.graph.tensors
        count = math.prod(one.target.shape)
        if tensors[first].data is not None or math.prod(tensors[first].shape) != count:
            if one.kind == "SUB":
                raise one.refused("its first input is a constant or is repeated")
            first, second = second, first
        return [_of_two(one, kernel, first, second)]

    return lower


def _of_two(one: Operator, kernel: str, first: int, second: int) -> Step:
    a, b, target = one.graph.tensors[first], one.graph.tensors[second], one.target
    shape, data = b.shape, b.data
    if data is not None and data.dtype != np.int16:
        raise one.refused(f"its constant has elements of type {data.dtype}, not int16")
    if data is not None and not repeats(shape, target.shape):
        shape, data = target.shape, np.broadcast_to(data, target.shape)
    count, period = math.prod(target.shape), math.prod(shape)
    if a.data is not None or math.prod(a.shape) != count or not repeats(shape, target.shape):
        raise one.refused(
            f"it repeats tensors of the shapes {a.shape} and {b.shape} in ways other than channel by channel"
        )
    if one.kind == "MUL":
        factors = 0.0, 0.0, a.scale * b.scale / target.scale
    else:
        twice = 2 * max(a.scale, b.scale)
        factors = a.scale / twice, b.scale / twice, twice / ((1 << SUM_SHIFT) * target.scale)
    of_first, of_second, of_output = map(quantized_multiplier, factors)
    if of_output.shift > 0:
        raise one.refused("its scales are too far apart")
    least, greatest = one.limits(LEAST, GREATEST)
    settings = WideArithmetic(
        count=count,
        period=period,
        constant=None if data is None else tuple(data.reshape(-1).tolist()),
        first_multiplier=of_first.multiplier,
        second_multiplier=of_second.multiplier,
        output_multiplier=of_output.multiplier,
        first_shift=of_first.shift,
        second_shift=of_second.shift,
        output_shift=of_output.shift,
        left_shift=0 if one.kind == "MUL" else SUM_SHIFT,
        least=least,
        greatest=greatest,
    )
    return one.step(kernel, settings, *((first, second) if data is None else (first,)))


def _check_same_scale(one: Operator) -> None:
    if one.source().scale != one.target.scale:
        raise one.refused("its input and its output have different scales")


WIDE_LOWERINGS: dict[str, Callable[[Operator], list[Step]]] = {
    "CONV_2D": conv,
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": dense,
    "AVERAGE_POOL_2D": pool("reds_wide_average_pool"),
    "MAX_POOL_2D": pool("reds_wide_max_pool"),
    "MEAN": mean,
    "PAD": pad,
    "PADV2": pad,
    "SOFTMAX": softmax,
    "CONCATENATION": concatenation,
    "ADD": arithmetic("reds_wide_add"),
    "SUB": arithmetic("reds_wide_subtract"),
    "MUL": arithmetic("reds_wide_multiply"),
    "RELU": relu,
    "RELU6": relu6,
    "LEAKY_RELU": leaky_relu,
    "QUANTIZE": requantize,
}
"""What lowers each kind of operator with activations of 16 bits."""
