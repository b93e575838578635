"""Costs against recounts that share nothing with them: real arrays of real small models, and a simulated allocator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_framework import (
    IN_PLACE,
    INPUT,
    ToyFramework,
    ToyModel,
    chain_model,
    describe,
    forward,
    residual_model,
)
from toy_networks import random_models

from reds_core.cost import activation_memory, counting, resources
from reds_core.cost.counting import PeakForm, SumForm
from reds_core.errors import InputError
from reds_core.framework.family import member_kept
from reds_core.network.axis import Axis, Channels, Concat, Fixed, Repeat, Tile
from reds_core.network.description import Buffer, ChannelGroup, Layer, Network, Tensor

TOY = ToyFramework()


def counted_macs(model: ToyModel) -> int:
    """Multiplications of the matrix products that one example really needs."""
    values = forward(model, np.zeros((1, *model.input_shape), np.float32))
    total = 0
    for layer in model.layers:
        if layer.kind == "dense":
            rows, columns = model.weights[f"{layer.name}/kernel"].shape
            total += values[layer.inputs[0]].shape[1] * rows * columns
    return total


def simulated_peak(model: ToyModel, size: int, multiple: int = 1) -> int:
    """The most bytes alive at once when buffers are allocated when written and freed after their last reader.

    An element has `size` bytes, and a buffer is rounded up to the multiple.
    """
    values = forward(model, np.zeros((1, *model.input_shape), np.float32))
    buffer_of = {INPUT: INPUT}
    for layer in model.layers:
        buffer_of[layer.name] = buffer_of[layer.inputs[0]] if layer.kind in IN_PLACE else layer.name
    readers = dict.fromkeys(buffer_of.values(), 0)
    for layer in model.layers:
        for source in layer.inputs:
            readers[buffer_of[source]] += 1
    readers[buffer_of[model.layers[-1].name]] += 1
    alive, peak = {INPUT}, 0
    for layer in model.layers:
        alive.add(buffer_of[layer.name])
        peak = max(peak, sum(-(-size * values[b].size // multiple) * multiple for b in alive))
        for source in layer.inputs:
            readers[buffer_of[source]] -= 1
        alive = {b for b in alive if readers[b] > 0}
    return peak


@given(random_models(), st.data(), st.sampled_from([1, 4]))
@settings(max_examples=200, deadline=None)
def test_costs_at_any_widths_are_those_of_the_extracted_model(model: ToyModel, data: st.DataObject, size: int) -> None:
    network = describe(model)
    widths = {g.name: data.draw(st.integers(1, g.channels)) for g in network.groups}
    small = TOY.extract(model, network, member_kept(widths))
    assert resources.usage(network, widths, resources.CostModel(size, additional=("arena",))) == {
        "macs": counted_macs(small),
        "params": size * sum(w.size for w in small.weights.values()),
        "peak_ram": simulated_peak(small, size),
        "arena": simulated_peak(small, size, 16),
    }


def axes() -> st.SearchStrategy[Axis]:
    leaves = st.one_of(st.builds(Fixed, st.integers(0, 3)), st.sampled_from([Channels("a"), Channels("b")]))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Tile, inner, st.integers(1, 3)),
            st.builds(Repeat, inner, st.integers(1, 3)),
            st.builds(Concat, st.tuples(inner, inner)),
        ),
        max_leaves=4,
    )


@given(
    st.lists(st.tuples(st.integers(0, 5), st.lists(axes(), min_size=1, max_size=2)), max_size=4),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
)
@settings(max_examples=200, deadline=None)
def test_product_sum_is_the_sum_of_products_of_lengths(
    products: list[tuple[int, list[Axis]]], widths: tuple[int, int]
) -> None:
    network = network_of(())
    at = dict(zip("ab", widths, strict=True))
    kept = {g: np.arange(w) for g, w in at.items()}

    def length(axis: Axis) -> int:
        return len(axis.positions(kept, network.channels))

    expected = sum(c * int(np.prod([length(f) for f in factors])) for c, factors in products)
    form = counting.product_sum(network, products)
    assert form.at(at) == expected
    assert all(form.products.values()), "a product that costs nothing would join two groups for nothing"


def network_of(layers: tuple[Layer, ...], tensors: tuple[Tensor, ...] = (), outputs: tuple[int, ...] = ()) -> Network:
    groups = (ChannelGroup("a", 5, ("a",)), ChannelGroup("b", 5, ("b",)))
    return Network("by hand", groups, layers, tensors, (), (0,) if tensors else (), outputs)


def call(name: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Layer:
    return Layer(name, "Any", inputs, outputs, (), (), (1,))


def test_a_residual_branch_keeps_the_first_tensor_alive() -> None:
    a, b = Channels("a"), Channels("b")
    tensors = (Tensor(10, Fixed(1), 0), Tensor(10, a, 1), Tensor(10, b, 2), Tensor(10, a, 3), Tensor(10, a, 4))
    layers = (call("a", (0,), (1,)), call("b", (1,), (2,)), call("c", (2,), (3,)), call("add", (1, 3), (4,)))
    form = activation_memory.peak_ram(network_of(layers, tensors, (4,)))
    assert form.at({"a": 2, "b": 3}) == 10 * (2 + 3 + 2)
    assert form.at({"a": 2, "b": 1}) == 10 * (2 + 2 + 2)


def test_an_in_place_layer_needs_no_memory_of_its_own() -> None:
    a = Channels("a")
    tensors = (Tensor(10, Fixed(1), 0), Tensor(10, a, 1), Tensor(10, a, 1), Tensor(1, a, 2))
    layers = (call("a", (0,), (1,)), call("relu", (1,), (2,)), call("pool", (2,), (3,)))
    assert activation_memory.peak_ram(network_of(layers, tensors, (3,))).at({"a": 4}) == 10 * 4 + 10


def test_an_early_output_of_the_network_stays_alive() -> None:
    a = Channels("a")
    tensors = (Tensor(1, Fixed(1), 0), Tensor(10, a, 1), Tensor(10, a, 2), Tensor(10, a, 3))
    layers = (call("a", (0,), (1,)), call("b", (1,), (2,)), call("c", (2,), (3,)))
    assert activation_memory.peak_ram(network_of(layers, tensors, (3,))).at({"a": 3}) == 60
    assert activation_memory.peak_ram(network_of(layers, tensors, (1, 3))).at({"a": 3}) == 90


def test_what_a_layer_holds_inside_is_live_in_place_of_its_outputs() -> None:
    """The scores of attention: beside the input and what lives on, before the output is made."""
    a, b = Channels("a"), Channels("b")
    tensors = (Tensor(10, Fixed(1), 0), Tensor(10, a, 1), Tensor(10, a, 2), Tensor(10, a, 3))
    inside = ((Buffer(4, b), Buffer(7, Fixed(2))), (Buffer(30, b),))
    attention = Layer("attention", "Any", (1,), (2,), (), (), (1,), inside)
    form = activation_memory.peak_ram(
        network_of((call("a", (0,), (1,)), attention, call("add", (1, 2), (3,))), tensors, (3,)), 4
    )
    assert form.at({"a": 1, "b": 1}) == 4 * (10 + 30)
    assert form.at({"a": 3, "b": 1}) == 4 * (3 * 30)
    assert form.at({"a": 1, "b": 5}) == 4 * (10 + 150)


def test_the_input_lives_until_its_last_reader() -> None:
    a = Channels("a")
    tensors = (Tensor(100, Fixed(1), 0), Tensor(10, a, 1), Tensor(10, a, 2), Tensor(1, a, 3))
    layers = (call("a", (0,), (1,)), call("b", (1,), (2,)), call("c", (2, 0), (3,)))
    assert activation_memory.peak_ram(network_of(layers, tensors, (3,))).at({"a": 1}) == 100 + 10 + 10


def test_steps_that_can_never_be_the_largest_are_dropped_and_equal_ones_kept_once() -> None:
    a, nothing = Channels("a"), Tensor(0, Channels("b"), 9)
    tensors = (Tensor(5, Fixed(1), 0), Tensor(5, a, 1), Tensor(5, a, 2), Tensor(5, a, 3), nothing)
    layers = (
        call("a", (0,), (1,)),  # 5 + 5a
        call("c", (1,), (2,)),  # 10a
        call("d", (2,), (3, 4)),  # 10a again, and of b nothing
        call("e", (3,), ()),  # 5a
    )
    form = activation_memory.peak_ram(network_of(layers, tensors, (3,)))
    assert [form.at({"a": w, "b": w}) for w in (1, 2)] == [10, 20]
    assert len(form.steps) == 2


def test_each_tensor_of_an_arena_is_rounded_up() -> None:
    a, b = Channels("a"), Channels("b")
    tensors = (Tensor(5, Fixed(3), 0), Tensor(5, a, 1), Tensor(4, Concat((a, b)), 2))
    layers = (call("a", (0,), (1,)), call("b", (1,), (2,)))
    form = activation_memory.arena(network_of(layers, tensors, (2,)))
    assert form.at({"a": 3, "b": 1}) == 16 + 16  # 15 and 15
    assert form.at({"a": 4, "b": 3}) == 32 + 32  # 20 and 28
    assert form.at({"a": 5, "b": 5}) == 32 + 48


def test_steps_of_an_arena_that_can_never_be_the_largest_are_dropped() -> None:
    a, b = Channels("a"), Channels("b")
    tensors = (Tensor(5, Fixed(1), 0), Tensor(6, a, 1), Tensor(5, b, 2), Tensor(5, b, 3), Tensor(5, a, 4))
    layers = (
        call("a", (0,), (1,)),  # the input and 6a
        call("b", (1,), (2,)),  # 6a and 5b
        call("c", (2,), (3,)),  # 5b and 5b
        call("d", (3,), (4,)),  # 5b and 5a, which is never more than 6a and 5b
    )
    form = activation_memory.arena(network_of(layers, tensors, (4,)))
    assert len(form.steps) == 3
    assert form.at({"a": 3, "b": 3}) == 32 + 16


def test_macs_do_not_depend_on_the_element_size() -> None:
    network = describe(residual_model())
    assert counting.macs(network, 1) == counting.macs(network, 4)


def test_forms_of_a_chain_by_hand() -> None:
    network = describe(chain_model((3, 2), features=4, classes=3))
    form = counting.macs(network)
    assert form == SumForm(0, {"dense0": 4, "dense1": 3}, {("dense0", "dense1"): 1})
    assert isinstance(activation_memory.peak_ram(network), PeakForm)


def test_unknown_resources_are_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="unknown resource 'mcas'; did you mean 'macs'"):
        resources.resource_forms(describe(residual_model()), ["macs", "mcas"])


@pytest.mark.parametrize("size", [0, 2, -1])
def test_element_sizes_other_than_1_and_4_are_refused(size: int) -> None:
    with pytest.raises(InputError, match=f"element size {size} is neither 1 nor 4"):
        resources.usage(describe(residual_model()), {"stem": 1, "inside": 1}, resources.CostModel(size))
