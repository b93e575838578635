"""Activations and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from reds_c_engine.fixed_point import (
    IntArray,
    quantized_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
    scaled,
)
from reds_c_engine.reference.call import INT8_MAX, INT8_MIN, Call, Range, quantized
from reds_c_engine.reference.transcendental import exp_of_negative, logistic_of, reciprocal_of_one_plus, tanh_of
from reds_core.errors import UnsupportedError

Int8Array = npt.NDArray[np.int8]

_SIGMOID_INTEGER_BITS = 4
_SOFTMAX_INTEGER_BITS = 5
_SUM_INTEGER_BITS = 12
_LARGEST_SHIFT16 = 15
"""The largest number of bits by which integers of 16 bits are shifted to the right."""
_INT16_MIN, _INT16_MAX = -(1 << 15), (1 << 15) - 1


def relu(call: Call) -> Int8Array:
    """Return max(x, 0), with a change of scale."""
    by = quantized_multiplier(call.tensor(0).scale / call.output.scale)
    values = np.maximum(scaled(call.centred(0), by), 0)
    return call.every().clip(values + call.output.zero_point)


def relu6(call: Call) -> Int8Array:
    """Return min(max(x, 0), 6), in the scale of the input."""
    source = call.tensor(0)
    every = call.every()
    return Range(source.zero_point, min(every.greatest, quantized(6.0, source)), every.bits).clip(call.integers(0))


def leaky_relu(call: Call) -> Int8Array:
    """Return x, or alpha times x below 0."""
    source, output = call.tensor(0).scale, call.output.scale
    x = call.centred(0)
    kept = scaled(x, quantized_multiplier(source / output))
    leaked = scaled(x, quantized_multiplier(source * float(np.float32(call.options.alpha)) / output))
    return call.every().clip(np.where(x >= 0, kept, leaked) + call.output.zero_point)


def hard_swish(call: Call) -> Int8Array:
    """Return x * min(max(x + 3, 0), 6) / 6, in fixed point of 16 bits."""
    fine = np.float32(1.0 / 128.0) * np.float32(call.tensor(0).scale)
    to_output = quantized_multiplier(float(fine / np.float32(call.output.scale)))
    to_gate = quantized_multiplier(float(fine / (np.float32(3.0) / np.float32(32768.0))))
    if not -_LARGEST_SHIFT16 <= to_output.shift <= 0:
        raise UnsupportedError("the scales of HARD_SWISH are too far apart", "calibrate with other data")
    x = call.centred(0) << 7
    on_output = _high_mul16(x, _upper16(to_output.multiplier))
    gate = x
    if to_gate.shift > 0:
        gate = _saturate16(gate << (to_gate.shift - 1))
    gate = _high_mul16(gate, _upper16(to_gate.multiplier))
    if to_gate.shift > 0:
        gate = _saturate16(gate << 1)
    elif to_gate.shift < 0:
        gate = rounding_divide_by_power_of_two(gate, -to_gate.shift)
    gate = (gate + (1 << 15)) >> 1  # from [-1, 1] to [0, 1]
    product = gate * on_output
    product = np.where(product >= 0, product >> 15, -((-product) >> 15))  # towards zero
    return Range().clip(rounding_divide_by_power_of_two(product, -to_output.shift) + call.output.zero_point)


def logistic(call: Call) -> Int8Array:
    """Return 1 / (1 + exp(-x)), in units of 1/256 from -128."""
    return _sigmoid(call, lambda x: rounding_divide_by_power_of_two(logistic_of(x, _SIGMOID_INTEGER_BITS), 23) - 128)


def tanh(call: Call) -> Int8Array:
    """Return tanh(x), in units of 1/128."""
    return _sigmoid(call, lambda x: rounding_divide_by_power_of_two(tanh_of(x, _SIGMOID_INTEGER_BITS), 24))


def softmax(call: Call) -> Int8Array:
    """Return exp(beta * x) over its sum along the last axis, in units of 1/256 from -128."""
    factor = float(call.options.beta) * call.tensor(0).scale * (1 << (31 - _SOFTMAX_INTEGER_BITS))
    by = quantized_multiplier(min(factor, (1 << 31) - 1.0))
    x = call.integers(0)
    below = x - x.max(axis=-1, keepdims=True)
    counted = below >= -_radius(_SOFTMAX_INTEGER_BITS, by.shift)
    # differences that do not count may overflow
    powers = exp_of_negative(scaled(np.where(counted, below, 0), by), _SOFTMAX_INTEGER_BITS)
    powers = np.where(counted, powers, 0)
    sums = rounding_divide_by_power_of_two(powers, _SUM_INTEGER_BITS).sum(axis=-1, keepdims=True)
    headroom = 32 - np.vectorize(lambda total: int(total).bit_length(), otypes=[np.int64])(sums)
    reciprocal = reciprocal_of_one_plus((sums << headroom) - (1 << 31))
    shares = saturating_rounding_doubling_high_mul(reciprocal, powers)
    shares = rounding_divide_by_power_of_two(shares, _SUM_INTEGER_BITS - headroom + 31 - 8)
    return np.where(counted, Range().clip(shares + INT8_MIN), INT8_MIN).astype(np.int8)


def _sigmoid(call: Call, function: Callable[[IntArray], IntArray]) -> Int8Array:
    by = quantized_multiplier(call.tensor(0).scale * (1 << (31 - _SIGMOID_INTEGER_BITS)))
    radius = _radius(_SIGMOID_INTEGER_BITS, by.shift)
    x = call.centred(0)
    inside = np.abs(x) < radius
    found = function(scaled(np.where(inside, x, 0), by))
    return Range().clip(np.where(inside, found, np.where(x > 0, INT8_MAX, INT8_MIN)))


def _radius(integer_bits: int, left_shift: int) -> int:
    """Return the largest integer that can be shifted into fixed point with so many integer bits."""
    return math.floor(((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / (1 << left_shift))


def _upper16(multiplier: int) -> int:
    """Return a 32-bit multiplier as one of 16 bits."""
    return min((multiplier + (1 << 15)) >> 16, _INT16_MAX)


def _saturate16(x: IntArray) -> IntArray:
    return np.clip(x, _INT16_MIN, _INT16_MAX)


def _high_mul16(x: IntArray, factor: int) -> IntArray:
    """Return the upper 16 bits of twice a product of 16-bit integers, rounded as in 32 bits."""
    product = x * factor
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return _saturate16(np.where(nudged >= 0, nudged >> 15, -((-nudged) >> 15)))
