"""Positions, lengths and replacement on random axes, against label arrays laid out by NumPy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reds_core.network.axis import Axis, Channels, Concat, Fixed, LinearForm, Repeat, Tile

CHANNELS = {"a": 3, "b": 4, "c": 1}

leaves = st.one_of(
    st.builds(Fixed, st.integers(0, 3)),
    st.builds(Channels, st.sampled_from(sorted(CHANNELS))),
)
axes = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Concat, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Tile, inner, st.integers(1, 3)),
        st.builds(Repeat, inner, st.integers(1, 3)),
    ),
    max_leaves=6,
)


@st.composite
def kept_channels(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """Some groups, with some of their channels in any order."""
    kept = {}
    for group in draw(st.sets(st.sampled_from(sorted(CHANNELS)))):
        order = draw(st.permutations(range(CHANNELS[group])))
        kept[group] = np.array(order[: draw(st.integers(1, len(order)))])
    return kept


def labels(axis: Axis, members: dict[str, np.ndarray]) -> np.ndarray:
    """What stands at each position: 100 x group + channel, or -1."""
    match axis:
        case Fixed(size):
            return np.full(size, -1)
        case Channels(group):
            return 100 * sorted(CHANNELS).index(group) + members[group]
        case Concat(parts):
            return np.concatenate([np.zeros(0, int), *(labels(p, members) for p in parts)])
        case Tile(inner, times):
            return np.tile(labels(inner, members), times)
        case Repeat(inner, times):
            return np.repeat(labels(inner, members), times)
    raise AssertionError(axis)


FULL = {group: np.arange(n) for group, n in CHANNELS.items()}


@given(axes, kept_channels())
def test_positions_bring_the_kept_labels_in_their_order(axis: Axis, kept: dict[str, np.ndarray]) -> None:
    positions = axis.positions(kept, CHANNELS)
    assert len(set(positions.tolist())) == len(positions)
    np.testing.assert_array_equal(labels(axis, FULL)[positions], labels(axis, FULL | kept))


@given(axes, kept_channels())
def test_kept_in_order_positions_rise(axis: Axis, kept: dict[str, np.ndarray]) -> None:
    kept = {group: np.sort(channels) for group, channels in kept.items()}
    stays = np.isin(labels(axis, FULL), [-1, *labels(Concat(tuple(map(Channels, CHANNELS))), FULL | kept)])
    np.testing.assert_array_equal(axis.positions(kept, CHANNELS), np.flatnonzero(stays))


@given(axes, kept_channels())
def test_length_is_the_number_of_positions(axis: Axis, kept: dict[str, np.ndarray]) -> None:
    widths = CHANNELS | {group: len(channels) for group, channels in kept.items()}
    assert axis.length().at(widths) == len(axis.positions(kept, CHANNELS))
    assert axis.full(CHANNELS) == len(labels(axis, FULL))


@given(axes)
def test_groups_are_those_of_the_labels_in_order(axis: Axis) -> None:
    found = [sorted(CHANNELS)[label // 100] for label in labels(axis, FULL) if label >= 0]
    assert axis.groups() == tuple(dict.fromkeys(found))


as_long_as_b = st.sampled_from(
    [
        Channels("b"),
        Fixed(4),
        Concat((Channels("c"), Channels("a"))),
        Concat((Channels("a"), Fixed(1))),
        Tile(Concat((Fixed(1), Channels("c"))), 2),
        Repeat(Channels("c"), 4),
    ]
)


@given(axes, as_long_as_b, kept_channels())
def test_replacing_a_group_lays_the_other_axis_in_its_place(
    axis: Axis, other: Axis, kept: dict[str, np.ndarray]
) -> None:
    members = FULL | kept
    expected = labels(axis, members | {"b": labels(other, members) - 100})
    np.testing.assert_array_equal(labels(axis.replaced({"b": other}), members), expected)


def test_linear_forms_add_and_scale() -> None:
    form = LinearForm(2, (("a", 3),)).plus(LinearForm(1, (("b", 1), ("a", 1)))).times(2)
    assert form.at({"a": 5, "b": 7}) == 2 * (3 + 4 * 5 + 7)


@given(axes, st.sets(st.sampled_from(sorted(CHANNELS))), st.integers(0, 2))
def test_combining_channels_multiplies_the_labels_of_each_group_by_its_matrix(
    axis: Axis, groups: set[str], dimension: int
) -> None:
    rng = np.random.default_rng(0)
    matrices = {group: rng.normal(size=(2, CHANNELS[group])) for group in groups}
    values = {group: rng.normal(size=count) for group, count in CHANNELS.items()}
    combined = {group: matrices[group] @ own if group in groups else own for group, own in values.items()}

    def line(axis: Axis, own: dict[str, np.ndarray]) -> np.ndarray:
        match axis:
            case Fixed(size):
                return np.arange(size) + 0.5
            case Channels(group):
                return own[group]
            case Concat(parts):
                return np.concatenate([np.zeros(0), *(line(p, own) for p in parts)])
            case Tile(inner, times):
                return np.tile(line(inner, own), times)
            case Repeat(inner, times):
                return np.repeat(line(inner, own), times)
        raise AssertionError(axis)

    shape = [2, 2, 2]
    shape[dimension] = axis.full(CHANNELS)
    array = np.moveaxis(np.zeros(shape), dimension, -1) + line(axis, values)
    found = axis.combined(np.moveaxis(array, -1, dimension), dimension, matrices, CHANNELS)
    expected = np.zeros((2, 2, 1)) + line(axis, combined)
    np.testing.assert_allclose(np.moveaxis(found, dimension, -1), expected)


@given(axes, kept_channels(), st.integers(0, 1))
def test_selecting_channels_is_combining_them_by_rows_of_the_identity(
    axis: Axis, kept: dict[str, np.ndarray], dimension: int
) -> None:
    array = np.random.default_rng(0).normal(size=(axis.full(CHANNELS), 2))
    array = array if dimension == 0 else array.T
    matrices = {group: np.eye(CHANNELS[group])[channels] for group, channels in kept.items()}
    selected = np.take(array, axis.positions(kept, CHANNELS), axis=dimension)
    np.testing.assert_array_equal(axis.combined(array, dimension, matrices, CHANNELS), selected)
