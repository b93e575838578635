"""Tied axes keep the same positions, whatever is kept; no more is frozen than must be."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reds_core.network.axis import Axis, Channels, Concat, Fixed, Repeat, Tile
from reds_core.network.grouping import Grouping, concat, repeat, simplified, tile


@st.composite
def axis_of_length(draw: st.DrawFn, grouping: Grouping, length: int, depth: int = 3) -> Axis:
    """A random axis of a given length over new groups."""
    kinds = ["fixed", "channels", "channels"]
    if depth and length > 1:
        kinds += ["concat", "concat"]
    divisors = [d for d in range(2, length + 1) if length % d == 0]
    if depth and divisors:
        kinds += ["tile", "repeat"]
    match draw(st.sampled_from(kinds)):
        case "fixed":
            return Fixed(length)
        case "concat":
            seam = draw(st.integers(1, length - 1))
            return Concat(tuple(draw(axis_of_length(grouping, n, depth - 1)) for n in (seam, length - seam)))
        case "tile":
            times = draw(st.sampled_from(divisors))
            return Tile(draw(axis_of_length(grouping, length // times, depth - 1)), times)
        case "repeat":
            times = draw(st.sampled_from(divisors))
            return Repeat(draw(axis_of_length(grouping, length // times, depth - 1)), times)
    return grouping.fresh(length)


def random_positions(grouping: Grouping, axes: list[Axis], seed: int) -> list[list[int]]:
    """Positions that stay on each axis, with a random choice of channels of each group that is left."""
    rng = np.random.default_rng(seed)
    resolved = [grouping.resolved(axis) for axis in axes]
    channels = {g: grouping.length(Channels(g)) for axis in resolved for g in axis.groups()}
    kept = {g: rng.permutation(n)[: rng.integers(1, n + 1)] for g, n in channels.items()}
    return [axis.positions(kept, channels).tolist() for axis in resolved]


@given(st.data(), st.sampled_from([1, 2, 4, 6, 12]), st.integers(0, 2**16))
def test_tied_axes_keep_the_same_positions(data: st.DataObject, length: int, seed: int) -> None:
    grouping = Grouping()
    axes = [data.draw(axis_of_length(grouping, length)) for _ in range(4)]
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(axes), st.sampled_from(axes)), min_size=1, max_size=5))
    for first, second in pairs:
        could = grouping.tie(first, second)
        assert could or not grouping.resolved(first).groups() + grouping.resolved(second).groups()
    for first, second in pairs:  # also those tied before others
        one, other = random_positions(grouping, [first, second], seed)
        assert one == other


@given(st.data(), st.sampled_from([1, 2, 4, 6, 12]), st.integers(0, 2**16))
def test_the_simplest_form_keeps_positions(data: st.DataObject, length: int, seed: int) -> None:
    grouping = Grouping()
    axis = data.draw(axis_of_length(grouping, length))
    channels = {g: grouping.length(Channels(g)) for g in axis.groups()}
    rng = np.random.default_rng(seed)
    kept = {g: rng.permutation(n)[: rng.integers(1, n + 1)] for g, n in channels.items()}
    simple = simplified(axis)
    np.testing.assert_array_equal(simple.positions(kept, channels), axis.positions(kept, channels))
    assert simplified(simple) == simple


def test_groups_that_are_tied_become_one() -> None:
    grouping = Grouping()
    a, b, c = (grouping.fresh(4) for _ in range(3))
    assert grouping.tie(a, b)
    assert grouping.tie(c, b)
    assert grouping.resolved(a) == grouping.resolved(b) == grouping.resolved(c)
    assert len(grouping.resolved(a).groups()) == 1


def test_a_group_takes_the_shape_of_a_concatenation() -> None:
    grouping = Grouping()
    a, b, c = grouping.fresh(4), grouping.fresh(2), grouping.fresh(6)
    assert grouping.tie(c, concat((a, b)))
    assert grouping.resolved(c) == Concat((a, b))


def test_groups_are_split_at_the_seams_of_others() -> None:
    grouping = Grouping()
    a, b, c, d = (grouping.fresh(n) for n in (4, 6, 6, 4))
    assert grouping.tie(concat((a, b)), concat((c, d)))
    lengths = [grouping.length(part) for part in grouping.resolved(concat((a, b))).parts]  # type: ignore[attr-defined]
    assert lengths == [4, 2, 4]
    assert grouping.resolved(b).groups()[1:] == grouping.resolved(d).groups()


def test_a_repeated_axis_is_split_between_elements_only() -> None:
    grouping = Grouping()
    a, b, c = grouping.fresh(4), grouping.fresh(4), grouping.fresh(4)
    assert grouping.tie(repeat(a, 2), concat((repeat(grouping.fresh(1), 2), grouping.fresh(6))))
    assert len(grouping.resolved(a).groups()) == 2
    assert not grouping.tie(repeat(b, 2), concat((c, Fixed(1), grouping.fresh(3))))
    assert grouping.resolved(b) == grouping.resolved(c) == Fixed(4)


def test_what_is_tied_to_fixed_elements_stays() -> None:
    grouping = Grouping()
    a, b = grouping.fresh(4), grouping.fresh(2)
    assert grouping.tie(tile(a, 2), concat((b, Fixed(6))))
    assert grouping.resolved(tile(a, 2)) == Fixed(8)
    assert grouping.resolved(b) == Fixed(2)


def test_orders_that_no_tree_can_join_are_frozen() -> None:
    grouping = Grouping()
    a, b = grouping.fresh(3), grouping.fresh(3)
    assert not grouping.tie(tile(a, 2), repeat(b, 2))
    assert grouping.resolved(a) == grouping.resolved(b) == Fixed(3)


def test_a_group_over_a_shifted_copy_of_itself_becomes_a_repeated_one() -> None:
    grouping = Grouping()
    a, b = grouping.fresh(4), grouping.fresh(2)
    assert grouping.tie(concat((a, b)), concat((b, a)))
    assert grouping.resolved(a) == Concat((grouping.resolved(b), grouping.resolved(b)))


def test_freezing_says_whether_it_changed_anything() -> None:
    grouping = Grouping()
    a = grouping.fresh(4)
    assert grouping.freeze(tile(a, 3))
    assert not grouping.freeze(a)


def test_axes_of_two_lengths_cannot_be_tied() -> None:
    grouping = Grouping()
    with pytest.raises(ValueError, match="4 and 3"):
        grouping.tie(grouping.fresh(4), Fixed(3))


@pytest.mark.parametrize("make", [repeat, tile])
def test_blocks_that_divide_blocks_are_repeated_themselves(make: Callable[[Axis, int], Axis]) -> None:
    """Two group normalisations of one tensor, in six blocks and in three: blocks go in pairs."""
    grouping = Grouping()
    fine, coarse = grouping.fresh(6), grouping.fresh(3)
    assert grouping.tie(make(fine, 2), make(coarse, 4))
    assert grouping.resolved(fine) == make(coarse, 2)
    assert grouping.tie(make(coarse, 4), make(fine, 2))
