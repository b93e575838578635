"""Functions of a single element as tables of their results for all 256 inputs, in the arithmetic of tflite-micro."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from reds_litert.graph import FileTensor

from reds_c_engine.fixed_point import (
    INT32_MAX,
    IntArray,
    QuantizedMultiplier,
    quantized_multiplier,
    rounding_divide_by_power_of_two,
    saturate,
    saturating_rounding_doubling_high_mul,
    scaled,
)
from reds_c_engine.kernel_records import Arithmetic
from reds_c_engine.quantization import GREATEST, LEAST, input_radius, quantized

INPUTS = np.arange(LEAST, GREATEST + 1, dtype=np.int64)
"""The inputs of a table."""
IDENTITY = INPUTS.astype(np.int8).tobytes()
"""The table of the function that returns its input."""
SUM_SHIFT = 20
"""How far inputs of sums are shifted to the left before they are scaled."""
INTEGER_BITS = 4
"""The number of integer bits of the inputs of the logistic function and of tanh in fixed point."""
SHIFT16 = 15
"""The largest number of bits by which integers of 16 bits are shifted to the right."""
_ONE_QUARTER = 1 << 29

Table = Callable[[FileTensor, FileTensor, Any], IntArray]
"""Returns the results before limits, from the input, the output and the options of the operator."""


def table_bytes(results: IntArray) -> bytes:
    """Return the results of a table as signed bytes, limited to their range."""
    return np.clip(results, LEAST, GREATEST).astype(np.int8).tobytes()


def composed(first: bytes, second: bytes) -> bytes:
    """Return the table that looks up the results of `first` in `second`."""
    table = np.frombuffer(second, np.int8)
    return table[np.frombuffer(first, np.int8).astype(np.int64) - LEAST].tobytes()


def requantized(source: FileTensor, target: FileTensor, options: Any = None) -> IntArray:
    """The same real number in the quantisation of the output."""
    by = quantized_multiplier(source.scale / target.scale)
    return scaled(INPUTS - source.zero_point, by) + target.zero_point


def _relu(source: FileTensor, target: FileTensor, options: Any) -> IntArray:
    return np.maximum(requantized(source, target), target.zero_point)


def _relu6(source: FileTensor, target: FileTensor, options: Any) -> IntArray:
    return np.clip(INPUTS, source.zero_point, quantized(6.0, source))  # tflite-micro ignores the scale of the output


def _leaky_relu(source: FileTensor, target: FileTensor, options: Any) -> IntArray:
    slope = quantized_multiplier(source.scale * float(np.float32(options.alpha)) / target.scale)
    identity = quantized_multiplier(source.scale / target.scale)
    inputs = INPUTS - source.zero_point
    return np.where(inputs >= 0, scaled(inputs, identity), scaled(inputs, slope)) + target.zero_point


# --- functions that gemmlowp evaluates in fixed point ----------------------------------------------------------------


def _exp_between_minus_quarter_and_0(x: IntArray) -> IntArray:
    """exp(x) for x from -1/4 to 0 in Q0.31, by a Taylor series around -1/8."""
    around = x + (1 << 28)
    squared = saturating_rounding_doubling_high_mul(around, around)
    cubed = saturating_rounding_doubling_high_mul(squared, around)
    fourth = rounding_divide_by_power_of_two(saturating_rounding_doubling_high_mul(squared, squared), 2)
    third = saturating_rounding_doubling_high_mul(fourth + cubed, 715827883)  # one third
    tail = rounding_divide_by_power_of_two(third + squared, 1)
    constant = 1895147668  # exp(-1/8)
    return constant + saturating_rounding_doubling_high_mul(constant, around + tail)


def _exp(x: IntArray, integer_bits: int) -> IntArray:
    """exp(x) in Q0.31 for x of at most 0 in fixed point with `integer_bits`."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    modulo = (x & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_0(saturate(modulo << integer_bits))
    remainder = modulo - x
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)  # exp(-2**exponent)
    for exponent, factor in enumerate(factors, start=-2):
        if integer_bits > exponent:
            has_bit = (remainder & (1 << (fraction_bits + exponent))) != 0
            result = np.where(has_bit, saturating_rounding_doubling_high_mul(result, factor), result)
    return np.where(x == 0, INT32_MAX, result)


def _half_reciprocal(x: IntArray) -> IntArray:
    """1 / (1 + x) in Q2.29 for x from 0 to 1 in Q0.31, by three steps of Newton's method."""
    half = (x + INT32_MAX + 1) >> 1
    guess = 1515870810 + saturating_rounding_doubling_high_mul(half, -1010580540)  # 48/17 - 32/17 * half
    for _ in range(3):
        error = _ONE_QUARTER - saturating_rounding_doubling_high_mul(half, guess)
        guess = guess + saturate(saturating_rounding_doubling_high_mul(guess, error) << 2)
    return guess


