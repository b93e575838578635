"""What joined channels make of the weights of a network, with dropping as the special case."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.network.axis import Channels, Fixed, Repeat
from reds_core.network.description import Network, Weight, WeightKind
from reds_core.testing.sample_networks import random_weights, sample_networks
from reds_core.transforms import Joining, joined_weights, reads_channels


@pytest.mark.parametrize("network", sample_networks(), ids=lambda network: network.name)
def test_dropping_is_joining_by_selection(network: Network) -> None:
    rng, weights = np.random.default_rng(0), random_weights(network, 0)
    kept = {group: rng.permutation(count)[: max(1, count // 2)] for group, count in network.channels.items()}
    found = joined_weights(
        network, weights, {g: Joining.dropping(count, kept[g]) for g, count in network.channels.items()}
    )
    for weight, before, after in zip(network.weights, weights, found, strict=True):
        positions = np.ix_(*(axis.positions(kept, network.channels) for axis in weight.axes))
        np.testing.assert_array_equal(after, before[positions])


def test_single_weights_can_have_coefficients_of_their_own() -> None:
    network = sample_networks()[1]
    weights, group = random_weights(network, 0), network.groups[0]
    names = [weight.name for weight in network.weights]
    plain = Joining.dropping(group.channels, np.arange(2))
    own = {names.index("first/bias"): 3 * plain.combine}
    joining = Joining(plain.kept, plain.clusters, plain.combine, plain.expand, own)
    before, after = (joined_weights(network, weights, {group.name: each}) for each in (plain, joining))
    for name, one, other in zip(names, before, after, strict=True):
        np.testing.assert_array_equal(other, 3 * one if name == "first/bias" else one)


def test_weights_keep_their_types() -> None:
    network = sample_networks()[1]
    single = [weight.astype(np.float32) for weight in random_weights(network, 0)]
    assert {weight.dtype for weight in joined_weights(network, single, {})} == {np.dtype(np.float32)}


def test_kernels_read_along_all_dimensions_but_those_of_their_outputs() -> None:
    a, b = Channels("a"), Channels("b")
    kernel = Weight("k", "conv", WeightKind.KERNEL, (Fixed(3), a, b), 2, True)
    depthwise = Weight("d", "depth", WeightKind.KERNEL, (Fixed(3), a, Fixed(2)), 1, True, None, (1, 2))
    inside = Weight("i", "separable", WeightKind.KERNEL, (Fixed(3), a, Fixed(2)), None, True, None, (1, 2))
    slopes = Weight("s", "prelu", WeightKind.SCALE, (Fixed(1), Repeat(a, 2)), None, True)
    assert [reads_channels(kernel, dimension) for dimension in (1, 2)] == [True, False]
    assert not any(reads_channels(each, 1) for each in (depthwise, inside, slopes))


def test_a_joining_that_drops_does_not_merge() -> None:
    assert not Joining.dropping(3, np.array([2, 0])).merges
    assert Joining.dropping(3, np.array([2, 0])).record("drop").clusters == (1, -1, 0)
    merged = Joining(np.array([0]), np.zeros(2, np.int64), np.full((1, 2), 0.5), np.ones((2, 1)))
    assert merged.merges
