"""Uniform quantisation of weights: grids, scales, and that quantised weights do not change."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.arrays import FloatArray
from reds_core.errors import InputError
from reds_core.transforms import UniformQuantiser

BITS = st.integers(2, 8)
VALUES = st.floats(-1e4, 1e4, width=32) | st.sampled_from([0.0, 1e-30, -1e-38, 1e-45, 0.5, -0.5])
WEIGHTS = arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=4, max_side=6), elements=VALUES)


def bell(shape: tuple[int, ...] = (3, 3, 16, 8), seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=shape)


def channels(array: Any, axis: int) -> Any:
    """The values of each channel as a row."""
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)


@settings(deadline=None)
@given(WEIGHTS, BITS, st.data())
def test_quantised_weights_do_not_change(weight: Any, bits: int, data: st.DataObject) -> None:
    quantiser = UniformQuantiser(bits)
    axes = data.draw(st.none() | st.integers(-weight.ndim, weight.ndim - 1) | st.just((0, weight.ndim - 1)))
    values, integers = quantiser.quantised(weight, axes), quantiser.integers(weight, axes)
    scales = quantiser.scales(weight, axes)
    assert np.array_equal(integers * scales, values)
    assert np.abs(integers).max(initial=0) <= 2 ** (bits - 1) - 1
    for again in (values, values.astype(np.float32)):
        assert np.array_equal(quantiser.quantised(again, axes), values)
        assert np.array_equal(quantiser.integers(again, axes), integers)
        kept = np.broadcast_to(scales, weight.shape)[integers != 0]
        assert np.array_equal(np.broadcast_to(quantiser.scales(again, axes), weight.shape)[integers != 0], kept)


@settings(deadline=None)
@given(WEIGHTS, BITS)
def test_the_largest_integer_occurs_in_every_channel_that_is_not_zero(weight: Any, bits: int) -> None:
    """So a converter that divides the largest magnitude by the largest integer finds the same scales."""
    quantiser = UniformQuantiser(bits)
    largest = np.abs(channels(quantiser.integers(weight, -1), -1)).max(axis=1)
    assert {*largest} <= {0, quantiser.largest}
    values = channels(quantiser.quantised(weight, -1), -1).astype(np.float32)
    stock = np.abs(values).max(axis=1) / np.float32(quantiser.largest)
    scales = quantiser.scales(weight, -1).ravel()
    assert np.array_equal(stock[largest > 0], scales[largest > 0])


def test_eight_bits_divide_the_largest_magnitude_by_127() -> None:
    weight = bell()
    scales = UniformQuantiser(8).scales(weight, -1)
    assert scales.shape == (1, 1, 1, 8)
    assert scales.ravel() == pytest.approx(np.abs(weight).max(axis=(0, 1, 2)) / 127, rel=2**-17)


def test_two_bits_are_minus_one_zero_and_one() -> None:
    assert {*UniformQuantiser(2).integers(bell(), -1).ravel().tolist()} == {-1, 0, 1}


@pytest.mark.parametrize(("bits", "factor"), [(2, 1.001), (3, 1.003), (4, 1.01), (5, 1.03), (6, 1.03), (7, 1.03)])
def test_the_error_is_close_to_that_of_the_best_scale(bits: int, factor: float) -> None:
    """The best scale is found on a fine grid, which refined scales may beat by what lies between its points."""
    weight = bell((20000, 2))
    fine = min(
        float(np.square(np.clip(np.rint(weight / s), -(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1) * s - weight).mean())
        for s in np.geomspace(0.02, 2.5, 600)
    )
    error = float(np.square(UniformQuantiser(bits).quantised(weight, -1) - weight).mean())
    assert 0.999 * fine <= error <= factor * fine


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_scales_fit_the_integers_by_least_squares(bits: int) -> None:
    """No other scale has a smaller error for the same integers."""
    weight = bell((4000, 6))
    quantiser = UniformQuantiser(bits)
    integers, scales = quantiser.integers(weight, -1), quantiser.scales(weight, -1)
    best = (weight * integers).sum(axis=0) / np.square(integers).sum(axis=0)
    np.testing.assert_allclose(scales[0], best, rtol=8e-3)


def test_a_scale_by_least_squares_does_not_pass_that_of_the_largest_weight() -> None:
    """The largest integer could not occur otherwise."""
    weight = np.array([[0.9], [0.9], [0.9], [0.8]], np.float32)
    for bits in (2, 4):
        quantiser = UniformQuantiser(bits)
        assert quantiser.integers(weight, -1).max() == quantiser.largest
        assert quantiser.scales(weight, -1)[0, 0] <= 0.9 / quantiser.largest * (1 + 1e-6)


def test_more_bits_have_smaller_errors() -> None:
    weight = bell()
    errors = [np.square(UniformQuantiser(bits).quantised(weight, -1) - weight).sum() for bits in range(2, 9)]
    assert errors == sorted(errors, reverse=True)


def test_each_position_along_the_axes_has_a_scale() -> None:
    weight = bell((3, 3, 5, 2)) * np.arange(1, 11).reshape(5, 2)
    together = UniformQuantiser(4).quantised(weight, (2, 3))
    for c in range(5):
        for m in range(2):
            alone = UniformQuantiser(4).quantised(weight[:, :, c, m], None)
            assert np.array_equal(together[:, :, c, m], alone)


def test_channels_of_zeros_and_of_tiny_values_are_zero() -> None:
    weight = np.array([[0.0, 1e-40, 1.0], [0.0, -1e-33, -0.5]], np.float32)
    quantiser = UniformQuantiser(4)
    assert quantiser.quantised(weight, -1)[:, :2].tolist() == [[0, 0], [0, 0]]
    assert quantiser.scales(weight, -1)[0, :2].tolist() == [1, 1]


def test_empty_weights_have_no_values() -> None:
    assert UniformQuantiser(4).quantised(np.zeros((0, 3)), -1).shape == (0, 3)
    assert UniformQuantiser(4).quantised(np.zeros((2, 0)), -1).shape == (2, 0)


@pytest.mark.parametrize("bits", [1, 9, 0])
def test_other_numbers_of_bits_are_refused(bits: int) -> None:
    with pytest.raises(InputError, match=f"weights cannot have {bits} bits"):
        UniformQuantiser(bits)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_folding_a_batch_norm_changes_scales_but_no_integers(bits: int) -> None:
    """An exporter multiplies each output channel by a factor of its own before it quantises again."""
    quantiser = UniformQuantiser(bits)
    weight = bell().astype(np.float32)
    values = quantiser.quantised(weight, -1).astype(np.float32)
    factors = np.random.default_rng(1).uniform(-3, 3, 8).astype(np.float32)
    folded = quantiser.integers(values * factors, -1)
    assert np.array_equal(folded, np.sign(factors) * quantiser.integers(weight, -1))