def _in_fixed_point(source: FileTensor) -> tuple[IntArray, IntArray]:
    """Return the inputs with INTEGER_BITS integer bits, and -1, 0 or 1 where they are below, in or above the range."""
    by = quantized_multiplier(source.scale * (1 << (31 - INTEGER_BITS)))
    inputs = INPUTS - source.zero_point
    radius = input_radius(INTEGER_BITS, by.shift)
    side = np.where(inputs <= -radius, -1, np.where(inputs >= radius, 1, 0))
    return scaled(np.where(side == 0, inputs, 0), by), side


def _logistic(source: FileTensor, target: FileTensor, options: Any) -> IntArray:
    x, side = _in_fixed_point(source)
    positive = saturate(_half_reciprocal(_exp(-np.abs(x), INTEGER_BITS)) << 1)
    result = np.where(x > 0, positive, INT32_MAX - positive)
    result = np.where(x == 0, 1 << 30, result)
    values = rounding_divide_by_power_of_two(result, 31 - 8) + LEAST
    return np.where(side == 0, values, np.where(side < 0, LEAST, GREATEST))


def _tanh(source: FileTensor, target: FileTensor, options: Any) -> IntArray:
    x, side = _in_fixed_point(source)
    reciprocal = _half_reciprocal(_exp(-np.abs(x), INTEGER_BITS + 1))  # the same integers are twice the number
    positive = saturate((reciprocal - _ONE_QUARTER) << 2)
    result = np.where(x == 0, 0, np.where(x > 0, positive, -positive))
    values = rounding_divide_by_power_of_two(result, 31 - 7)
    return np.where(side == 0, values, np.where(side < 0, LEAST, GREATEST))


# --- hard swish, which is computed in 16 bits ------------------------------------------------------------------------


def _saturate16(x: IntArray) -> IntArray:
    return np.clip(x, -(1 << 15), (1 << 15) - 1)


def _high_mul16(a: npt.ArrayLike, b: npt.ArrayLike, nudge: int) -> IntArray:
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    nudged = product + (np.where(product >= 0, nudge, 1 - nudge) if nudge else 0)
    return _saturate16(np.sign(nudged) * (np.abs(nudged) >> 15))


def _multiplier16(factor: np.float32) -> tuple[int, int]:
    by = quantized_multiplier(float(factor))
    return min((by.multiplier + (1 << 15)) >> 16, (1 << 15) - 1), by.shift


def _hard_swish(source: FileTensor, target: FileTensor, options: Any) -> IntArray:
    fine_scale = np.float32(1 / 128) * np.float32(source.scale)
    factor, shift = _multiplier16(fine_scale / np.float32(target.scale))
    if not -SHIFT16 <= shift <= 0:
        raise OverflowError("16 bits are too few for the ratio of both scales")
    slope, slope_shift = _multiplier16(fine_scale / (np.float32(3) / np.float32(32768)))
    fine = (INPUTS - source.zero_point) << 7
    unshifted = _high_mul16(fine, factor, 1 << 14)
    gate = fine
    if slope_shift > 0:
        gate = _saturate16(gate << (slope_shift - 1))
    gate = _high_mul16(gate, slope, 1 << 14)
    if slope_shift > 0:
        gate = _saturate16(gate << 1)
    if slope_shift < 0:
        gate = rounding_divide_by_power_of_two(gate, -slope_shift)
    product = _high_mul16((gate + (1 << 15)) >> 1, unshifted, 0)
    return rounding_divide_by_power_of_two(product, -shift) + target.zero_point


FUNCTIONS: dict[str, Table] = {
    "QUANTIZE": requantized,
    "RELU": _relu,
    "RELU6": _relu6,
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _logistic,
    "TANH": _tanh,
    "HARD_SWISH": _hard_swish,
}
"""The table of each kind of operator with a single input."""


# --- sums and products ------------------------------------------------------------------------------------------------


def arithmetic_results(kernel: str, settings: Arithmetic, first: IntArray, second: IntArray) -> IntArray:
    """Return sums, differences or products of integers, limited to their range.

    Args:
        kernel: The kernel that computes them: "reds_add", "reds_subtract" or "reds_multiply".
        settings: Its settings.
        first, second: The inputs, which are broadcast against each other.

    Raises:
        OverflowError: If an integer needs more than 32 bits.
    """
    a, b = first - settings.first_zero, second - settings.second_zero
    if kernel == "reds_multiply":
        results = a * b
    else:
        left = scaled(a << settings.left_shift, QuantizedMultiplier(settings.first_multiplier, settings.first_shift))
        right = scaled(b << settings.left_shift, QuantizedMultiplier(settings.second_multiplier, settings.second_shift))
        results = left + right if kernel == "reds_add" else left - right
    results = scaled(results, QuantizedMultiplier(settings.output_multiplier, settings.output_shift))
    return np.clip(results + settings.output_zero, settings.least, settings.greatest)
