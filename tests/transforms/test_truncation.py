"""Truncated codes: how far they are from the codes, that they nest, and that quantising twice changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.arrays import FloatArray
from reds_core.errors import InputError
from reds_core.transforms import (
    TruncatedQuantiser,
    UniformQuantiser,
    are_truncated,
    codes_of_truncated,
    truncated_codes,
)

CODES = np.arange(-127, 128)


def bell(shape: tuple[int, ...] = (3, 3, 16, 8), seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=shape)


def test_truncated_codes_are_the_middles_of_what_upper_halves_stand_for() -> None:
    truncated = truncated_codes(CODES)
    assert np.array_equal(truncated, (CODES & ~15) | 8)
    assert np.array_equal(np.unique(truncated), np.arange(-120, 121, 16))
    assert np.abs(truncated - CODES).max() == 8
    whole = CODES[(CODES >= -112) & (CODES < 112)]  # each lower half as often as any other
    assert (truncated_codes(whole) - whole).mean() == 0.5
    assert (whole // 16 * 16 - whole).mean() == -7.5
    assert are_truncated(truncated)
    assert not are_truncated(CODES)


@pytest.mark.parametrize("axis", [-1, (2, 3), 0, None])
def test_weights_are_truncated_codes_of_8_bits_times_their_scales(axis: int | tuple[int, ...] | None) -> None:
    weights, quantiser, whole = bell(), TruncatedQuantiser(), UniformQuantiser(8)
    integers, scales = quantiser.integers(weights, axis), quantiser.scales(weights, axis)
    assert np.array_equal(integers, truncated_codes(whole.integers(weights, axis)))
    assert np.array_equal(scales, whole.scales(weights, axis))
    values = quantiser.quantised(weights, axis)
    assert np.array_equal(values, integers * scales)
    assert np.array_equal(values, values.astype(np.float32))


@pytest.mark.parametrize("weights", [bell(), bell((4, 1)), np.zeros((3, 2)), np.zeros((0, 2)), bell((1, 1, 1, 5))])
def test_quantising_twice_changes_nothing(weights: FloatArray) -> None:
    quantiser = TruncatedQuantiser()
    once = quantiser.quantised(weights, -1)
    assert np.array_equal(quantiser.quantised(once, -1), once)
    assert np.array_equal(quantiser.integers(once, -1) % 16, np.full(once.shape, 8))


def test_codes_are_recovered_from_parts_of_channels() -> None:
    """A member need not have the largest weight of a channel."""
    values = TruncatedQuantiser().quantised(bell((40, 6)), -1)
    whole = TruncatedQuantiser().integers(bell((40, 6)), -1)
    part = codes_of_truncated(values[:7].T)
    assert are_truncated(part)
    ratios = part / whole[:7].T
    assert np.allclose(ratios, ratios[:, :1])
    assert np.array_equal(codes_of_truncated(values.T), whole.T)


def test_other_numbers_of_bits_are_refused() -> None:
    with pytest.raises(InputError, match="codes cannot be truncated to 2 bits; give 4"):
        TruncatedQuantiser(2)


def test_a_channel_of_zeros_stays_next_to_nothing() -> None:
    """No truncated code is 0, and the scale of such a channel is not 1."""
    weight = np.random.default_rng(0).normal(0, 0.1, (6, 4)).astype(np.float32)
    weight[:, 2] = 0
    found = TruncatedQuantiser().quantised(weight, 1)
    assert np.abs(found[:, 2]).max() < 1e-4 * np.abs(weight).max()
    assert np.array_equal(TruncatedQuantiser().quantised(found.astype(np.float32), 1), found)
    assert np.array_equal(found[:, [0, 1, 3]], TruncatedQuantiser().quantised(weight[:, [0, 1, 3]], 1))
    assert np.abs(TruncatedQuantiser().quantised(np.zeros((3, 1), np.float32), 1)).max() < 1e-4
