"""Exponentials, the logistic function, tanh and reciprocals in fixed point, as in gemmlowp.

Numbers in "Qm" have m integer bits and 31 - m fractional bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reds_c_engine.fixed_point import (
    INT32_MAX,
    IntArray,
    rounding_divide_by_power_of_two,
    saturate,
    saturating_rounding_doubling_high_mul,
)

_ONE = INT32_MAX
"""The largest number in Q0, which represents 1."""
_ONE_Q2 = 1 << 29
_EXP_OF_MINUS_1_8 = 1895147668
_THIRD = 715827883
_48_17_Q2 = 1515870810
_MINUS_32_17_Q2 = -1010580540
_EXP_OF_POWERS = {
    -2: 1672461947,
    -1: 1302514674,
    0: 790015084,
    1: 290630308,
    2: 39332535,
    3: 720401,
    4: 242,
}
"""exp(-2**k) in Q0, by k."""

_mul = saturating_rounding_doubling_high_mul


def exp_of_negative(x: Any, integer_bits: int) -> IntArray:
    """Return exp(x) in Q0 for numbers `x` of at most 0 with `integer_bits` integer bits."""
    numbers = np.asarray(x, np.int64)
    fractional_bits = 31 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    in_quarter = (numbers & (quarter - 1)) - quarter
    result = _exp_in_last_quarter(saturate(in_quarter << integer_bits))
    rest = in_quarter - numbers
    for power, factor in _EXP_OF_POWERS.items():
        if integer_bits > power:
            result = np.where(rest & (1 << (fractional_bits + power)), _mul(result, factor), result)
    return np.where(numbers == 0, _ONE, result)


def reciprocal_of_one_plus(x: Any) -> IntArray:
    """Return 1 / (1 + x) in Q0 for `x` in Q0 from 0 to 1."""
    return saturate(_reciprocal_of_half_sum(x) << 1)


def logistic_of(x: Any, integer_bits: int) -> IntArray:
    """Return 1 / (1 + exp(-x)) in Q0 for numbers with `integer_bits` integer bits."""
    numbers = np.asarray(x, np.int64)
    of_absolute = reciprocal_of_one_plus(exp_of_negative(-np.abs(numbers), integer_bits))
    return np.where(numbers == 0, 1 << 30, np.where(numbers > 0, of_absolute, _ONE - of_absolute))


def tanh_of(x: Any, integer_bits: int) -> IntArray:
    """Return tanh(x) in Q0 for numbers with `integer_bits` integer bits."""
    numbers = np.asarray(x, np.int64)
    power = exp_of_negative(-np.abs(numbers), integer_bits + 1)  # of twice the number
    of_absolute = saturate((_reciprocal_of_half_sum(power) - _ONE_Q2) << 2)  # (1 - e) / (1 + e) = 2 / (1 + e) - 1
    return np.where(numbers == 0, 0, np.where(numbers > 0, of_absolute, -of_absolute))


def _exp_in_last_quarter(x: IntArray) -> IntArray:
    """Return exp(x) in Q0 for `x` in Q0 from -1/4 to 0, by a polynomial around -1/8."""
    x = x + (1 << 28)
    x2 = _mul(x, x)
    x3, x4 = _mul(x2, x), _mul(x2, x2)
    higher = _mul(rounding_divide_by_power_of_two(x4, 2) + x3, _THIRD) + x2
    return _EXP_OF_MINUS_1_8 + _mul(_EXP_OF_MINUS_1_8, x + rounding_divide_by_power_of_two(higher, 1))


def _reciprocal_of_half_sum(x: Any) -> IntArray:
    """Return 2 / (1 + x) in Q2 for `x` in Q0 from 0 to 1, by three steps of Newton's method."""
    half_sum = rounding_divide_by_power_of_two(np.asarray(x, np.int64) + _ONE, 1)
    result = _48_17_Q2 + _mul(half_sum, _MINUS_32_17_Q2)
    for _ in range(3):
        error = _ONE_Q2 - _mul(half_sum, result)
        result = result + saturate(_mul(result, error) << 2)
    return result
