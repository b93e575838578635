"""Networks with layers at chosen levels: parts are put back where they were, and what is added is wired up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from level_transforms import Factored, MockBits, MockSparsity
from toy_framework import chain_model, describe, residual_model

from reds_core.cost import resources
from reds_core.errors import InputError
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import WeightKind
from reds_core.transforms.describing import described, described_sites, layer_parts
from reds_core.transforms.transform import LayerPart

NETWORK = describe(residual_model())
TWICE = replace(
    NETWORK,
    layers=(*NETWORK.layers, replace(NETWORK.layers[3], outputs=(len(NETWORK.tensors),))),
    tensors=(*NETWORK.tensors, replace(NETWORK.tensors[4], storage=100)),
)
"""The same with another call of the layer `inside`."""
COSTS = resources.CostModel(additional=("weight_bytes", "bops"))


class WithoutBias(Factored):
    """Drops the bias of a dense layer."""

    name = "without-bias"

    def described(self, part: LayerPart, level: int) -> LayerPart:
        (layer,) = part.layers
        return LayerPart((replace(layer, weights=(0,)),), part.tensors, part.weights[:1])


def at(what: str, **levels: int) -> LevelSettings:
    return LevelSettings({site: {what: level} for site, level in levels.items()})


def test_parts_have_all_calls_of_a_layer_with_indices_of_their_own() -> None:
    parts = layer_parts(NETWORK)
    assert list(parts) == [layer.name for layer in NETWORK.layers]
    part = parts["inside"]
    assert [w.name for w in part.weights] == ["inside/kernel", "inside/bias"]
    assert part.layers[0].inputs == (0,)
    assert part.layers[0].outputs == (1,)
    assert part.layers[0].weights == (0, 1)

    assert len(layer_parts(TWICE)["inside"].layers) == 2
    assert len(layer_parts(TWICE)["inside"].weights) == 2


def test_without_levels_the_network_is_as_it_was() -> None:
    assert described(NETWORK, [MockBits()], LevelSettings()) == NETWORK
    assert described(NETWORK, [MockBits()], at("weight_bits", stem=8, inside=8)) == NETWORK


def test_a_changed_weight_stays_where_it_was() -> None:
    found = described(NETWORK, [MockBits()], at("weight_bits", inside=4))
    assert [w.bits for w in found.weights if w.name == "inside/kernel"] == [4]
    assert sum(w.bits is not None for w in found.weights) == 1
    assert replace(found, weights=NETWORK.weights) == NETWORK


def test_a_level_of_a_layer_that_is_called_twice_counts_once() -> None:
    found = described(TWICE, [MockBits()], at("weight_bits", inside=4))
    assert sum(w.bits is not None for w in found.weights) == 1
    assert found.layers == TWICE.layers


def test_added_layers_run_before_the_call_that_needs_them_and_their_tensors_have_memory_of_their_own() -> None:
    found = described_sites(NETWORK, [Factored()], at("rank", inside=2, out=1))
    network = found.network
    names = [layer.name for layer in network.layers]
    assert names[names.index("inside") - 1] == "inside/first"
    assert names[names.index("out") - 1] == "out/first"
    assert len(found.sites) == len(names)
    assert found.sites[names.index("inside/first")] == "inside"
    assert network.tensors[: len(NETWORK.tensors)] == NETWORK.tensors
    added = network.tensors[len(NETWORK.tensors) :]
    assert len({t.storage for t in added} - {t.storage for t in NETWORK.tensors}) == len(added) == 2
    made = {t for layer in network.layers for t in layer.outputs} | set(network.inputs)
    assert all(t in made for layer in network.layers for t in layer.inputs)


def test_an_added_weight_is_counted() -> None:
    widths = {"stem": 3, "inside": 2}
    before, after = (
        resources.usage(network, widths, COSTS)
        for network in (NETWORK, described(NETWORK, [Factored()], at("rank", inside=1)))
    )
    assert after["params"] - before["params"] == (3 * 1 + 1 * 2) - 3 * 2
    assert after["macs"] - before["macs"] == 3 * ((3 * 1 + 1 * 2) - 3 * 2)  # at three positions


def test_a_weight_that_is_gone_is_not_counted_and_others_are_found_again() -> None:
    found = described(NETWORK, [WithoutBias()], at("rank", inside=1))
    assert [w.name for w in found.weights] == [w.name for w in NETWORK.weights if w.name != "inside/bias"]
    for layer, same in zip(found.layers, NETWORK.layers, strict=True):
        own = [found.weights[w].name for w in layer.weights]
        assert own == [n for w in same.weights if (n := NETWORK.weights[w].name) != "inside/bias"]


def test_transforms_are_applied_by_stage_whatever_their_order() -> None:
    levels = LevelSettings({"inside": {"weight_bits": 4, "percent_kept": 50}})
    for transforms in ([MockBits(), MockSparsity()], [MockSparsity(), MockBits()]):
        (kernel,) = (w for w in described(NETWORK, transforms, levels).weights if w.name == "inside/kernel")
        assert kernel.bits == 4  # bits are decided after sparsity, which alone would leave 4 of 8 bits as well
    levels = LevelSettings({"inside": {"weight_bits": 2, "percent_kept": 50}})
    for transforms in ([MockBits((2,)), MockSparsity()], [MockSparsity(), MockBits((2,))]):
        (kernel,) = (w for w in described(NETWORK, transforms, levels).weights if w.name == "inside/kernel")
        assert kernel.bits == 2


def test_neighbours_keep_what_each_of_them_changed() -> None:
    class Wide(MockBits):
        name = "wide"

        def described(self, part: LayerPart, level: int) -> LayerPart:
            (output,) = part.layers[0].outputs
            tensors = list(part.tensors)
            tensors[output] = replace(tensors[output], bits=16)
            return replace(part, tensors=tuple(tensors))

    chain = describe(chain_model((3, 4)))
    found = described(chain, [Wide()], at("weight_bits", dense0=4, relu0=4, dense1=4))
    assert [t.bits for t in found.tensors] == [None, 16, 16, 16, None, None, None]


def test_an_unknown_layer_is_an_error() -> None:
    with pytest.raises(InputError, match="network 'residual' has no layer 'nowhere'"):
        described(NETWORK, [MockBits()], at("weight_bits", nowhere=4))


def test_kernels_alone_have_other_bits() -> None:
    found = described(NETWORK, [MockBits()], at("weight_bits", stem=4))
    assert all(w.kind is WeightKind.KERNEL for w in found.weights if w.bits is not None)
