"""Fixed-point arithmetic of gemmlowp, as tflite-micro uses it, on NumPy arrays of integers.

A real factor is represented as `multiplier * 2**(shift - 31)` with a 32-bit multiplier. All functions compute in 64
bits and return int64; their arguments and results are integers of 32 bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

INT32_MIN = -(1 << 31)
INT32_MAX = (1 << 31) - 1


@dataclass(frozen=True)
class QuantizedMultiplier:
    """A real factor in fixed point: `multiplier * 2**(shift - 31)`.

    Attributes:
        multiplier: A 32-bit integer whose absolute value is at least 2**30, or 0.
        shift: The power of two; positive values shift to the left.
    """

    multiplier: int
    shift: int

    @property
    def factor(self) -> float:
        """The real factor that the integers represent."""
        return math.ldexp(self.multiplier, self.shift - 31)


@dataclass(frozen=True, eq=False)
class QuantizedMultipliers:
    """Several real factors in fixed point, such as one for each output channel.

    Attributes:
        multipliers: The 32-bit multipliers, int64 (channels,).
        shifts: The powers of two, int64 (channels,); positive values shift to the left.
    """

    multipliers: IntArray
    shifts: IntArray


def quantized_multiplier(factor: float) -> QuantizedMultiplier:
    """Return a real factor in fixed point, rounded to 31 bits with halves away from zero.

    A factor below 2**-32 becomes 0, since shifts of more than 31 bits leave nothing of a 32-bit integer.

    Raises:
        ValueError: If the factor is not finite.
    """
    if not math.isfinite(factor):
        raise ValueError(f"a factor of {factor} has no fixed-point form")
    mantissa, shift = math.frexp(factor)
    multiplier = math.floor(abs(mantissa) * (1 << 31) + 0.5)
    if multiplier == 1 << 31:  # the mantissa was rounded up to 1
        multiplier >>= 1
        shift += 1
    if multiplier == 0 or shift < -31:
        return QuantizedMultiplier(0, 0)
    return QuantizedMultiplier(-multiplier if factor < 0 else multiplier, shift)


def quantized_multipliers(factors: npt.ArrayLike) -> QuantizedMultipliers:
    """Return real factors in fixed point; see `quantized_multiplier`."""
    each = [quantized_multiplier(float(factor)) for factor in np.asarray(factors, np.float64).reshape(-1)]
    return QuantizedMultipliers(
        np.array([one.multiplier for one in each], np.int64), np.array([one.shift for one in each], np.int64)
    )


def saturate(x: Any) -> IntArray:
    """Limit integers to the range of 32 bits."""
    return np.clip(np.asarray(x, np.int64), INT32_MIN, INT32_MAX)


def saturating_rounding_doubling_high_mul(a: Any, b: Any) -> IntArray:
    """Return the upper 32 bits of `2 * a * b`, rounded to nearest with halves upwards, for 32-bit integers.

    The one product that does not fit, -2**31 by itself, saturates. (The nudge for negative products is one less than
    half, and the division truncates towards zero, which together round halves upwards.)
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    quotient = np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))
    return np.minimum(quotient, INT32_MAX)


def rounding_divide_by_power_of_two(x: Any, exponent: Any) -> IntArray:
    """Return `x / 2**exponent` rounded to nearest, halves away from zero, for exponents from 0 to 31."""
    dividend, power = np.asarray(x, np.int64), np.asarray(exponent, np.int64)
    mask = (np.int64(1) << power) - 1
    threshold = (mask >> 1) + (dividend < 0)
    return np.asarray((dividend >> power) + ((dividend & mask) > threshold), np.int64)


def multiply_by_quantized_multiplier(x: Any, multiplier: Any, shift: Any) -> IntArray:
    """Return `x * multiplier * 2**(shift - 31)` with the two roundings of gemmlowp.

    Args:
        x: 32-bit integers of any shape.
        multiplier: The multiplier or multipliers, which are broadcast against `x`.
        shift: The shift or shifts, likewise.

    Raises:
        OverflowError: If `x` shifted to the left needs more than 32 bits, for which C defines no result.
    """
    power = np.asarray(shift, np.int64)
    shifted = np.asarray(x, np.int64) << np.maximum(power, 0)
    if shifted.size and (shifted.min() < INT32_MIN or shifted.max() > INT32_MAX):
        raise OverflowError("an integer shifted to the left needs more than 32 bits")
    high = saturating_rounding_doubling_high_mul(shifted, multiplier)
    return rounding_divide_by_power_of_two(high, np.maximum(-power, 0))


def scaled(x: Any, by: QuantizedMultiplier | QuantizedMultipliers) -> IntArray:
    """Return integers times one factor, or times one factor for each element of the last axis.

    Raises:
        OverflowError: As `multiply_by_quantized_multiplier`.
    """
    if isinstance(by, QuantizedMultiplier):
        return multiply_by_quantized_multiplier(x, by.multiplier, by.shift)
    return multiply_by_quantized_multiplier(x, by.multipliers, by.shifts)


def reduced_multiplier(multiplier: int) -> int:
    """Return a multiplier of 31 bits rounded to one of 15 bits, by which integers of 64 bits are multiplied."""
    return (multiplier + (1 << 15)) >> 16 if multiplier < 0x7FFF0000 else 0x7FFF


def scaled_from_64_bits(x: Any, by: QuantizedMultipliers) -> IntArray:
    """Return integers of up to 48 bits times one factor for each element of the last axis, rounded once.

    This is how sums of products of activations of 16 bits are rescaled: with a multiplier of 15 bits, and halves are
    rounded upwards.
    """
    reduced = np.array([reduced_multiplier(int(multiplier)) for multiplier in by.multipliers], np.int64)
    shift = 15 - by.shifts
    return np.asarray((np.asarray(x, np.int64) * reduced + (np.int64(1) << (shift - 1))) >> shift, np.int64)
