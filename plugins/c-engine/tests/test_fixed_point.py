"""Fixed-point arithmetic against Python's integers and fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from reds_c_engine.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    QuantizedMultiplier,
    multiply_by_quantized_multiplier,
    quantized_multiplier,
    quantized_multipliers,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
    scaled,
)

EDGES = [0, 1, 2, 3, (1 << 30) - 1, 1 << 30, (1 << 30) + 1, INT32_MAX - 1, INT32_MAX]
EDGES = [*EDGES, *(-edge for edge in EDGES[1:]), INT32_MIN]


def truncated(a: int, b: int) -> int:
    """Division of C."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def high_mul(a: int, b: int) -> int:
    """The definition in gemmlowp, statement by statement."""
    if a == b == INT32_MIN:
        return INT32_MAX
    nudge = (1 << 30) if a * b >= 0 else 1 - (1 << 30)
    return truncated(a * b + nudge, 1 << 31)


def divided(x: int, exponent: int) -> int:
    half_away = math.floor(Fraction(abs(x), 1 << exponent) + Fraction(1, 2))
    return -half_away if x < 0 else half_away


def test_high_multiplication_is_that_of_gemmlowp() -> None:
    rng = np.random.default_rng(0)
    a = np.concatenate([np.repeat(EDGES, len(EDGES)), rng.integers(INT32_MIN, INT32_MAX, 5000, endpoint=True)])
    b = np.concatenate([np.tile(EDGES, len(EDGES)), rng.integers(INT32_MIN, INT32_MAX, 5000, endpoint=True)])
    expected = [high_mul(int(x), int(y)) for x, y in zip(a, b, strict=True)]
    assert saturating_rounding_doubling_high_mul(a, b).tolist() == expected


def test_high_multiplication_rounds_to_nearest_with_halves_upwards() -> None:
    a, b = np.meshgrid(np.arange(-40, 41), np.arange(-40, 41) * (1 << 26))
    products = [int(x) * int(y) for x, y in zip(a.flat, b.flat, strict=True)]
    expected = [math.floor(Fraction(product, 1 << 31) + Fraction(1, 2)) for product in products]
    assert saturating_rounding_doubling_high_mul(a, b).ravel().tolist() == expected


def test_division_by_powers_of_two_rounds_halves_away_from_zero_for_every_small_integer() -> None:
    x = np.arange(-1100, 1101)
    for exponent in range(12):
        assert rounding_divide_by_power_of_two(x, exponent).tolist() == [divided(int(v), exponent) for v in x]


@pytest.mark.parametrize("exponent", [0, 1, 15, 30, 31])
def test_division_by_powers_of_two_of_large_integers(exponent: int) -> None:
    assert rounding_divide_by_power_of_two(EDGES, exponent).tolist() == [divided(x, exponent) for x in EDGES]


def test_factors_are_rounded_to_31_bits() -> None:
    rng = np.random.default_rng(1)
    for factor in np.exp(rng.uniform(-20, 9, 2000)):
        found = quantized_multiplier(float(factor))
        assert 1 << 30 <= found.multiplier <= INT32_MAX
        assert abs(Fraction(float(factor)) / Fraction(2) ** (found.shift - 31) - found.multiplier) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (0.0, QuantizedMultiplier(0, 0)),
        (0.5, QuantizedMultiplier(1 << 30, 0)),
        (1.0, QuantizedMultiplier(1 << 30, 1)),
        (-0.75, QuantizedMultiplier(-3 << 29, 0)),
        (1 - 2.0**-40, QuantizedMultiplier(1 << 30, 1)),  # the mantissa rounds up to 1
        (2.0**-32, QuantizedMultiplier(1 << 30, -31)),
        (2.0**-32 - 2.0**-60, QuantizedMultiplier(0, 0)),
        (2.0**-33 * (1 + 2.0**-20), QuantizedMultiplier(0, 0)),
        (1e-300, QuantizedMultiplier(0, 0)),
    ],
)
def test_special_factors(factor: float, expected: QuantizedMultiplier) -> None:
    assert quantized_multiplier(factor) == expected


def test_halves_of_a_multiplier_are_rounded_away_from_zero() -> None:
    factor = math.ldexp(2 * ((1 << 30) + 1) + 1, -32)  # the multiplier 2^30 + 1.5
    assert quantized_multiplier(factor).multiplier == (1 << 30) + 2
    assert quantized_multiplier(-factor).multiplier == -((1 << 30) + 2)


def test_factors_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="inf"):
        quantized_multiplier(math.inf)


def test_two_roundings_differ_from_a_single_one_where_gemmlowp_does() -> None:
    """1.49 would round to 1; its first rounding gives 1.5, and the second one 2."""
    by = QuantizedMultiplier(INT32_MAX, -2)
    x = 6  # 6 * (1 - 2^-31) / 4 = 1.4999...
    assert round(Fraction(x * by.multiplier, 1 << 33)) == 1
    assert multiply_by_quantized_multiplier(x, by.multiplier, by.shift) == 2


@pytest.mark.parametrize("shift", [-31, -12, -1, 0, 1, 7])
def test_scaling_is_a_shift_to_the_left_a_high_multiplication_and_a_division(shift: int) -> None:
    rng = np.random.default_rng(shift + 40)
    x = rng.integers(-(1 << 23), 1 << 23, 500)
    multiplier = rng.integers(1 << 30, INT32_MAX, 500, endpoint=True)
    expected = [
        divided(high_mul(int(v) << max(shift, 0), int(m)), max(-shift, 0)) for v, m in zip(x, multiplier, strict=True)
    ]
    assert multiply_by_quantized_multiplier(x, multiplier, shift).tolist() == expected


def test_several_factors_belong_to_the_last_axis() -> None:
    x = np.arange(12).reshape(2, 2, 3) * 1000
    factors = [0.1, 0.002, 1.5]
    found = scaled(x, quantized_multipliers(factors))
    for channel, factor in enumerate(factors):
        assert found[..., channel].tolist() == scaled(x[..., channel], quantized_multiplier(factor)).tolist()


def test_integers_that_overflow_when_shifted_are_refused() -> None:
    assert multiply_by_quantized_multiplier(1 << 27, 1 << 30, 3) == 1 << 29
    with pytest.raises(OverflowError, match="32 bits"):
        multiply_by_quantized_multiplier(1 << 28, 1 << 30, 3)
