"""The transform `clustering`: what it offers, describes and projects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reds_clustering import Clustering, ClusteringOptions
from reds_clustering.clustering import code_bits
from reds_clustering.kmeans import Clusters
from reds_quantization import WeightBits

from reds_core.cost import CostModel, usage
from reds_core.errors import InputError
from reds_core.formulation import decision_space
from reds_core.framework import projections
from reds_core.network import Fixed, Layer, MacsTerm, Network, Tensor, Weight, WeightKind
from reds_core.plugin import build_options
from reds_core.transforms import LayerPart, LevelSettings, Nesting, Start, UniformQuantiser, described

KERNEL = Weight("conv/kernel", "conv", WeightKind.KERNEL, (Fixed(3), Fixed(20), Fixed(4)), 2, True)
BIAS = Weight("conv/bias", "conv", WeightKind.BIAS, (Fixed(4),), 0, True)
DEPTHWISE = Weight(
    "depthwise/kernel", "depthwise", WeightKind.KERNEL, (Fixed(9), Fixed(4), Fixed(2)), 1, True, None, (1, 2)
)
CONV = Layer("conv", "Conv1D", (0,), (1,), (0, 1), (MacsTerm(15, (Fixed(20), Fixed(4))),), (5, 4))
DEPTH = Layer("depthwise", "DepthwiseConv1D", (1,), (2,), (2,), (), (5, 8))
RELU = Layer("relu", "ReLU", (2,), (3,), (), (), (5, 8))
TENSORS = tuple(Tensor(5, Fixed(n), i) for i, n in enumerate((20, 4, 8, 8)))
NETWORK = Network("n", (), (CONV, DEPTH, RELU), TENSORS, (KERNEL, BIAS, DEPTHWISE), (0,), (3,))
PART = LayerPart((replace(CONV, inputs=(0,), outputs=(1,)),), TENSORS[:2], (KERNEL, BIAS))


def clustering(**options: str) -> Clustering:
    return Clustering(build_options(Clustering, options))


@pytest.mark.parametrize(
    ("levels", "found"), [("16,4", [4, 16, 256]), ("2, 4 ,16", [2, 4, 16, 256]), ("4", [4, 256]), ("16,16", [16, 256])]
)
def test_levels_rise_and_end_with_the_untouched_kernel(levels: str, found: list[int]) -> None:
    offered = clustering(levels=levels).offered(NETWORK, "conv")
    assert offered.levels.tolist() == found
    assert offered.levels.dtype == np.int64


@pytest.mark.parametrize("levels", ["", "3", "256", "8", "16;4", "1,2", "16,,4"])
def test_other_levels_are_refused(levels: str) -> None:
    with pytest.raises(InputError, match=r"option clustering\.levels cannot be"):
        clustering(levels=levels)


def test_the_options_of_the_class_are_the_defaults() -> None:
    assert Clustering().options == ClusteringOptions("16,4", "channel", "free", "moving")
    assert Clustering().nests is Nesting.FREE
    assert clustering(nesting="equal").nests is Nesting.EQUAL
    for option in ({"nesting": "rising"}, {"per": "tensor"}, {"assignment": "free"}):
        with pytest.raises(InputError, match=next(iter(option))):
            clustering(**option)


def test_codes_have_the_least_number_of_bits() -> None:
    assert [code_bits(count) for count in (2, 4, 16)] == [1, 2, 4]


def test_levels_whose_codebooks_take_more_than_they_save_are_not_offered() -> None:
    """A channel of 9 weights has 9 bytes: 3 bytes of codes and 4 of a codebook for 4 clusters, 5 and 16 for 16."""
    offered = clustering(levels="2,4,16").offered(NETWORK, "depthwise")
    assert offered.levels.tolist() == [2, 4, 256]
    assert offered.reason == "codebooks of 16 values for each output channel would take more than they save"
    small = replace(NETWORK, weights=(KERNEL, BIAS, replace(DEPTHWISE, axes=(Fixed(2), Fixed(4), Fixed(2)))))
    nothing = clustering(levels="2,4,16").offered(small, "depthwise")
    assert nothing.levels.tolist() == []
    assert nothing.reason == "codebooks of 2 or 4 or 16 values for each output channel would take more than they save"


def test_layers_without_a_kernel_of_their_own_are_offered_nothing() -> None:
    assert Clustering().offered(NETWORK, "relu").reason == "it has no kernel"
    tied = replace(NETWORK, layers=(*NETWORK.layers, Layer("tied", "Dense", (3,), (3,), (0,), (), (5, 8))))
    assert Clustering().offered(tied, "conv").reason == "it shares its kernel with layer 'tied'"
    assert Clustering().offered(tied, "depthwise").levels.tolist() == [4, 256]


def test_a_clustered_kernel_is_described_by_its_codes_and_its_codebooks() -> None:
    found = Clustering().described(PART, 16)
    codebook = Weight("conv/kernel/codebook", "conv", WeightKind.OTHER, (Fixed(4), Fixed(16)), 0, False, 8)
    assert found.weights == (replace(KERNEL, bits=4, value_bits=8), BIAS, codebook)
    assert [call.weights for call in found.layers] == [(0, 1, 2)]
    assert Clustering().described(PART, 256) == PART
    twice = replace(PART, layers=PART.layers * 2)
    assert [call.weights for call in Clustering().described(twice, 4).layers] == [(0, 1, 2)] * 2


@pytest.mark.parametrize(("count", "bits"), [(2, 1), (4, 2), (16, 4)])
def test_sizes_are_those_of_packed_codes_and_codebooks(count: int, bits: int) -> None:
    network = described(NETWORK, [clustering(levels=str(count))], LevelSettings({"conv": {"clusters": count}}))
    costs = CostModel(additional=("weight_bytes", "bops"))
    before, after = (usage(each, each.channels, costs) for each in (NETWORK, network))
    saved = 240 - (240 * bits // 8 + 4 * count)
    assert before["params"] - after["params"] == saved
    assert before["macs"] == after["macs"]
    assert before["bops"] == after["bops"]  # values of 8 bits are looked up and multiplied


@pytest.mark.parametrize("count", [2, 4, 16])
def test_each_output_channel_has_values_of_its_own(count: int) -> None:
    values = np.random.default_rng(0).normal(size=(3, 20, 4))
    projected = Clustering().projected(values, KERNEL, count)
    assert all(len(np.unique(projected[..., channel])) == count for channel in range(4))
    assert len(np.unique(projected)) == 4 * count
    by_hand = Clusters.of(values.reshape(60, 4), count).shared(values.reshape(60, 4)).reshape(3, 20, 4)
    assert np.array_equal(projected, by_hand)


def test_all_channels_of_a_layer_can_share_their_values() -> None:
    values = np.random.default_rng(0).normal(size=(3, 20, 4)) * [1, 2, 3, 4]
    projected = clustering(per="layer").projected(values, KERNEL, 4)
    assert len(np.unique(projected)) == 4
    own = Clustering().projected(values, KERNEL, 4)
    assert ((own - values) ** 2).sum() < ((projected - values) ** 2).sum()


def test_a_depthwise_kernel_has_values_for_each_channel_and_multiple() -> None:
    values = np.random.default_rng(0).normal(size=(9, 4, 2))
    projected = Clustering().projected(values, DEPTHWISE, 4)
    for channel in range(4):
        for multiple in range(2):
            own = values[:, channel, multiple].reshape(-1, 1)
            assert np.array_equal(projected[:, channel, multiple], Clusters.of(own, 4).shared(own)[:, 0])


def test_the_place_of_the_output_axis_does_not_matter() -> None:
    values = np.random.default_rng(0).normal(size=(3, 20, 4))
    turned = replace(KERNEL, axes=(Fixed(3), Fixed(4), Fixed(20)), output_axis=1)
    found = Clustering().projected(values.transpose(0, 2, 1), turned, 4)
    assert np.array_equal(found.transpose(0, 2, 1), Clustering().projected(values, KERNEL, 4))


def test_biases_and_untouched_kernels_are_left_as_they_are() -> None:
    values = np.random.default_rng(0).normal(size=(3, 20, 4))
    assert np.array_equal(Clustering().projected(values, KERNEL, 256), values)
    assert np.array_equal(Clustering().projected(values[0, 0], BIAS, 4), values[0, 0])


def test_clustered_kernels_are_projected_without_a_quantiser_of_their_own() -> None:
    found = projections(NETWORK, [Clustering()], LevelSettings({"conv": {"clusters": 4}}))
    assert {*found} == {0}
    assert found[0].quantiser is None
    values = np.random.default_rng(0).normal(size=(3, 20, 4))
    assert np.array_equal(found[0].function(values), Clustering().projected(values, KERNEL, 4))


class TestFromAStart:
    """Clusters that are fixed are found once, at the start of a training. Their means follow the values."""

    FIXED = ClusteringOptions(assignment="fixed")
    VALUES = np.random.default_rng(0).normal(size=(3, 20, 4))

    def test_the_projection_of_the_start_is_that_without_a_start(self) -> None:
        for per in ("channel", "layer"):
            transform = clustering(per=per, assignment="fixed")
            begun = transform.begun(Start(self.VALUES), KERNEL, 4)
            assert np.array_equal(begun(self.VALUES, 0.0), transform.projected(self.VALUES, KERNEL, 4))
            assert np.array_equal(begun(begun(self.VALUES, 0.0), 1.0), begun(self.VALUES, 0.0))
        untouched = Clustering(self.FIXED).begun(Start(self.VALUES), KERNEL, 256)
        assert np.array_equal(untouched(self.VALUES, 0.5), self.VALUES)

    def test_a_step_moves_each_shared_value_by_the_mean_gradient_of_its_cluster(self) -> None:
        """Deep Compression moves it by the sum, which is the mean times the number of values in the cluster."""
        begun = Clustering(self.FIXED).begun(Start(self.VALUES), KERNEL, 4)
        gradient = np.random.default_rng(1).normal(size=self.VALUES.shape)
        before, after = begun(self.VALUES, 0.0), begun(self.VALUES - 10 * gradient, 0.1)
        for channel in range(4):
            for value in np.unique(before[..., channel]):
                own = before[..., channel] == value
                expected = value - 10 * gradient[..., channel][own].mean()
                assert np.allclose(after[..., channel][own], expected, rtol=1e-12)
        assert len(np.unique(after[..., 0])) == 4

    def test_zeros_of_the_start_stay_zeros(self) -> None:
        masked = np.where(np.abs(self.VALUES) > 0.6, self.VALUES, 0.0)
        begun = Clustering(self.FIXED).begun(Start(masked), KERNEL, 4)
        moved = np.where(masked == 0, 0.0, masked + 3)
        found = begun(moved, 0.5)
        assert np.all(found[masked == 0] == 0)
        assert all(len(np.unique(found[..., channel])) == 4 for channel in range(4))

    def test_zeros_of_a_growing_mask_stay_zeros(self) -> None:
        begun = Clustering(self.FIXED).begun(Start(self.VALUES), KERNEL, 4)
        masked = np.where(np.abs(self.VALUES) > 0.6, self.VALUES, 0.0)
        found = begun(masked, 0.5)
        assert np.array_equal(found, Clustering().projected(masked, KERNEL, 4))
        assert np.all(found[masked == 0] == 0)

    def test_clusters_that_may_move_are_found_anew(self) -> None:
        begun = Clustering().begun(Start(self.VALUES), KERNEL, 4)
        moved = self.VALUES[::-1, ::-1].copy()
        assert np.array_equal(begun(moved, 0.5), Clustering().projected(moved, KERNEL, 4))
        assert not np.array_equal(
            begun(moved, 0.5), Clustering(self.FIXED).begun(Start(self.VALUES), KERNEL, 4)(moved, 0.5)
        )


class TestWithBits:
    """With `weight-bits`, a layer has either codebooks or fewer bits: both at once would cost what codebooks cost."""

    TRANSFORMS = (WeightBits(), Clustering())

    def test_fewer_bits_are_no_choice_in_a_layer_with_codebooks(self) -> None:
        space = decision_space(NETWORK, self.TRANSFORMS)
        assert [offer.what for offer in space.at["conv"]] == ["clusters", "weight_bits"]
        assert space.combinations["conv"] == {(4, 8), (16, 8), (256, 4), (256, 8)}

    def test_codebooks_cost_the_same_whatever_the_bits_of_their_values(self) -> None:
        both = LevelSettings({"conv": {"clusters": 4, "weight_bits": 4}})
        alone = LevelSettings({"conv": {"clusters": 4}})
        assert described(NETWORK, self.TRANSFORMS, both) == described(NETWORK, self.TRANSFORMS, alone)

    def test_values_of_codebooks_are_rounded_where_a_user_asks_for_both(self) -> None:
        both = LevelSettings({"conv": {"clusters": 4, "weight_bits": 4}})
        values = np.random.default_rng(0).normal(size=(3, 20, 4))
        projected = projections(NETWORK, self.TRANSFORMS, both)[0].function(values)
        rounded = UniformQuantiser(4).quantised(Clustering().projected(values, KERNEL, 4), 2)
        assert np.array_equal(projected, rounded)
        assert all(len(np.unique(projected[..., channel])) <= 4 for channel in range(4))
