"""The transform `low-rank`: what it offers and describes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reds_low_rank import LowRank
from reds_low_rank.low_rank import LowRankOptions

from reds_core.errors import InputError
from reds_core.network import Axis, Fixed, Layer, MacsTerm, Network, NetworkBuilder, Weight, WeightKind
from reds_core.plugin import build_options
from reds_core.transforms import Dimension, LevelSettings, Nesting, Stage, described, layer_parts


def low_rank(levels: str = "25,50,75", scheme: str = "channels") -> LowRank:
    return LowRank(build_options(LowRank, {"levels": levels, "scheme": scheme}))


def convolution(
    read: tuple[int, ...], made: tuple[int, ...], size: tuple[int, ...], first: bool = False, groups: int = 1
) -> Network:
    """A convolution `conv` of fixed shapes whose channels are the last dimension, or the first."""
    at = 0 if first else -1
    builder = NetworkBuilder()
    value = builder.input(read)
    inputs, outputs = Fixed(read[at] // groups), builder.fresh(made[at])
    dims: list[Axis] = [Fixed(n) for n in made]
    dims[at] = outputs
    kernel = Weight("conv/kernel", "conv", WeightKind.KERNEL, (*map(Fixed, size), inputs, outputs), len(size) + 1, True)
    builder.weight("kernel", kernel)
    builder.weight("bias", Weight("conv/bias", "conv", WeightKind.BIAS, (outputs,), 0, True))
    positions = int(np.prod(made)) // made[at]
    macs = [MacsTerm(positions * int(np.prod(size)), (inputs, outputs))]
    (value,) = builder.call("conv", "Conv", [value], [tuple(dims)], ["kernel", "bias"], macs, is_activated=True)
    return builder.finish("n", [value])


def chain(network: Network, transform: LowRank, level: int) -> list[Layer]:
    settings = LevelSettings.of([(Dimension("conv", "rank_percent"), level)])
    return list(described(network, [transform], settings).layers)


@pytest.mark.parametrize("levels", ["", "0", "101", "50;60", "half", "25,,50", "-5", "2.5"])
def test_other_levels_are_refused(levels: str) -> None:
    with pytest.raises(InputError, match=r"option low-rank\.levels cannot be"):
        low_rank(levels)


def test_its_declarations() -> None:
    assert LowRank().options == LowRankOptions("25,50,75", "spatial", "rising")
    assert (LowRank.what, LowRank.stage, LowRank.nesting) == ("rank_percent", Stage.REWRITE, Nesting.RISING)
    assert LowRank(build_options(LowRank, {"nesting": "free"})).nests is Nesting.FREE


def test_levels_are_percentages_of_the_break_even_rank_and_end_with_the_layer_as_it_is() -> None:
    network = convolution((9, 9, 16), (9, 9, 16), (1, 1))
    assert low_rank("75, 25").offered(network, "conv").levels.tolist() == [25, 75, 100]
    first, second = chain(network, low_rank(), 75)
    # 16 * 16 / (16 + 16) = 8 is the break-even rank, of which 6 are 75 %
    assert [first.output_shape, second.input_shape] == [(9, 9, 6), (9, 9, 6)]


def test_levels_of_equal_ranks_are_offered_once_and_those_that_save_nothing_not_at_all() -> None:
    network = convolution((9, 9, 3), (9, 9, 4), (1, 1))
    # ranks 1, 1, 1, 2; the last has 14 weights, as against 12
    assert low_rank("20,40,80,99").offered(network, "conv").levels.tolist() == [20, 100]


def test_layers_whose_factors_save_nothing_have_no_levels() -> None:
    offered = low_rank().offered(convolution((9, 9, 1), (9, 9, 8), (1, 1)), "conv")
    assert offered.levels.tolist() == []
    assert offered.reason == "factors of each of the ranks have at least as many weights as the layer"


def test_the_level_that_changes_nothing_is_no_choice() -> None:
    offered = low_rank("100").offered(convolution((9, 9, 8), (9, 9, 8), (3, 3)), "conv")
    assert offered.reason == "100 is its only level"


def test_grouped_convolutions_have_no_levels() -> None:
    offered = low_rank().offered(convolution((9, 9, 8), (9, 9, 8), (3, 3), groups=2), "conv")
    assert offered.reason == "it is neither a dense layer nor a convolution without groups"


@pytest.mark.parametrize("first", [False, True])
def test_shapes_that_do_not_tell_the_channels_have_no_levels(first: bool) -> None:
    """All that tells them apart is a group of channels, which a fixed output has not."""
    offered = low_rank().offered(convolution((8, 4, 8), (8, 4, 8), (3, 3), first=first), "conv")
    assert offered.reason == "its shapes do not tell whether its channels are the first or the last dimension"


@pytest.mark.parametrize("first", [False, True])
def test_the_first_layer_as_long_as_the_kernel_has_the_stride_of_each_axis(first: bool) -> None:
    """Of a 3 x 5 kernel with stride 2, the 3 x 1 kernel halves the height and the 1 x 5 kernel the width."""

    def shape(height: int, width: int, channels: int) -> tuple[int, ...]:
        return (channels, height, width) if first else (height, width, channels)

    network = convolution(shape(12, 10, 6), shape(6, 5, 7), (3, 5), first)
    before, after = chain(network, low_rank(scheme="spatial"), 50)
    # 3 * 6 * 5 * 7 / (3 * 6 + 5 * 7) = 11.9
    assert [before.input_shape, before.output_shape] == [shape(12, 10, 6), shape(6, 10, 6)]
    assert [after.input_shape, after.output_shape] == [shape(6, 10, 6), shape(6, 5, 7)]
    counted = [t.coefficient * f.full({}) * g.full({}) for e in (before, after) for t in e.macs for f, g in [t.factors]]
    assert counted == [6 * 10 * 3 * 6 * 6, 6 * 5 * 5 * 6 * 7]
    assert [before.is_activated, after.is_activated] == [False, True]


def test_the_middle_layer_of_a_tucker_decomposition_has_the_stride() -> None:
    network = convolution((12, 10, 8), (6, 5, 8), (3, 3))
    shapes = [layer.output_shape[:2] for layer in chain(network, low_rank(scheme="tucker"), 50)]
    assert shapes == [(12, 10), (6, 5), (6, 5)]


def test_the_layers_of_a_chain_are_named_after_the_layer_and_the_last_has_the_bias() -> None:
    network = convolution((12, 10, 8), (6, 5, 8), (3, 3))
    at = described(network, [low_rank(scheme="tucker")], LevelSettings.of([(Dimension("conv", "rank_percent"), 50)]))
    assert [layer.name for layer in at.layers] == ["conv/rank_1", "conv/rank_2", "conv/rank_3"]
    assert {(w.name, w.layer) for w in at.weights} == {
        ("conv/rank_1/kernel", "conv/rank_1"),
        ("conv/rank_2/kernel", "conv/rank_2"),
        ("conv/rank_3/kernel", "conv/rank_3"),
        ("conv/rank_3/bias", "conv/rank_3"),
    }
    assert [[at.weights[i].name.rpartition("/")[2] for i in layer.weights] for layer in at.layers] == [
        ["kernel"],
        ["kernel"],
        ["kernel", "bias"],
    ]


def test_the_rank_does_not_depend_on_the_width() -> None:
    network = convolution((9, 9, 16), (9, 9, 16), (1, 1))
    kernel = next(w for w in network.weights if w.kind is WeightKind.KERNEL)
    narrow = np.random.default_rng(0).normal(size=(1, 1, 16, 5))
    assert [f.shape[-2:] for f in low_rank().factors(kernel, 50, None)(narrow)] == [(16, 4), (4, 5)]
    assert np.linalg.matrix_rank(low_rank().projected(narrow, kernel, 50)[0, 0]) == 4
    unknown = replace(kernel, shape=())  # of a description by hand
    assert [f.shape[-2:] for f in low_rank().factors(unknown, 50, None)(narrow)] == [(16, 2), (2, 5)]


def test_inputs_of_another_size_are_not_used() -> None:
    """The channels of an image whose channels are first are not the last dimension of its tensor."""
    network = convolution((9, 9, 16), (9, 9, 16), (1, 1))
    kernel = next(w for w in network.weights if w.kind is WeightKind.KERNEL)
    values = np.random.default_rng(0).normal(size=kernel.shape)
    plain, other, used = (
        low_rank().factors(kernel, 50, inputs)(values) for inputs in (None, np.eye(9), np.diag(np.arange(16.0)))
    )
    np.testing.assert_array_equal(plain[0], other[0])
    assert np.abs(used[0] @ used[1] - plain[0] @ plain[1]).max() > 0.01


def test_a_kernel_that_is_not_finite_is_left_as_it_is() -> None:
    network = convolution((9, 9, 16), (9, 9, 16), (1, 1))
    kernel = next(w for w in network.weights if w.kind is WeightKind.KERNEL)
    values = np.full(kernel.shape, np.nan)
    np.testing.assert_array_equal(low_rank().projected(values, kernel, 50), values)


@pytest.mark.parametrize("scheme", ["channels", "spatial", "tucker"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_kernel_that_is_not_finite_has_factors_that_are_not_numbers(scheme: str, value: float) -> None:
    network = convolution((9, 9, 16), (9, 9, 12), (3, 3))
    kernel = next(weight for weight in network.weights if weight.kind is WeightKind.KERNEL)
    values = np.random.default_rng(0).normal(size=(3, 3, 16, 12))
    whole = low_rank(scheme=scheme).factors(kernel, 50, np.eye(16))(values)
    values[0, 0, 0, 0] = value
    chain = low_rank(scheme=scheme).factors(kernel, 50, np.eye(16))(values)
    assert [factor.shape for factor in chain] == [factor.shape for factor in whole]
    assert all(np.isnan(factor).all() for factor in chain)


def test_all_calls_of_a_layer_have_the_same_kernels() -> None:
    builder = NetworkBuilder()
    value = builder.input((6, 8))
    axes = (Fixed(8), Fixed(8))
    builder.weight("k", Weight("conv/kernel", "conv", WeightKind.KERNEL, axes, 1, True))
    for _ in range(2):
        (value,) = builder.call("conv", "Dense", [value], [(Fixed(6), Fixed(8))], ["k"], [MacsTerm(6, axes)])
    network = builder.finish("n", [value])
    layers = chain(network, low_rank(), 50)
    assert [e.name for e in layers] == ["conv/rank_1", "conv/rank_2"] * 2
    assert layers[0].weights == layers[2].weights
    assert len({t for e in layers for t in e.outputs}) == 4
    assert len(layer_parts(network)) == 1
