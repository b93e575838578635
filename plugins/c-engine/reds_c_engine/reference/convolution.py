"""Convolutions and fully connected layers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from reds_litert.graph import FileTensor

from reds_c_engine.fixed_point import (
    IntArray,
    QuantizedMultipliers,
    quantized_multipliers,
    scaled,
    scaled_from_64_bits,
)
from reds_c_engine.reference.call import Call
from reds_c_engine.reference.windows import Steps, steps, windows
from reds_core.errors import UnsupportedError

Int8Array = npt.NDArray[np.int8]


def convolution(call: Call) -> Int8Array:
    """Return a convolution, also a dilated or grouped one; kernels are (outputs, height, width, inputs of a group)."""
    x, kernel = call.centred(0), _symmetric(call, 1)
    outputs, height, width, inputs = kernel.shape
    seen = windows(x, *steps(call.options, x.shape[1:3], (height, width)), padding=0)
    groups = x.shape[3] // inputs
    of_group = outputs // groups
    sums = [
        _product(
            seen[..., group * inputs : (group + 1) * inputs].reshape(*seen.shape[:3], -1),
            kernel[group * of_group : (group + 1) * of_group].reshape(of_group, -1),
        )
        for group in range(groups)
    ]
    return _rescaled(call, np.concatenate(sums, axis=-1) + call.bias(2), call.tensor(0), call.tensor(1))


def depthwise_convolution(call: Call) -> Int8Array:
    """Return a depthwise convolution; kernels are (1, height, width, outputs)."""
    x, kernel = call.centred(0), _symmetric(call, 1)
    _, height, width, outputs = kernel.shape
    seen = windows(x, *steps(call.options, x.shape[1:3], (height, width)), padding=0)
    seen = np.repeat(seen, outputs // x.shape[3], axis=-1)
    sums = (seen * kernel[0]).sum(axis=(3, 4))
    return _rescaled(call, sums + call.bias(2), call.tensor(0), call.tensor(1))


def transposed_convolution(call: Call) -> Int8Array:
    """Return a transposed convolution; kernels are (outputs, height, width, inputs).

    Each input adds its products with the kernel to a window of the output.
    """
    x, kernel = call.centred(2), _symmetric(call, 1)
    outputs, height, width, _ = kernel.shape
    shape, options = call.output_shape, call.options
    rows, columns = (
        Steps.along(shape[axis + 1], kernel.shape[axis + 1], int(options.padding), int(stride))
        for axis, stride in enumerate((options.strideH, options.strideW))
    )
    reach = [  # with room for what falls beside the output
        max(side.before + size, (count - 1) * side.stride + side.taps)
        for side, size, count in zip((rows, columns), shape[1:3], x.shape[1:3], strict=True)
    ]
    sums: IntArray = np.zeros((len(x), *reach, outputs), np.int64)
    for i in range(height):
        for j in range(width):
            y = slice(i, i + (x.shape[1] - 1) * rows.stride + 1, rows.stride)
            z = slice(j, j + (x.shape[2] - 1) * columns.stride + 1, columns.stride)
            sums[:, y, z] += _product(x, kernel[:, i, j])
    inside = sums[:, rows.before : rows.before + shape[1], columns.before : columns.before + shape[2]]
    return _rescaled(call, inside + call.bias(3), call.tensor(2), call.tensor(1))


def fully_connected(call: Call) -> Int8Array:
    """Return a fully connected layer; kernels are (outputs, inputs).

    With a single scale, the product of the scales of inputs and weights is rounded to float32.
    """
    kernel = _symmetric(call, 1)
    sums = _product(call.centred(0).reshape(-1, kernel.shape[1]), kernel) + call.bias(2)
    sums = sums.reshape(*call.output_shape)
    source, weights = call.tensor(0), call.tensor(1)
    if len(weights.scales) > 1:
        return _rescaled(call, sums, source, weights)
    product = float(np.float32(source.scale) * np.float32(weights.scale))
    return _written(call, sums, quantized_multipliers([product / call.output.scale]))


def _symmetric(call: Call, index: int) -> IntArray:
    if call.tensor(index).zero_points.any():
        raise UnsupportedError(f"the weights of {call.operator.kind} have a zero point", "quantise them symmetrically")
    return call.integers(index)


def _product(x: IntArray, weights: IntArray) -> IntArray:
    """Return `x @ weights.T`; numbers of 64 bits hold sums of integers below 2**53 exactly."""
    return np.rint(x.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.int64)


def _rescaled(call: Call, sums: IntArray, source: FileTensor, weights: FileTensor) -> Int8Array:
    return _written(call, sums, _multipliers(source, weights, call.output))


def _written(call: Call, sums: IntArray, by: QuantizedMultipliers) -> Int8Array:
    values = scaled_from_64_bits(sums, by) if call.is_wide else scaled(sums, by)
    return call.range().clip(values + call.output.zero_point)


def _multipliers(source: FileTensor, weights: FileTensor, output: FileTensor) -> QuantizedMultipliers:
    """Return a factor for each output channel: the scale of a sum over the scale of the output, in float64."""
    return quantized_multipliers(source.scale * weights.scales.astype(np.float64) / output.scale)
