"""Costs of weights and tensors that have bits of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from level_transforms import MockSparsity
from toy_framework import ToyModel, chain_model, describe, residual_model
from toy_networks import random_models

from reds_core.cost import resources
from reds_core.cost.counting import SumForm
from reds_core.cost.resources import RESOURCES, CostModel
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Network
from reds_core.transforms.describing import described

EVERYTHING = CostModel(additional=("weight_bytes", "bops"))


def with_bits(network: Network, weights: Mapping[str, int] | None = None, tensors: int | None = None) -> Network:
    """The network with other bits of some weights, by name, and of all tensors."""
    chosen = weights or {}
    return replace(
        network,
        weights=tuple(replace(w, bits=chosen.get(w.name)) for w in network.weights),
        tensors=tuple(replace(t, bits=tensors) for t in network.tensors),
    )


@given(random_models(), st.data())
@settings(max_examples=60, deadline=None)
def test_each_weight_is_rounded_up_to_whole_bytes(model: ToyModel, data: st.DataObject) -> None:
    network = describe(model)
    bits = {w.name: data.draw(st.integers(1, 16)) for w in network.weights}
    widths = {g.name: data.draw(st.integers(1, g.channels)) for g in network.groups}
    expected = sum(
        math.ceil(math.prod(axis.length().at(widths) for axis in w.axes) * bits[w.name] / 8) for w in network.weights
    )
    assert resources.usage(with_bits(network, bits), widths)["params"] == expected


@pytest.mark.parametrize("resource", [r.name for r in RESOURCES.values() if not r.is_measured])
def test_eight_bits_count_like_one_byte(resource: str) -> None:
    network = describe(residual_model())
    same = with_bits(network, dict.fromkeys((w.name for w in network.weights), 8), 8)
    assert EVERYTHING.form(same, resource) == EVERYTHING.form(network, resource)


def test_kernels_of_whole_bytes_stay_polynomials() -> None:
    network = describe(chain_model((8, 8), features=4))
    form = EVERYTHING.form(with_bits(network, {"dense0/kernel": 2, "dense1/kernel": 4}), "params")
    assert isinstance(form, SumForm)
    assert len(form.packed) == 1  # 4 features x 2 bits are a byte, whatever the width
    assert form.packed[0].amount.products == {("dense0", "dense1"): 4}
    assert form.packed[0].per_byte == 8


@given(random_models(), st.data())
@settings(max_examples=60, deadline=None)
def test_of_a_weight_with_a_density_that_share_of_the_bits_is_rounded_up(model: ToyModel, data: st.DataObject) -> None:
    network = describe(model)
    sizes = {w.name: (data.draw(st.integers(1, 16)), data.draw(st.integers(1, 100))) for w in network.weights}
    stored = replace(
        network,
        weights=tuple(replace(w, bits=sizes[w.name][0], density_percent=sizes[w.name][1]) for w in network.weights),
    )
    widths = {g.name: data.draw(st.integers(1, g.channels)) for g in network.groups}
    expected = 0
    for weight in network.weights:
        elements = math.prod(axis.length().at(widths) for axis in weight.axes)
        expected += math.ceil(Fraction(elements * sizes[weight.name][0] * sizes[weight.name][1], 800))
    assert resources.usage(stored, widths)["params"] == expected


def test_a_device_keeps_the_stored_share_of_a_kernel_and_what_says_where_its_elements_are() -> None:
    network = describe(chain_model((6, 7), features=5, classes=3))
    sparse = described(network, [MockSparsity((30,))], LevelSettings({"dense1": {"percent_kept": 30}}))
    dense, found = (resources.usage(each, network.channels, EVERYTHING) for each in (network, sparse))
    saved = 6 * 7 - math.ceil(6 * 7 * 0.3) - math.ceil(6 * 7 / 8) - 4 * 7
    assert found["weight_bytes"] == dense["weight_bytes"] - saved  # biases and scales are those of before
    assert found["params"] == dense["params"] - saved
    assert found["bops"] == dense["bops"]  # only some devices skip zeros
    assert found["macs"] == dense["macs"]


def test_a_density_of_4_bits_is_rounded_up_once() -> None:
    network = describe(chain_model((6, 7), features=5, classes=3))
    kernel = next(w for w in network.weights if w.name == "dense1/kernel")
    lower = replace(kernel, bits=4, density_percent=30)
    whole, less = (
        replace(network, weights=tuple(each if w is kernel else w for w in network.weights)) for each in (kernel, lower)
    )
    usages = [resources.usage(each, network.channels)["params"] for each in (whole, less)]
    assert usages[0] - usages[1] == 42 - math.ceil(42 * 4 * 30 / 800)


def test_peak_ram_counts_the_bits_of_tensors() -> None:
    network = describe(residual_model())
    counted = [resources.usage(with_bits(network, None, bits), network.channels)["peak_ram"] for bits in (8, 16)]
    assert counted[1] == 2 * counted[0]
    # 3 positions of 4 bits are 2 bytes for each channel
    half = resources.usage(with_bits(network, None, 4), network.channels)["peak_ram"]
    assert half == counted[0] * 2 // 3


def test_bit_operations_are_macs_times_the_bits_of_weights_and_inputs() -> None:
    network = describe(chain_model((2, 3), features=5))
    lower = with_bits(network, {"dense0/kernel": 4, "dense1/kernel": 2}, 16)
    macs = {layer.name: sum(t.coefficient for t in layer.macs) for layer in network.layers if layer.macs}
    assert macs == {"dense0": 1, "dense1": 1, "head": 1}
    assert resources.usage(lower, network.channels, EVERYTHING)["bops"] == 16 * (5 * 2 * 4 + 2 * 3 * 2 + 3 * 3 * 8)
    wide = CostModel(4, additional=("bops",))
    assert resources.usage(network, network.channels, wide)["bops"] == 32 * 32 * (5 * 2 + 2 * 3 + 3 * 3)


def test_a_product_of_activations_counts_their_bits_twice() -> None:
    network = describe(chain_model((2,)))
    bare = replace(network, layers=tuple(replace(layer, weights=()) for layer in network.layers))
    macs = resources.usage(network, network.channels)["macs"]
    assert resources.usage(with_bits(bare, None, 16), network.channels, EVERYTHING)["bops"] == 256 * macs


def test_a_device_keeps_packed_kernels_biases_of_four_bytes_and_a_scale_a_channel() -> None:
    network = describe(residual_model(width=6, inner=5, features=4, classes=3))
    widths = {"stem": 5, "inside": 3}
    kernels = {"stem/kernel": 4 * 5, "inside/kernel": 5 * 3, "out/kernel": 3 * 5, "head/kernel": 5 * 3}
    outputs = 5 + 3 + 5 + 3
    for bits in (2, 4, 8):
        lower = with_bits(network, dict.fromkeys(kernels, bits))
        packed = sum(math.ceil(n * bits / 8) for n in kernels.values())
        found = resources.usage(lower, widths, EVERYTHING)["weight_bytes"]
        assert found == packed + 4 * outputs + 4 * outputs  # the batch norm is part of `stem`
    floats = resources.usage(network, widths, CostModel(4, additional=("weight_bytes",)))["weight_bytes"]
    assert floats == 4 * sum(kernels.values()) + 4 * outputs


def test_resources_that_nothing_asks_for_are_not_counted() -> None:
    network = describe(chain_model((3,)))
    assert list(resources.usage(network, network.channels)) == ["macs", "params", "peak_ram"]
    asked = resources.usage(network, network.channels, CostModel(additional=("bops",)))
    assert list(asked) == ["macs", "params", "peak_ram", "bops"]
