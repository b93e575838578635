"""From weights to channels: against a loop over every entry."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.attribution import attribute_to_channels
from reds_core.axis import Axis, Channels, Concat, Fixed, Repeat, Tile
from reds_core.network import ChannelGroup, Network, Weight, WeightKind

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
