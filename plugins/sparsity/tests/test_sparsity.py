"""The transform `sparsity`: its options, what it offers and describes, and what it makes of weights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reds_sparsity import Sparsity
from reds_sparsity.global_threshold import global_densities
from toy_framework import chain_model, describe

from reds_core.cost import CostModel, parse_budgets, usage
from reds_core.errors import InputError
from reds_core.formulation import Statement, decision_space
from reds_core.framework import projections
from reds_core.network import Fixed, Layer, MacsTerm, Network, Tensor, Weight, WeightKind
from reds_core.plugin import build_options
from reds_core.scoring import ScoreTable
from reds_core.transforms import LevelSettings, Nesting, Smaller, Start, described

COSTS = CostModel(additional=("weight_bytes", "bops"))


def sparsity(**options: str) -> Sparsity:
    return Sparsity(build_options(Sparsity, options))


def wide(features: int = 64) -> Network:
    """Two dense layers that are large enough for zeros to pay."""
    return describe(chain_model((32, 48), features=features, classes=10))


# Options


@pytest.mark.parametrize(
    ("options", "densities"),
    [
        ({}, (10, 25, 50)),
        ({"sparsity": "90"}, (10,)),
        ({"sparsity": "75, 50 % ,60"}, (25, 40, 50)),
        ({"pattern": "2:4"}, (50,)),
        ({"pattern": "n:4"}, (25, 50)),
        ({"pattern": "n:4", "sparsity": "25"}, (75,)),
        ({"pattern": "block"}, (10, 25, 50)),
        ({"scope": "global"}, (50,)),
        ({"scope": "global", "sparsity": "80"}, (20,)),
    ],
)
def test_levels_are_the_percentages_that_stay(options: Mapping[str, str], densities: tuple[int, ...]) -> None:
    assert sparsity(**options).options.densities == densities


@pytest.mark.parametrize(
    ("options", "why"),
    [
        *(
            ({"sparsity": text}, "option sparsity.sparsity cannot be")
            for text in ("0", "100", "0.5", "", "-5", "50;90")
        ),
        ({"sparsity": "60", "pattern": "n:4"}, "cannot be '60' with pattern=n:4"),
        ({"sparsity": "75", "pattern": "2:4"}, "cannot be '75' with pattern=2:4"),
        ({"scope": "global", "sparsity": "50,75"}, "takes one sparsity"),
        ({"scope": "global", "pattern": "block"}, "cannot be combined with pattern=block"),
        ({"ramp": "0"}, "ramp=0.0 is not above 0"),
        ({"ramp": "1.5"}, "ramp=1.5 is not above 0"),
        ({"pattern": "3:5"}, "pattern"),
    ],
)
def test_other_options_are_refused(options: Mapping[str, str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        sparsity(**options)


def test_nesting_follows_the_option() -> None:
    assert [sparsity(nesting=each.value).nests for each in Nesting] == [*Nesting]
    assert sparsity().nests is Nesting.RISING


# Levels


def test_layers_are_offered_the_densities_that_save_something() -> None:
    network = wide()
    assert sparsity().offered(network, "dense0").levels.tolist() == [10, 25, 50, 100]
    small = describe(chain_model((8, 8), features=7))
    offered = sparsity(sparsity="20,90").offered(small, "dense0")  # 7 x 8 bits a channel become 5.6 or 44.8, 7 and 32
    assert offered.levels.tolist() == [10, 100]
    assert offered.reason == "zeros at 20 % would save less than a mask and the start of each output channel take"
    none = sparsity(sparsity="20").offered(small, "dense0")
    assert (none.levels.tolist(), none.reason) == ([], offered.reason)


def test_layers_without_a_suitable_kernel_are_offered_nothing() -> None:
    network = wide(3)
    assert sparsity().offered(network, "relu0").reason == "it has no kernel"
    assert (
        sparsity(pattern="n:4").offered(network, "dense0").reason == "it has no kernel with 4 or more inputs in a row"
    )
    assert sparsity(pattern="n:4").offered(network, "dense1").levels.tolist() == [25, 50, 100]


def test_depthwise_convolutions_are_offered_nothing() -> None:
    network, _ = two_layers()
    each, both = MacsTerm(9, (Fixed(12),)), MacsTerm(1, (Fixed(16), Fixed(12)))
    layers = tuple(replace(layer, macs=(term,)) for layer, term in zip(network.layers, (each, both), strict=False))
    reason = "each of its output channels reads a single channel, so it has few weights"
    assert sparsity().offered(replace(network, layers=layers), "a").reason == reason
    assert sparsity().offered(replace(network, layers=layers), "b").levels.tolist() == [10, 25, 50, 100]


def test_layers_that_share_a_kernel_are_offered_nothing() -> None:
    network = wide()
    kernel = next(i for i, w in enumerate(network.weights) if w.name == "dense0/kernel")
    tied = replace(network, layers=(*network.layers, Layer("tied", "Dense", (0,), (0,), (kernel,), (), (8,))))
    assert sparsity().offered(tied, "dense0").reason == "it shares its kernel with layer 'tied'"


# Descriptions


@given(st.integers(1, 64), st.integers(1, 32), st.sampled_from([10, 25, 50]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_sparse_kernel_costs_its_weights_a_mask_and_a_start_for_each_output_channel(
    features: int, width: int, density: int, is_block: bool
) -> None:
    transform = sparsity(pattern="block") if is_block else sparsity()
    network = describe(chain_model((32, 48), features=64, classes=10))
    settings = LevelSettings({"dense1": {"density_percent": density}})
    widths = {"dense0": min(features, 32), "dense1": width}
    found = [usage(each, widths, COSTS) for each in (network, described(network, [transform], settings))]
    elements = widths["dense0"] * width
    values = np.random.default_rng(elements).normal(size=(widths["dense0"], width))
    kernel = next(w for w in network.weights if w.name == "dense1/kernel")
    stored = np.count_nonzero(transform.projected(values, kernel, density)) + math.ceil(elements / 8) + 4 * width
    for resource in ("params", "weight_bytes"):
        assert found[1][resource] == found[0][resource] - elements + stored
    assert found[1]["bops"] == found[0]["bops"]
    assert found[1]["macs"] == found[0]["macs"]


@given(st.lists(st.integers(6, 24), min_size=2, max_size=4), st.data())
@settings(max_examples=40, deadline=None)
def test_problems_count_what_described_networks_use(sizes: list[int], data: st.DataObject) -> None:
    network = describe(chain_model(tuple(sizes[1:]), features=sizes[0]))
    space = decision_space(network, [sparsity(sparsity="99,90,60")])
    assert space.offers
    statement = Statement(network, COSTS, space=space)
    channels = {g.name: np.ones(g.channels) for g in network.groups}
    values = {(o.site, o.what): np.linspace(-1, 0, len(o.levels)) for o in space.offers}
    budget = parse_budgets(["params=0.9", "weight_bytes=0.9"])[0]
    problem = statement.formulate(ScoreTable(channels, level_values=values), budget).problem
    for _ in range(4):
        choice = [data.draw(st.integers(0, group.options - 1)) for group in problem.groups]
        widths, chosen = problem.widths(choice), problem.settings(choice)
        counted = usage(described(network, space.transforms, chosen), widths, COSTS)
        assert problem.evaluate(choice).usage == {name: counted[name] for name in ("params", "weight_bytes")}


# Weights

KERNEL = Weight("dense/kernel", "dense", WeightKind.KERNEL, (Fixed(16), Fixed(12)), 1, True)
BIAS = Weight("dense/bias", "dense", WeightKind.BIAS, (Fixed(12),), 0, True)


def normal(seed: int = 0) -> np.typing.NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(16, 12))


def test_the_smallest_weights_become_zero_and_others_stay_as_they_are() -> None:
    values = normal()
    found = sparsity().projected(values, KERNEL, 25)
    assert np.count_nonzero(found) == 48
    assert np.array_equal(found[found != 0], values[found != 0])
    assert np.abs(values[found == 0]).max() < np.abs(found[found != 0]).min()
    assert np.array_equal(sparsity().projected(values, KERNEL, 100), values)
    assert np.array_equal(sparsity().projected(values[0], BIAS, 25), values[0])


def test_masks_chosen_at_the_start_of_a_training_stay() -> None:
    project = sparsity(schedule="one-shot").begun(Start(normal()), KERNEL, 25)
    mask = project(normal(), 0.0) != 0
    for progress in (0.0, 0.5, 1.0):
        found = project(normal(1), progress)
        assert np.array_equal(found, np.where(mask, normal(1), 0))
    assert not np.array_equal(sparsity().projected(normal(1), KERNEL, 25), found)


def test_masks_of_a_gradual_schedule_follow_the_weights_and_grow_sparser() -> None:
    transform = sparsity(schedule="gradual", ramp="0.5")
    project = transform.begun(Start(normal()), KERNEL, 25)
    counts = [np.count_nonzero(project(normal(1), share)) for share in (0.0, 0.1, 0.3, 0.5, 1.0)]
    assert counts[0] == 192
    assert sorted({*counts}, reverse=True) == counts[:4]
    assert counts[3:] == [48, 48]
    assert np.array_equal(project(normal(1), 1.0), transform.projected(normal(1), KERNEL, 25))
    assert transform.follows_progress
    assert not sparsity().follows_progress
    assert not sparsity(schedule="one-shot").follows_progress


def test_masks_of_a_dynamic_schedule_follow_the_weights() -> None:
    project = sparsity().begun(Start(normal()), KERNEL, 25)
    assert np.array_equal(project(normal(1), 0.0), sparsity().projected(normal(1), KERNEL, 25))


@pytest.mark.parametrize("schedule", ["one-shot", "gradual", "dynamic"])
def test_masks_contain_those_of_smaller_networks_unless_nesting_is_free(schedule: str) -> None:
    values = normal()
    values[:8, :6] /= 100
    inner = values[:8, :6].copy()
    smaller = Smaller(25, (np.arange(8), np.arange(6)))
    for nesting in ("rising", "free"):
        transform = sparsity(schedule=schedule, nesting=nesting)
        large = transform.begun(Start(values, None, (smaller,)), KERNEL, 50)
        small = transform.begun(Start(inner), KERNEL, 25)
        for progress in (0.3, 1.0):
            contains = np.all((large(values, progress) != 0)[:8, :6] >= (small(inner, progress) != 0))
            assert contains == (nesting == "rising")


# One threshold


def two_layers() -> tuple[Network, list[np.typing.NDArray[np.float32]]]:
    kernels = [replace(KERNEL, name=f"{n}/kernel", layer=n) for n in ("a", "b")]
    layers = tuple(Layer(n, "Dense", (i,), (i + 1,), (i,), (), (12,)) for i, n in enumerate("ab"))
    tensors = tuple(Tensor(1, Fixed(n), i) for i, n in enumerate((16, 12, 12, 12)))
    ends = Layer("end", "ReLU", (2,), (3,), (), (), (12,))
    network = Network("n", (), (*layers, ends), tensors, (*kernels, replace(BIAS, layer="b")), (0,), (2,))
    return network, [normal(0).astype(np.float32), 3 * normal(1).astype(np.float32), np.ones(12, np.float32)]


def test_one_threshold_for_all_kernels_leaves_layers_of_large_weights_denser() -> None:
    network, weights = two_layers()
    transform = sparsity(scope="global", sparsity="75")
    assert transform.network_level == 25
    prepared = transform.prepared(network, weights)
    every = np.sort(np.abs(np.concatenate([w.reshape(-1) for w in weights[:2]])))
    threshold = every[-96]
    kept = []
    for weight, values in zip(network.weights, weights[:2], strict=False):
        share = int((np.abs(values) >= threshold).sum())
        density = math.ceil(100 * share / 192)
        assert prepared.level_of(weight.layer) == density
        found = prepared.projected(values.astype(np.float64), weight, density)
        assert np.count_nonzero(found) == math.ceil(192 * density / 100)
        assert np.count_nonzero(found) - share < 3
        kept.append(density)
    assert kept[0] < 25 < kept[1]
    assert prepared.level_of("end") == 100
    offered = prepared.offered(network, "a")
    assert offered.levels.tolist() == [kept[0]]
    assert offered.reason == f"one threshold for all kernels leaves {kept[0]} % of its weights"
    counted = described(network, [prepared], LevelSettings())
    assert [w.density_percent for w in counted.weights[:2]] == kept
    assert described(counted, [prepared], LevelSettings()) == counted
    found = projections(network, [prepared], LevelSettings())
    for index, density in enumerate(kept):
        sparse = found[index].begun(weights[index].astype(np.float64)).function(weights[index].astype(np.float64))
        assert np.count_nonzero(sparse) == math.ceil(192 * density / 100)
    restored = transform.prepared(network, [2 * w + 1 for w in weights]).restored({"a": 9, "b": 41, "end": 100})
    assert [restored.level_of(site) for site in ("a", "b", "end")] == [9, 41, 100]
    assert transform.prepared(network, weights) is not transform
    assert sparsity().prepared(network, weights).network_level is None
    assert sparsity().level_of("a") is None


def test_before_it_knows_weights_every_layer_has_the_sparsity_of_the_network() -> None:
    network, _ = two_layers()
    counted = described(network, [sparsity(scope="global", sparsity="75")], LevelSettings())
    assert [w.density_percent for w in counted.weights[:2]] == [25, 25]


def test_the_number_of_weights_above_the_threshold_is_the_percentage_of_all() -> None:
    _, weights = two_layers()
    for density in (1, 10, 50, 99):
        by_layer = global_densities({"a": weights[0], "b": weights[1]}, density)
        stored = sum(math.ceil(192 * by_layer[site] / 100) for site in "ab")
        assert 0 <= stored - math.ceil(384 * density / 100) < 2 * 3
    assert global_densities({}, 50) == {}


def test_a_knapsack_over_the_levels_of_layers_finds_the_densities_of_one_threshold() -> None:
    """If values are sums of magnitudes and costs are numbers of weights, up to the distance of the levels."""
    rng = np.random.default_rng(0)
    kernels = {site: scale * rng.normal(size=200) for site, scale in (("a", 1.0), ("b", 0.5), ("c", 1.5))}
    levels = range(5, 101, 5)
    values = {site: np.cumsum(np.sort(np.abs(kernel))[::-1]) for site, kernel in kernels.items()}
    for density in (20, 50, 80):
        limit = 600 * density // 100
        within = (each for each in itertools.product(levels, repeat=3) if sum(2 * level for level in each) <= limit)
        best = max(within, key=lambda each: sum(values[site][2 * n - 1] for site, n in zip("abc", each, strict=True)))
        found = global_densities(kernels, density)
        assert all(abs(level - found[site]) <= 5 for site, level in zip("abc", best, strict=True))
