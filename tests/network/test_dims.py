"""Reshapes of shapes that hold channels, against reshaped masks."""

import functools
import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reds_core.network.axis import Channels, Fixed, Repeat, Tile
from reds_core.network.dims import Dims, blocks, fixed_dims, reshaped, unfolded
from reds_core.network.grouping import repeat, tile

CHANNELS = {"g": 3}


def mask(dims: Dims, channel: int) -> np.ndarray:
    """1 where the tensor holds `channel`."""
    lines = []
    for axis in dims:
        line = np.zeros(axis.full(CHANNELS))
        without = axis.positions({"g": np.delete(np.arange(3), channel)}, CHANNELS)
        line[np.setdiff1d(np.arange(len(line)), without)] = 1
        lines.append(line if axis.groups() else np.ones(len(line)))
    return functools.reduce(np.multiply, np.ix_(*lines))


def lies_along(masks: list[np.ndarray]) -> bool:
    """Whether the masks depend on one dimension alone."""
    rank = masks[0].ndim
    for axis in range(rank):
        others = tuple(i for i in range(rank) if i != axis)
        if all(np.array_equal(m.min(axis=others), m.max(axis=others)) for m in masks):
            return True
    return False


small = st.integers(1, 4)


@st.composite
def tensors(draw: st.DrawFn) -> Dims:
    """Dimensions of which one holds channels, maybe repeated."""
    axis = repeat(tile(Channels("g"), draw(small)), draw(small))
    before, after = (draw(st.lists(st.builds(Fixed, small), max_size=2)) for _ in range(2))
    return (*before, axis, *after)


@given(tensors(), st.data())
def test_reshaped_dims_follow_every_channel_or_none_could(dims: Dims, data: st.DataObject) -> None:
    sizes = tuple(axis.full(CHANNELS) for axis in dims)
    total = math.prod(sizes)
    shape: list[int] = []
    while total > 1 and len(shape) < 4:
        shape.append(data.draw(st.sampled_from([d for d in range(1, total + 1) if total % d == 0])))
        total //= shape[-1]
    shape.append(total)
    result = reshaped(dims, sizes, shape)
    masks = [mask(dims, channel).reshape(shape) for channel in range(3)]
    if result is None:
        assert not lies_along(masks)
        return
    assert [axis.full(CHANNELS) for axis in result] == shape
    for channel in range(3):
        np.testing.assert_array_equal(mask(result, channel), masks[channel])
    back = reshaped(result, shape, sizes)
    assert back is not None
    for channel in range(3):
        np.testing.assert_array_equal(mask(back, channel), mask(dims, channel))


@given(st.lists(small, max_size=2), st.integers(2, 24), st.lists(small, max_size=2), st.data())
def test_blocks_lie_where_the_reshape_puts_them(
    before: list[int], n: int, after: list[int], data: st.DataObject
) -> None:
    sizes = (*before, n, *after)
    block = data.draw(st.sampled_from([d for d in range(1, n + 1) if n % d == 0]))
    outer = data.draw(st.sampled_from([d for d in range(1, n // block + 1) if (n // block) % d == 0]))
    shape = (*before, outer, n // block // outer, block, *after)
    found = blocks(sizes, len(before), shape)
    if block == 1 or after[:1] == [1]:  # single elements, or what looks like them
        assert found is None
        return
    assert found == (len(before) + 2, n // block)
    place, count = found
    elements = np.arange(math.prod(sizes)).reshape(sizes)
    moved = elements.reshape(shape)
    for kept in range(block):
        of_block = np.arange(kept, n, block)  # this element of each of `count` blocks
        assert len(of_block) == count
        np.testing.assert_array_equal(
            np.sort(moved.take(kept, axis=place), axis=None),
            np.sort(elements.take(of_block, axis=len(before)), axis=None),
        )


def test_blocks_must_be_whole() -> None:
    assert blocks((4, 6), 1, (8, 3)) == (1, 2)
    assert blocks((4, 6), 1, (6, 4)) is None
    assert blocks((49 * 24,), 0, (7, 7, 24)) == (2, 49)
    assert blocks((6, 5), 0, (2, 3, 5)) == (1, 2)
    assert blocks((6, 5), 0, (30,)) is None


def test_flatten_of_both_data_formats() -> None:
    g = Channels("g")
    assert reshaped((Fixed(2), Fixed(5), g), (2, 5, 3), (30,)) == (Tile(g, 10),)
    assert reshaped((g, Fixed(2), Fixed(5)), (3, 2, 5), (30,)) == (Repeat(g, 10),)
    assert reshaped((Fixed(2), g, Fixed(5)), (2, 3, 5), (30,)) == (Tile(Repeat(g, 5), 2),)


def test_without_channels_any_reshape_is_plain() -> None:
    for shape in itertools.permutations((2, 3, 5)):
        assert reshaped((Fixed(30),), (30,), shape) == fixed_dims(shape)


def test_unfolded_takes_repeats_apart() -> None:
    g = Channels("g")
    assert unfolded((Tile(Repeat(g, 5), 2), Fixed(4))) == (Fixed(2), g, Fixed(5), Fixed(4))
