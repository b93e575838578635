"""Convolutions of every kind, and fully connected layers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from reds_litert.graph import FileTensor

from reds_c_engine.fixed_point import quantized_multipliers
from reds_c_engine.kernel_records import Convolution
from reds_c_engine.lowering.operator import Operator, image, pad_before, window
from reds_c_engine.records import Step

LARGEST_SHIFT = 31
"""The largest number of bits by which sums can be shifted to the left."""


def sum_factors(one: Operator, kernel: FileTensor, source: FileTensor) -> npt.NDArray[np.float64]:
    """Return the real factor of the sums of each output channel."""
    channels = one.target.shape[-1]
    scales = np.broadcast_to(kernel.scales, channels).astype(np.float64)
    if len(kernel.scales) == 1 and one.kind == "FULLY_CONNECTED":  # tflite-micro takes this product in float32
        scales = np.broadcast_to(np.float64(np.float32(source.scale) * kernel.scales[0]), channels)
        return scales / one.target.scale
    return source.scale * scales / one.target.scale


def _convolution(one: Operator, kernel: FileTensor, source: FileTensor, bias: FileTensor | None, **fields: Any) -> Any:
    """Return the settings of a convolution with a plain bias."""
    if kernel.data is None:
        raise one.refused("its kernel is not a constant")
    if kernel.dtype != np.int8 or kernel.zero_points.any():
        raise one.refused("its kernel does not consist of symmetric integers of 8 bits or fewer")
    channels = one.target.shape[-1]
    by = quantized_multipliers(sum_factors(one, kernel, source))
    if by.shifts.max(initial=0) > LARGEST_SHIFT:
        raise one.refused("its scales are too far apart")
    least, greatest = one.limits()
    plain = np.zeros(channels, np.int64) if bias is None or bias.data is None else bias.data.astype(np.int64)
    return Convolution(
        kernel=one.weights,
        bias=tuple(plain.tolist()),
        multiplier=tuple(by.multipliers.tolist()),
        shift=tuple(by.shifts.tolist()),
        out_channels=channels,
        input_zero=source.zero_point,
        output_zero=one.target.zero_point,
        least=least,
        greatest=greatest,
        **fields,
    )


def _folded(one: Operator, settings: Convolution, row_sums: npt.NDArray[np.int64]) -> Convolution:
    """Fold the zero point of the input into the bias."""
    bias = np.array(settings.bias, np.int64) - settings.input_zero * row_sums
    if np.abs(bias).max(initial=0) >= 1 << 31:
        raise one.refused("a bias needs more than 32 bits")
    return replace(settings, bias=tuple(bias.tolist()))


def dilations(one: Operator) -> dict[str, int]:
    """Return the fields of a convolution that say how far its taps lie apart."""
    return {"dilation_y": one.options.dilationHFactor, "dilation_x": one.options.dilationWFactor}


def dense_sizes(one: Operator) -> dict[str, int]:
    """Return the fields of a fully connected layer as a convolution whose kernel is a whole flattened image."""
    inputs, taps = one.source(1).shape[-1], one.weights.taps
    rows = math.prod(one.source().shape) // inputs
    if taps > 1 and rows > 1:
        raise one.refused("it reads several rows of an image whose channels are pruned")
    return {
        "in_height": rows * taps,
        "in_width": 1,
        "in_channels": inputs // taps,
        "kernel_height": taps,
        "out_height": rows,
        "out_width": 1,
    }


def conv(one: Operator) -> list[Step]:
    """Return the step of a convolution."""
    source, kernel = one.source(), one.source(1)
    channels = image(one, source)[2]
    height, width, row = kernel.shape[1:]
    groups = channels // row
    settings = _convolution(
        one,
        kernel,
        source,
        one.optional(2),
        in_channels=row,
        groups=groups,
        **window(one, source, height, width),
        **dilations(one),
    )
    sums = kernel.data.astype(np.int64).sum((1, 2, 3)) if kernel.data is not None else np.int64(0)
    settings = _folded(one, settings, np.asarray(sums))
    return [one.step(_conv_kernel(settings), settings, one.operator.inputs[0])]


def _conv_kernel(settings: Convolution) -> str:
    """Return the function of a convolution or a fully connected layer."""
    if settings.kernel.coding is not None:
        return "reds_convolve_sparse" if settings.kernel.coding.packing.has_mask else "reds_convolve_coded"
    if settings.kernel.halves is not None:
        return "reds_convolve_split"
    if settings.kernel.bits < 8:
        return "reds_convolve_packed"
    is_point = settings.kernel_height * settings.kernel_width * settings.stride_y * settings.stride_x == 1
    is_plain = settings.groups == 1 and not settings.kernel.segments
    is_unpadded = (settings.in_height, settings.in_width) == (settings.out_height, settings.out_width)
    return "reds_convolve_pointwise" if is_point and is_plain and is_unpadded else "reds_convolve"


def depthwise(one: Operator) -> list[Step]:
    """Return the step of a depthwise convolution."""
    source, kernel = one.source(), one.source(1)
    channels = image(one, source)[2]
    height, width, outputs = kernel.shape[1:]
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
    sums = kernel.data.astype(np.int64).sum((0, 1, 2)) if kernel.data is not None else np.int64(0)
    settings = _folded(one, settings, np.asarray(sums))
    name, coding = "reds_convolve_depthwise", settings.kernel.coding
    if coding is not None and coding.packing.has_mask:
        raise one.refused("there is no kernel for depthwise convolutions with a mask")
    if settings.kernel.halves is not None:
        name += "_split"
    else:
        name += "_coded" if coding is not None else "_packed" if settings.kernel.bits < 8 else ""
    return [one.step(name, settings, one.operator.inputs[0])]


def transposed(one: Operator) -> list[Step]:
    """Return the step of a transposed convolution."""
    kernel, source = one.source(1), one.source(2)
    (height, width, channels), (out_height, out_width, _) = image(one, source), image(one, one.target)
    kernel_height, kernel_width = kernel.shape[1:3]
    stride_y, stride_x, padding = one.options.strideH, one.options.strideW, one.options.padding
    settings = _convolution(
        one,
        kernel,
        source,
        one.optional(3),
        in_channels=channels,
        in_height=height,
        in_width=width,
        out_height=out_height,
        out_width=out_width,
        kernel_height=kernel_height,
        kernel_width=kernel_width,
        stride_y=stride_y,
        stride_x=stride_x,
        pad_top=pad_before(padding, out_height, height, kernel_height, stride_y),
        pad_left=pad_before(padding, out_width, width, kernel_width, stride_x),
    )
    if settings.kernel.coding is not None:
        raise one.refused("its kernel has a codebook or a mask")
    if settings.kernel.bits < 8:
        raise one.refused(f"its weights have {settings.kernel.bits} bits")
    return [one.step("reds_convolve_transposed", settings, one.operator.inputs[2])]


def dense(one: Operator) -> list[Step]:
    """Return the step of a fully connected layer."""
    source, kernel = one.source(), one.source(1)
    settings = _convolution(one, kernel, source, one.optional(2), **dense_sizes(one))
    sums = kernel.data.astype(np.int64).sum(1) if kernel.data is not None else np.int64(0)
    settings = _folded(one, settings, np.asarray(sums))
    return [one.step(_conv_kernel(settings), settings, one.operator.inputs[0])]
