"""Folding against a reference in double precision, on a network with every way in which channels are joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from reds_merging import Fold, FoldOptions

from reds_core.network import Axis, Fixed, Network, NetworkBuilder, Weight, WeightKind, concat, fixed_dims, tile
from reds_core.transforms import Joining, Narrowing, joined_weights

Floats = npt.NDArray[np.float64]
Weights = dict[str, Floats]
Mean = Callable[[str, Floats], Floats]
"""What merging does to the outputs of the producers of a group: nothing, or the mean of each cluster."""

EPSILON, SIDE = 1e-3, 6
WIDTHS = {"stem": 8, "inner": 6, "side": 5}
METHODS = ("k-means", "iterative")
REPAIRS = ("none", "approximate", "auto", "data")


def described(widths: Mapping[str, int]) -> Network:
    """conv - norm - relu - [conv - norm - relu - conv - norm - add] - relu - depthwise - norm - relu, concatenated with
    a convolution of that, normalised, flattened and read by a dense layer."""
    builder = NetworkBuilder()
    value = builder.input((SIDE, SIDE, 3))

    def weight(layer: str, name: str, kind: WeightKind, axes: tuple[Axis, ...], output: int | None) -> str:
        key = f"{layer}/{name}"
        builder.weight(key, Weight(key, layer, kind, axes, output, kind is not WeightKind.STATISTIC))
        return key

    def conv(name: str, source: Any, made: Axis, size: int, bias: bool = True) -> Any:
        axes = (*fixed_dims((size, size)), source.dims[-1], made)
        keys = [weight(name, "kernel", WeightKind.KERNEL, axes, 3)]
        keys += [weight(name, "bias", WeightKind.BIAS, (made,), 0)] if bias else []
        return builder.call(name, "Conv2D", (source,), ((*source.dims[:2], made),), keys)[0]

    def norm(name: str, source: Any) -> Any:
        kinds = {"gamma": WeightKind.SCALE, "beta": WeightKind.OFFSET}
        kinds |= {"mean": WeightKind.STATISTIC, "variance": WeightKind.STATISTIC}
        keys = [weight(name, key, kind, source.dims[-1:], 0) for key, kind in kinds.items()]
        return builder.call(name, "BatchNormalization", (source,), (source.dims,), keys, epsilon=EPSILON)[0]

    def relu(name: str, source: Any) -> Any:
        return builder.call(name, "ReLU", (source,), (source.dims,))[0]

    stem = builder.fresh(widths["stem"])
    trunk = relu("stem_relu", norm("stem_norm", conv("stem", value, stem, 3, bias=False)))
    inside = relu("inner_relu", norm("inner_norm", conv("inner", trunk, builder.fresh(widths["inner"]), 1)))
    branch = norm("outer_norm", conv("outer", inside, builder.fresh(widths["stem"]), 1))
    builder.tie(trunk.dims[-1], branch.dims[-1], "add")
    trunk = relu("add_relu", builder.call("add", "Add", (trunk, branch), (trunk.dims,))[0])
    key = weight("depth", "kernel", WeightKind.KERNEL, (*fixed_dims((3, 3)), trunk.dims[-1], Fixed(1)), 2)
    (depth,) = builder.call("depth", "DepthwiseConv2D", (trunk,), (trunk.dims,), [key])
    trunk = relu("depth_relu", norm("depth_norm", depth))
    side = relu("side_relu", conv("side", trunk, builder.fresh(widths["side"]), 1))
    both = concat([trunk.dims[-1], side.dims[-1]])
    joined = builder.call("both", "Concatenate", (trunk, side), ((*trunk.dims[:2], both),))[0]
    joined = norm("both_norm", joined)
    flat = builder.call("flat", "Flatten", (joined,), ((tile(both, SIDE * SIDE),),))[0]
    keys = [weight("head", "kernel", WeightKind.KERNEL, (flat.dims[0], Fixed(4)), 1)]
    keys += [weight("head", "bias", WeightKind.BIAS, (Fixed(4),), 0)]
    head = builder.call("head", "Dense", (flat,), ((Fixed(4),),), keys)[0]
    return builder.finish("reference", [head])


NETWORK = described(WIDTHS)


def random_weights(network: Network, seed: int) -> list[Floats]:
    rng = np.random.default_rng(seed)
    found = []
    for weight in network.weights:
        values = rng.normal(0, 0.5, weight.shape)
        found.append(np.abs(values) + 0.1 if weight.name.endswith("variance") else values)
    return found


def named(network: Network, weights: list[Floats]) -> Weights:
    return {weight.name: values for weight, values in zip(network.weights, weights, strict=True)}


def computed(weights: Weights, x: Floats, mean: Mean = lambda group, y: y) -> Floats:
    """The outputs (N, 4) for inputs (N, SIDE, SIDE, 3), computed without any description."""

    def windows(y: Floats) -> Floats:
        padded = np.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)))
        return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))

    def norm(name: str, y: Floats) -> Floats:
        slope = weights[f"{name}/gamma"] / np.sqrt(weights[f"{name}/variance"] + EPSILON)
        return slope * (y - weights[f"{name}/mean"]) + weights[f"{name}/beta"]

    def pointwise(name: str, y: Floats) -> Floats:
        return y @ weights[f"{name}/kernel"][0, 0] + weights[f"{name}/bias"]

    y = np.einsum("nhwcij,ijco->nhwo", windows(x), weights["stem/kernel"])
    trunk = np.maximum(mean("stem", norm("stem_norm", y)), 0)
    inside = np.maximum(mean("inner", norm("inner_norm", pointwise("inner", trunk))), 0)
    trunk = np.maximum(trunk + mean("stem", norm("outer_norm", pointwise("outer", inside))), 0)
    y = np.einsum("nhwcij,ijc->nhwc", windows(trunk), weights["depth/kernel"][..., 0])
    trunk = np.maximum(mean("stem", norm("depth_norm", y)), 0)
    side = np.maximum(mean("side", pointwise("side", trunk)), 0)
    joined = np.concatenate([trunk, side], axis=-1)
    slope = weights["both_norm/gamma"] / np.sqrt(weights["both_norm/variance"] + EPSILON)
    offset = mean("both", weights["both_norm/beta"])
    centred = mean("both", slope) * (joined - mean("both", weights["both_norm/mean"])) + offset
    return centred.reshape(len(x), -1) @ weights["head/kernel"] + weights["head/bias"]


def joinings(
    weights: list[Floats], widths: Mapping[str, int], fold: Fold, network: Network = NETWORK
) -> dict[str, Joining]:
    orders = {group: np.arange(n) for group, n in network.channels.items()}
    return {g: fold.joined(Narrowing(network, weights, g, w, orders[g])) for g, w in widths.items()}


def folded(weights: list[Floats], widths: Mapping[str, int], fold: Fold, network: Network = NETWORK) -> Floats:
    """The outputs of the folded network."""
    small = joined_weights(network, weights, joinings(weights, widths, fold, network))
    return computed(named(described(widths), small), INPUTS)


INPUTS = np.random.default_rng(9).normal(0, 1, (3, SIDE, SIDE, 3))
NARROW = {"stem": 5, "inner": 4, "side": 3}


@pytest.mark.parametrize("method", METHODS)
def test_merged_channels_are_the_means_of_their_clusters(method: str) -> None:
    """The reference is the full network in which every producer's output is replaced by the mean of its cluster."""
    weights = random_weights(NETWORK, 0)
    fold = Fold(FoldOptions(method, "none"))  # type: ignore[arg-type]
    found = joinings(weights, NARROW, fold)
    clusters = {group: joining.clusters for group, joining in found.items()}
    clusters["both"] = np.concatenate([clusters["stem"], clusters["side"] + NARROW["stem"]])

    def mean(group: str, y: Floats) -> Floats:
        members = np.eye(clusters[group].max() + 1)[clusters[group]]
        return y @ (members / members.sum(axis=0)) @ members.T

    expected = computed(named(NETWORK, weights), INPUTS, mean)
    assert np.ptp(expected, axis=0).min() > 1e-2
    np.testing.assert_allclose(folded(weights, NARROW, fold), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("repair", REPAIRS)
@pytest.mark.parametrize("method", METHODS)
def test_copies_are_merged_without_any_change(method: str, repair: str) -> None:
    """Channels are copied into a wider network, whose readers have weights of their own for each copy."""
    small = described(NARROW)
    origin = {
        "stem": np.array([0, 1, 2, 3, 4, 4, 0, 2]),
        "inner": np.array([3, 1, 0, 2, 1, 1]),
        "side": np.array([2, 0, 1, 1, 0]),
    }
    rng = np.random.default_rng(3)

    def copying(group: str) -> Joining:
        """Copies of the channels; what each reader sees in place of a channel is split over the copies at random."""
        copies = np.eye(NARROW[group])[origin[group]]
        shares = copies * rng.uniform(0.2, 1.0, copies.shape)
        return Joining(origin[group], np.zeros(NARROW[group], np.int64), copies, (shares / shares.sum(axis=0)).T)

    before = random_weights(small, 1)
    wide = joined_weights(small, before, {group: copying(group) for group in NARROW})
    expected = computed(named(NETWORK, wide), INPUTS)
    np.testing.assert_allclose(expected, computed(named(small, before), INPUTS), rtol=1e-9)
    fold = Fold(FoldOptions(method, repair))  # type: ignore[arg-type]
    np.testing.assert_allclose(folded(wide, NARROW, fold), expected, rtol=1e-9, atol=1e-9)


def test_nothing_changes_at_full_width() -> None:
    weights = random_weights(NETWORK, 0)
    same = joined_weights(NETWORK, weights, joinings(weights, WIDTHS, Fold()))
    for one, other in zip(weights, same, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("method", METHODS)
def test_permuted_channels_are_merged_into_permuted_clusters(method: str) -> None:
    weights, rng = random_weights(NETWORK, 0), np.random.default_rng(4)
    order = {group: rng.permutation(n) for group, n in WIDTHS.items()}
    moved = joined_weights(NETWORK, weights, {g: Joining.dropping(WIDTHS[g], o) for g, o in order.items()})
    fold = Fold(FoldOptions(method))  # type: ignore[arg-type]
    one, other = joinings(weights, NARROW, fold), joinings(moved, NARROW, fold)
    for group, places in order.items():
        pairs = set(zip(one[group].clusters[places].tolist(), other[group].clusters.tolist(), strict=True))
        assert len(pairs) == NARROW[group]
        assert {*places[other[group].kept].tolist()} == {*one[group].kept.tolist()}
    np.testing.assert_allclose(folded(moved, NARROW, fold), folded(weights, NARROW, fold), rtol=1e-9, atol=1e-9)


def test_the_representative_is_the_channel_nearest_to_the_centre() -> None:
    joining = joinings(random_weights(NETWORK, 0), NARROW, Fold())["stem"]
    assert joining.merges
    np.testing.assert_array_equal(joining.clusters[joining.kept], np.arange(5))


def test_channels_that_a_batch_norm_treats_differently_at_each_position_are_told_apart() -> None:
    """Behind a Flatten: the first two kernels are equal, but only the last two channels are alike."""
    builder = NetworkBuilder()
    value = builder.input((2, 3))
    made = builder.fresh(4)
    builder.weight("k", Weight("k", "first", WeightKind.KERNEL, (Fixed(3), made), 1, True))
    (value,) = builder.call("first", "Dense", (value,), ((value.dims[0], made),), ["k"])
    (value,) = builder.call("flat", "Flatten", (value,), ((tile(made, 2),),))
    kinds = {"gamma": WeightKind.SCALE, "beta": WeightKind.OFFSET}
    kinds |= {"mean": WeightKind.STATISTIC, "variance": WeightKind.STATISTIC}
    for name, kind in kinds.items():
        builder.weight(name, Weight(name, "norm", kind, value.dims, 0, True))
    (value,) = builder.call("norm", "BatchNormalization", (value,), (value.dims,), list(kinds), epsilon=0.0)
    builder.weight("h", Weight("h", "head", WeightKind.KERNEL, (value.dims[0], Fixed(2)), 1, True))
    (value,) = builder.call("head", "Dense", (value,), ((Fixed(2),),), ["h"])
    network = builder.finish("flattened", [value])
    kernel = np.array([[1.0, 1.0, 0.4, 0.41], [2.0, 2.0, 0.3, 0.3], [0.5, 0.5, -1.0, -1.0]])
    gamma = np.array([[1.0, -1.0, 1.0, 1.0], [2.0, -2.0, 1.5, 1.5]]).reshape(-1)
    weights = [kernel, gamma, np.zeros(8), np.zeros(8), np.ones(8), np.ones((8, 2))]
    (joining,) = joinings(weights, {"first": 3}, Fold(FoldOptions(repair="none")), network).values()
    assert joining.clusters.tolist() == [0, 1, 2, 2]


def test_the_repair_from_the_weights_is_that_of_the_paper_for_equal_variances() -> None:
    """Two channels with kernels of length 1 at an angle of 60 degrees: the variance of their mean is (1 + 1/2) / 2."""
    builder = NetworkBuilder()
    value = builder.input((2,))
    made, axes = builder.fresh(3), {}
    builder.weight("k", Weight("k", "first", WeightKind.KERNEL, (Fixed(2), made), 1, True))
    (value,) = builder.call("first", "Dense", (value,), ((made,),), ["k"])
    for name, kind in (("gamma", WeightKind.SCALE), ("mean", WeightKind.STATISTIC), ("variance", WeightKind.STATISTIC)):
        axes[name] = Weight(name, "norm", kind, (made,), 0, True)
        builder.weight(name, axes[name])
    (value,) = builder.call("norm", "BatchNormalization", (value,), ((made,),), list(axes), epsilon=0.0)
    builder.weight("h", Weight("h", "head", WeightKind.KERNEL, (made, Fixed(2)), 1, True))
    (value,) = builder.call("head", "Dense", (value,), ((Fixed(2),),), ["h"])
    network = builder.finish("pair", [value])
    kernel = np.array([[1.0, 0.5, -3.0], [0.0, np.sqrt(0.75), -3.0]])
    weights = [kernel, np.full(3, 2.0), np.zeros(3), np.full(3, 4.0), np.ones((3, 2))]
    (joining,) = joinings(weights, {"first": 2}, Fold(FoldOptions(repair="approximate")), network).values()
    assert joining.clusters.tolist() == [0, 0, 1]
    _, gamma, _, variance, _ = joined_weights(network, weights, {"first": joining})
    np.testing.assert_allclose(variance, [4.0 * 0.75, 4.0])
    np.testing.assert_allclose(gamma, [2.0, 2.0])


@pytest.mark.parametrize(
    ("kind", "mixes", "reason"),
    [
        ("Activation", True, "layer 'between' of type Activation mixes channels"),
        ("Mystery", False, "layer 'between' of type Mystery is not known to treat each channel alike"),
        ("ReLU", False, ""),
    ],
)
def test_groups_are_dropped_where_merging_is_not_sound(kind: str, mixes: bool, reason: str) -> None:
    builder = NetworkBuilder()
    value = builder.input((2,))
    made = builder.fresh(4)
    builder.weight("k", Weight("k", "first", WeightKind.KERNEL, (Fixed(2), made), 1, True))
    (value,) = builder.call("first", "Dense", (value,), ((made,),), ["k"])
    (value,) = builder.call("between", kind, (value,), (value.dims,), mixes_channels=mixes)
    builder.weight("h", Weight("h", "head", WeightKind.KERNEL, (made, Fixed(2)), 1, True))
    (value,) = builder.call("head", "Dense", (value,), ((Fixed(2),),), ["h"], mixes_channels=True)
    network = builder.finish("chain", [value])
    weights = [np.arange(8.0).reshape(2, 4), np.ones((4, 2))]
    narrowing = Narrowing(network, weights, "first", 2, np.array([3, 1, 0, 2]))
    joining = Fold().joined(narrowing)
    assert (joining.reason, joining.merges) == (reason, not reason)
    if reason:
        assert joining.kept.tolist() == [3, 1]
