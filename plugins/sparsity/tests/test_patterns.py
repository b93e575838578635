"""Which weights stay: how many, which ones, and in which patterns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reds_sparsity.nested_masks import SmallerMask, nested_mask
from reds_sparsity.patterns import Pattern, input_axis, kept_count, magnitude_mask
from reds_sparsity.schedules import gradual_density

from reds_core.network import Channels, Fixed, Weight, WeightKind

CONV = Weight("conv/kernel", "conv", WeightKind.KERNEL, (Fixed(3), Fixed(3), Channels("a"), Channels("b")), 3, True)
DENSE = Weight("dense/kernel", "dense", WeightKind.KERNEL, (Channels("a"), Channels("b")), 1, True)
TRANSPOSED = Weight("up/kernel", "up", WeightKind.KERNEL, (Fixed(2), Channels("b"), Channels("a")), 1, True)
DEPTHWISE = Weight(
    "depth/kernel", "depth", WeightKind.KERNEL, (Fixed(3), Fixed(3), Channels("a"), Fixed(1)), 2, True, None, (2, 3)
)

densities = st.integers(1, 99)
shapes = st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 11), st.integers(1, 6))


def values_of(shape: tuple[int, ...], seed: int) -> np.typing.NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=shape)


def by_rows(mask: np.typing.NDArray[np.bool_]) -> np.typing.NDArray[np.bool_]:
    """The mask of a convolution with the inputs last."""
    return np.moveaxis(mask, 2, -1).reshape(-1, mask.shape[2])


def test_inputs_are_the_last_dimension_that_is_summed() -> None:
    assert [input_axis(each) for each in (CONV, DENSE, TRANSPOSED, DEPTHWISE)] == [2, 0, 2, 1]
    assert all(Pattern.UNSTRUCTURED.suits(each) for each in (CONV, DENSE, TRANSPOSED, DEPTHWISE))
    assert [Pattern.BLOCK.suits(each) for each in (CONV, DENSE, TRANSPOSED, DEPTHWISE)] == [True, True, True, False]


@given(shapes, densities, st.sampled_from([Pattern.UNSTRUCTURED, Pattern.BLOCK]), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_exactly_the_percentage_of_the_weights_stays(
    shape: tuple[int, ...], density: int, pattern: Pattern, seed: int
) -> None:
    mask = magnitude_mask(values_of(shape, seed), CONV, pattern, density)
    assert mask.sum() == kept_count(mask.size, density) == -(-mask.size * density // 100)


@given(shapes, densities, st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_unstructured_weights_that_stay_are_the_largest(shape: tuple[int, ...], density: int, seed: int) -> None:
    values = values_of(shape, seed)
    mask = magnitude_mask(values, CONV, Pattern.UNSTRUCTURED, density)
    assert np.abs(values[mask]).min() >= np.abs(values[~mask]).max(initial=0)


@given(shapes, st.sampled_from([25, 50, 75]), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_n_of_every_four_inputs_stay_and_the_number_is_exact_at_any_width(
    shape: tuple[int, ...], density: int, seed: int
) -> None:
    values = values_of(shape, seed)
    mask = magnitude_mask(values, CONV, Pattern.N_OF_FOUR, density)
    assert mask.sum() == kept_count(mask.size, density)
    rows, magnitudes = by_rows(mask), np.abs(np.moveaxis(values, 2, -1).reshape(-1, values.shape[2]))
    for start in range(0, rows.shape[1], 4):
        group, sizes = rows[:, start : start + 4], magnitudes[:, start : start + 4]
        share = group.shape[1] * density / 100
        assert np.all((np.floor(share) <= group.sum(axis=1)) & (group.sum(axis=1) <= np.ceil(share)))
        for stays, size in zip(group, sizes, strict=True):
            assert size[stays].min(initial=np.inf) >= size[~stays].max(initial=0)


@given(shapes, densities, st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_blocks_of_four_inputs_stay_whole_except_for_one(shape: tuple[int, ...], density: int, seed: int) -> None:
    values = values_of(shape, seed)
    rows = by_rows(magnitude_mask(values, CONV, Pattern.BLOCK, density))
    magnitudes = np.abs(np.moveaxis(values, 2, -1).reshape(rows.shape))
    blocks = [(rows[:, s : s + 4], magnitudes[:, s : s + 4]) for s in range(0, rows.shape[1], 4)]
    parts = [(b[i], m[i].mean()) for b, m in blocks for i in range(len(b))]
    assert sum(not stays.all() and stays.any() for stays, _ in parts) <= 1
    whole = [mean for stays, mean in parts if stays.all()]
    gone = [mean for stays, mean in parts if not stays.any()]
    assert min(whole, default=np.inf) >= max(gone, default=0) - 1e-12


def test_equal_weights_stay_in_their_order() -> None:
    mask = magnitude_mask(np.array([[1.0], [-1.0], [1.0], [0.5]]), DENSE, Pattern.UNSTRUCTURED, 50)
    assert mask[:, 0].tolist() == [True, True, False, False]


def test_inputs_of_transposed_convolutions_are_grouped_along_their_last_dimension() -> None:
    mask = magnitude_mask(values_of((2, 3, 8), 0), TRANSPOSED, Pattern.N_OF_FOUR, 50)
    assert np.all(mask.reshape(2, 3, 2, 4).sum(axis=-1) == 2)


widths = st.lists(st.integers(1, 9), min_size=2, max_size=3, unique=True).map(sorted)


@given(widths, st.lists(densities, min_size=3, max_size=3).map(sorted), st.integers(0, 99), st.booleans())
@settings(max_examples=150, deadline=None)
def test_masks_contain_those_of_smaller_networks(
    lengths: list[int], levels: list[int], seed: int, is_block: bool
) -> None:
    pattern = Pattern.BLOCK if is_block else Pattern.UNSTRUCTURED
    every = values_of((2, 1, lengths[-1], 5), seed)
    _check_nested(every, lengths, levels, pattern)


@given(widths, st.lists(st.sampled_from([25, 50, 75]), min_size=3, max_size=3).map(sorted), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_masks_of_every_four_inputs_contain_those_of_smaller_networks(
    lengths: list[int], levels: list[int], seed: int
) -> None:
    _check_nested(values_of((2, 1, lengths[-1], 5), seed), lengths, levels, Pattern.N_OF_FOUR)


def _check_nested(
    every: np.typing.NDArray[np.float64], lengths: list[int], levels: list[int], pattern: Pattern
) -> None:
    inner: np.typing.NDArray[np.bool_] | None = None
    for place, (length, level) in enumerate(zip(lengths, levels, strict=False)):
        smaller = [
            SmallerMask(tuple(map(np.arange, (2, 1, n, 5))), density)
            for n, density in zip(lengths[:place], levels[:place], strict=True)
        ]
        mask = nested_mask(every[:, :, :length], CONV, pattern, level, smaller)
        assert mask.sum() == kept_count(mask.size, level)
        if inner is not None:
            assert np.all(mask[:, :, : inner.shape[2]] >= inner)
        inner = mask


def test_a_mask_is_filled_up_with_the_largest_of_the_other_weights() -> None:
    values = np.array([[1.0, 9.0], [2.0, 3.0], [8.0, 7.0]])
    smaller = SmallerMask((np.array([0, 1]), np.array([0])), 50)
    mask = nested_mask(values, DENSE, Pattern.UNSTRUCTURED, 50, [smaller])
    assert mask.tolist() == [[False, True], [True, False], [True, False]]  # the smaller network keeps the 2


@pytest.mark.parametrize(
    ("progress", "density"), [(0.0, 100), (0.25, 10 + 26), (0.5, 10 + 3), (0.75, 10), (0.9, 10), (1.0, 10)]
)
def test_sparsity_rises_along_a_cubic_curve(progress: float, density: int) -> None:
    assert gradual_density(10, progress, 0.75, Pattern.UNSTRUCTURED) == density


def test_sparsity_of_every_four_inputs_rises_in_quarters() -> None:
    found = [gradual_density(25, progress / 100, 1.0, Pattern.N_OF_FOUR) for progress in range(101)]
    assert sorted({*found}) == [25, 50, 75, 100]
    assert found == sorted(found, reverse=True)


@given(st.sets(st.integers(0, 8), min_size=1), st.sampled_from([25, 50, 75]), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_pattern_is_kept_where_the_groups_of_a_smaller_network_are_others(
    inputs: set[int], density: int, seed: int
) -> None:
    """Behind a concatenation, a smaller network does not have the first inputs."""
    values = values_of((9, 7), seed)
    smaller = SmallerMask((np.array(sorted(inputs)), np.arange(4)), density)
    mask = nested_mask(values, DENSE, Pattern.N_OF_FOUR, density, [smaller])
    assert mask.sum() == kept_count(mask.size, density)
    assert np.all(mask[:8].reshape(2, 4, 7).sum(axis=1) == density // 25)
