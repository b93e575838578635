"""From weights to channels: against a loop over every entry."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.network.axis import Axis, Channels, Concat, Fixed, Repeat, Tile
from reds_core.network.description import ChannelGroup, Network, Weight, WeightKind
from reds_core.scoring.attribution import (
    attribute_to_channels,
    attribute_to_kernels,
    attribute_to_readers,
    filters,
    masked,
)

A, B = Channels("a"), Channels("b")
SIZES = {"a": 3, "b": 2}


def network(*weights: tuple[tuple[Axis, ...], int | None]) -> Network:
    groups = tuple(ChannelGroup(g, n, (g,)) for g, n in SIZES.items())
    made = tuple(Weight(f"w{i}", "layer", WeightKind.KERNEL, axes, out, True) for i, (axes, out) in enumerate(weights))
    return Network("net", groups, (), (), made, (), ())


def test_a_kernel_counts_for_its_output_channels_only() -> None:
    found = attribute_to_channels(network(((A, B), 1)), {0: np.array([[1.0, 2], [3, 4], [5, 6]])})
    assert {g: s.tolist() for g, s in found.items()} == {"a": [0, 0, 0], "b": [9, 12]}


def test_biases_and_kernels_add_up() -> None:
    weights = network(((Fixed(2), A), 1), ((A,), 0))
    found = attribute_to_channels(weights, {0: np.ones((2, 3)), 1: np.array([1.0, 2, 3])})
    assert found["a"].tolist() == [3, 4, 5]


def test_weights_without_output_channels_or_importance_count_nothing() -> None:
    weights = network(((A,), None), ((A,), 0), ((Fixed(3),), 0))
    found = attribute_to_channels(weights, {0: np.ones(3), 2: np.ones(3)})
    assert found["a"].tolist() == [0, 0, 0]


def test_sums_are_accumulated_in_float64() -> None:
    weights = network(((Fixed(2**14), A), 1))
    found = attribute_to_channels(weights, {0: np.full((2**14, 3), 2**-12 + 2**-20, np.float32)})
    assert found["a"].dtype == np.float64
    assert found["a"].tolist() == [2**14 * (2**-12 + 2**-20)] * 3


axes = st.recursive(
    st.sampled_from([A, B, Fixed(2)]),
    lambda inner: st.one_of(
        st.builds(Tile, inner, st.integers(1, 3)),
        st.builds(Repeat, inner, st.integers(1, 3)),
        st.builds(Concat, st.tuples(inner, inner)),
    ),
    max_leaves=4,
)


@given(st.lists(axes, min_size=1, max_size=3), st.data())
@settings(deadline=None)
def test_against_a_loop(chosen: list[Axis], data: st.DataObject) -> None:
    out = data.draw(st.integers(0, len(chosen) - 1))
    net = network((tuple(chosen), out))
    shape = tuple(axis.full(SIZES) for axis in chosen)
    array = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    expected = {g: [0.0] * n for g, n in SIZES.items()}
    for index in np.ndindex(*shape):
        for group in SIZES:
            channel = int(chosen[out].owners(group, SIZES)[index[out]])
            if channel >= 0:
                expected[group][channel] += float(array[index])
    assert {g: s.tolist() for g, s in attribute_to_channels(net, {0: array}).items()} == expected


def importance(net: Network, data: st.DataObject) -> dict[int, np.ndarray]:
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    return {i: rng.normal(size=[a.full(SIZES) for a in w.axes]) for i, w in enumerate(net.weights)}


def stands(axis: Axis, position: int) -> tuple[str, int] | None:
    """The group and the channel at a position of an axis; None where what stands there always stays."""
    for group in SIZES:
        channel = int(axis.owners(group, SIZES)[position])
        if channel >= 0:
            return group, channel
    return None


@st.composite
def drawn_networks(draw: st.DrawFn) -> Network:
    """Weights of up to two moving axes among fixed ones, with an output axis or without."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        moving = draw(st.lists(axes, min_size=0, max_size=2))
        chosen = draw(st.permutations([*moving, Fixed(2)]))
        made.append((tuple(chosen), draw(st.none() | st.integers(0, len(chosen) - 1))))
    return network(*made)


@given(drawn_networks(), st.data())
@settings(deadline=None)
def test_kernels_hold_every_weight_once_against_a_loop(net: Network, data: st.DataObject) -> None:
    given_importance = importance(net, data)
    single, double = attribute_to_kernels(net, given_importance)
    kept = {g: set(data.draw(st.sets(st.integers(0, n - 1)))) for g, n in SIZES.items()}
    expected = 0.0
    for i, array in given_importance.items():
        for index in np.ndindex(*array.shape):
            held = [s for axis, at in zip(net.weights[i].axes, index, strict=True) if (s := stands(axis, at))]
            if held and all(channel in kept[group] for group, channel in held):
                expected += float(array[index])
    found = sum(float(single[g][c]) for g in SIZES for c in kept[g])
    found += sum(float(t[i, j]) for (a, b), t in double.items() for i in kept[a] for j in kept[b])
    assert abs(found - expected) < 1e-9


@given(drawn_networks(), st.data())
@settings(deadline=None)
def test_readers_against_a_loop(net: Network, data: st.DataObject) -> None:
    given_importance = importance(net, data)
    expected = {g: np.zeros(n) for g, n in SIZES.items()}
    for i, array in given_importance.items():
        weight = net.weights[i]
        for index in np.ndindex(*array.shape):
            for d, (axis, at) in enumerate(zip(weight.axes, index, strict=True)):
                read = stands(axis, at)
                if read and weight.output_axis is not None and d != weight.output_axis:
                    expected[read[0]][read[1]] += float(array[index])
    found = attribute_to_readers(net, given_importance)
    for g in SIZES:
        np.testing.assert_allclose(found[g], expected[g], atol=1e-9)


@given(drawn_networks(), st.data())
@settings(deadline=None)
def test_masks_zero_what_reads_a_removed_channel(net: Network, data: st.DataObject) -> None:
    arrays = [a.astype(np.float32) for a in importance(net, data).values()]
    before = [a.copy() for a in arrays]
    kept = {g: sorted(data.draw(st.sets(st.integers(0, n - 1)))) for g, n in SIZES.items()}
    found = masked(net, arrays, {g: np.array(k, np.int64) for g, k in kept.items()})
    for weight, array, result, old in zip(net.weights, arrays, found, before, strict=True):
        np.testing.assert_array_equal(array, old)
        for index in np.ndindex(*array.shape):
            gone = weight.output_axis is not None and any(
                d != weight.output_axis and (read := stands(axis, at)) is not None and read[1] not in kept[read[0]]
                for d, (axis, at) in enumerate(zip(weight.axes, index, strict=True))
            )
            assert result[index] == (0 if gone else array[index])


def test_filters_stand_side_by_side_and_gates_of_a_channel_together() -> None:
    net = network(((Fixed(2), A), 1), ((A,), 0), ((Fixed(1), Tile(B, 2)), 1), ((A, B), None))
    kernel, gates = np.array([[1.0, 2, 3], [4, 5, 6]]), np.array([[1.0, 2, 3, 4]])
    found = filters(net, {0: kernel, 1: np.array([7.0, 8, 9]), 2: gates, 3: np.ones((3, 2))})
    assert found["a"].tolist() == [[1, 4, 7], [2, 5, 8], [3, 6, 9]]
    assert found["b"].tolist() == [[1, 3], [2, 4]]
