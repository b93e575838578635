"""The transforms `weight-bits` and `activation-bits`: what they offer, describe and project."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reds_quantization import ActivationBits, WeightBits
from reds_quantization.activation_bits import ActivationBitsOptions
from reds_quantization.weight_bits import WeightBitsOptions

from reds_core.cost import peak_ram
from reds_core.errors import InputError
from reds_core.framework import Projection, projections
from reds_core.network import Fixed, Layer, Network, Tensor, Weight, WeightKind
from reds_core.plugin import build_options
from reds_core.transforms import LayerPart, LevelSettings, Nesting, Stage, UniformQuantiser, described

KERNEL = Weight("conv/kernel", "conv", WeightKind.KERNEL, (Fixed(3), Fixed(2), Fixed(4)), 2, True)
BIAS = Weight("conv/bias", "conv", WeightKind.BIAS, (Fixed(4),), 0, True)
DEPTHWISE = Weight(
    "depthwise/kernel", "depthwise", WeightKind.KERNEL, (Fixed(3), Fixed(4), Fixed(2)), 1, True, None, (1, 2)
)
CONV = Layer("conv", "Conv1D", (0,), (1,), (0, 1), (), (5, 4))
DEPTH = Layer("depthwise", "DepthwiseConv1D", (1,), (2,), (2,), (), (5, 8))
RELU = Layer("relu", "ReLU", (2,), (3,), (), (), (5, 8))
TENSORS = tuple(Tensor(5, Fixed(n), i) for i, n in enumerate((2, 4, 8, 8)))
NETWORK = Network("n", (), (CONV, DEPTH, RELU), TENSORS, (KERNEL, BIAS, DEPTHWISE), (0,), (3,))
PART = LayerPart((replace(CONV, inputs=(0,), outputs=(1,)),), TENSORS[:2], (KERNEL, BIAS))


def weight_bits(levels: str = "8,4", nesting: str = "free") -> WeightBits:
    return WeightBits(build_options(WeightBits, {"levels": levels, "nesting": nesting}))


@pytest.mark.parametrize(
    ("levels", "bits"), [("8,4", [4, 8]), ("2, 4 ,8", [2, 4, 8]), ("4", [4, 8]), ("8", [8]), ("2", [2, 8])]
)
def test_levels_rise_and_end_with_eight_bits(levels: str, bits: list[int]) -> None:
    offered = weight_bits(levels).offered(NETWORK, "conv")
    assert offered.levels.tolist() == bits
    assert offered.levels.dtype == np.int64


@pytest.mark.parametrize("levels", ["", "3", "8;4", "16,8", "four", "8,,4"])
def test_other_levels_are_refused(levels: str) -> None:
    with pytest.raises(InputError, match=r"option weight-bits\.levels cannot be"):
        weight_bits(levels)


def test_the_options_of_the_class_are_the_defaults() -> None:
    assert WeightBits().options == WeightBitsOptions("8,4", "free")
    assert ActivationBits().options == ActivationBitsOptions("8")


def test_nesting_follows_the_option() -> None:
    assert weight_bits().nests is Nesting.FREE
    assert weight_bits(nesting="equal").nests is Nesting.EQUAL
    with pytest.raises(InputError, match="nesting"):
        weight_bits(nesting="rising")


def test_layers_without_a_kernel_are_offered_nothing() -> None:
    offered = WeightBits().offered(NETWORK, "relu")
    assert (offered.levels.tolist(), offered.reason) == ([], "it has no kernel")


def test_layers_that_share_a_kernel_are_offered_nothing() -> None:
    tied = replace(NETWORK, layers=(*NETWORK.layers, Layer("tied", "Dense", (3,), (3,), (0,), (), (5, 8))))
    assert WeightBits().offered(tied, "conv").reason == "it shares its kernel with layer 'tied'"
    assert WeightBits().offered(tied, "depthwise").levels.tolist() == [4, 8]


def test_kernels_alone_are_described_with_fewer_bits() -> None:
    described = WeightBits().described(PART, 4)
    assert [weight.bits for weight in described.weights] == [4, None]
    assert replace(described, weights=PART.weights) == PART
    assert WeightBits().described(PART, 8) == PART


def test_kernels_are_quantised_with_a_scale_for_each_output_channel() -> None:
    values = np.random.default_rng(0).normal(size=(3, 2, 4))
    projected = WeightBits().projected(values, KERNEL, 4)
    assert np.array_equal(projected, UniformQuantiser(4).quantised(values, -1))
    assert np.array_equal(WeightBits().projected(projected, KERNEL, 4), projected)
    assert all(len(np.unique(projected[..., c])) <= 15 for c in range(4))


def test_depthwise_kernels_have_a_scale_for_each_channel_and_multiple() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4, 2))
    projected = weight_bits("8,4,2").projected(values, DEPTHWISE, 2)
    for c in range(4):
        for m in range(2):
            assert len(np.unique(np.abs(projected[:, c, m]))) <= 2
    assert len(np.unique(np.abs(projected))) > 3


def test_biases_and_layers_of_eight_bits_are_left_as_they_are() -> None:
    values = np.random.default_rng(0).normal(size=(3, 2, 4))
    assert np.array_equal(WeightBits().projected(values, KERNEL, 8), values)
    assert np.array_equal(WeightBits().projected(values[0, 0], BIAS, 4), values[0, 0])


def test_projections_are_those_of_the_layers_below_eight_bits() -> None:
    settings = LevelSettings({"conv": {"weight_bits": 8}, "depthwise": {"weight_bits": 4}})
    found = projections(NETWORK, [ActivationBits(), WeightBits()], settings)
    assert {*found} == {2}
    assert (found[2].quantiser, found[2].axes) == (UniformQuantiser(4), (1, 2))
    values = np.random.default_rng(0).normal(size=(3, 4, 2))
    assert np.array_equal(found[2].function(values), WeightBits().projected(values, DEPTHWISE, 4))


def test_layers_of_eight_bits_can_be_trained_under_quantisation_as_well() -> None:
    found = projections(NETWORK, [WeightBits()], LevelSettings({"depthwise": {"weight_bits": 4}}), of_untouched=True)
    assert {i: p.quantiser for i, p in found.items()} == {0: UniformQuantiser(8), 2: UniformQuantiser(4)}
    assert projections(NETWORK, [WeightBits()], LevelSettings()) == {}


class Halving(WeightBits):
    """Keeps a multiple of a half of each weight."""

    name = "halving"
    what = "halves"
    stage = Stage.SPARSIFY

    def projected(self, weight: np.ndarray, of: Weight, level: int) -> np.ndarray:  # type: ignore[type-arg]
        return np.rint(weight * 2) / 2

    def quantiser(self, of: Weight, level: int) -> None:
        return None


def test_several_projections_of_a_weight_are_applied_in_the_order_of_their_stages() -> None:
    settings = LevelSettings({"conv": {"weight_bits": 4, "halves": 4}})
    (found,) = projections(NETWORK, [WeightBits(), Halving()], settings).values()
    assert isinstance(found, Projection)
    assert found.quantiser is None
    values = np.random.default_rng(0).normal(size=(3, 2, 4))
    assert np.array_equal(found.function(values), UniformQuantiser(4).quantised(np.rint(values * 2) / 2, 2))


@pytest.mark.parametrize("bits", [8, 16])
def test_activation_bits_are_one_level_of_the_network(bits: int) -> None:
    transform = ActivationBits(build_options(ActivationBits, {"bits": str(bits)}))
    assert transform.network_level == bits
    for site in ("conv", "relu"):
        assert transform.offered(NETWORK, site).levels.tolist() == [bits]
    described = transform.described(PART, bits)
    assert [tensor.bits for tensor in described.tensors] == [bits, bits]
    assert described.weights == PART.weights
    assert WeightBits().network_level is None


def test_tensors_are_counted_with_the_activation_bits_of_the_network() -> None:
    sixteen = ActivationBits(build_options(ActivationBits, {"bits": "16"}))
    settings = LevelSettings({"conv": {"weight_bits": 4}})
    network = described(NETWORK, [WeightBits(), sixteen], settings)
    assert {tensor.bits for tensor in network.tensors} == {16}
    assert [weight.bits for weight in network.weights] == [4, None, None]
    assert peak_ram(network).at(network.channels) == 2 * peak_ram(NETWORK).at(NETWORK.channels)
    assert described(NETWORK, [WeightBits()], LevelSettings()) == NETWORK
