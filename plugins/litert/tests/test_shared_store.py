"""Int8 files of members whose kernels are slices of the integers of the full network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from reds_litert import shared_store
from reds_litert.device_files import interpreter_of, run_one_by_one
from reds_litert.graph import FileGraph, read_graph
from reds_litert.kernel_operators import WITH_KERNELS
from reds_litert.schema import BIAS, WEIGHTS, give_content, pack4, packed, unpacked
from reds_litert.shared_store import Conversions, Reason, SharedFile, shared_file
from reds_litert.slices import kernel_slices


def kernel(graph: FileGraph, at: int) -> Any:
    return graph.tensors[graph.operators[at].inputs[WEIGHTS]].data


@pytest.fixture(scope="module")
def shared(small_family: Any) -> SharedFile:
    return shared_file(small_family.of_member, small_family.of_full)


def test_all_kernels_are_slices_of_the_full_integers(small_family: Any, shared: SharedFile) -> None:
    full, member = read_graph(small_family.of_full.int8), read_graph(shared.content)
    assert not shared.own
    slices = kernel_slices(full, member)
    places = [at for at, operator in enumerate(member.operators) if operator.kind in WITH_KERNELS]
    assert list(slices) == places
    assert shared.kernels == len(places)
    for at, part in slices.items():
        cut = part.cut(member.operators[at].kind, kernel(full, part.operator))
        np.testing.assert_array_equal(cut, kernel(member, at))
    separate = read_graph(small_family.of_member.int8)
    assert any((kernel(separate, at) != kernel(member, at)).any() for at in places)  # otherwise nothing is tested


def test_operators_that_read_one_kernel_still_do(tied_family: Any) -> None:
    found = shared_file(tied_family.of_member, tied_family.of_full)
    assert not found.own
    full, member = read_graph(tied_family.of_full.int8), read_graph(found.content)
    slices = kernel_slices(full, member)
    first, second = [at for at, operator in enumerate(member.operators) if operator.kind == "CONV_2D"][-2:]
    assert member.operators[first].inputs[WEIGHTS] == member.operators[second].inputs[WEIGHTS]
    for at in (first, second):
        cut = slices[at].cut(member.operators[at].kind, kernel(full, slices[at].operator))
        np.testing.assert_array_equal(cut, kernel(member, at))


def test_activations_and_operators_stay_as_they_are(small_family: Any, shared: SharedFile) -> None:
    separate, member = read_graph(small_family.of_member.int8), read_graph(shared.content)
    assert [(o.kind, o.outputs) for o in member.operators] == [(o.kind, o.outputs) for o in separate.operators]
    for index in separate.computed:
        before, after = separate.tensors[index], member.tensors[index]
        assert (before.name, before.shape) == (after.name, after.shape)
        np.testing.assert_array_equal(before.scales, after.scales)
        np.testing.assert_array_equal(before.zero_points, after.zero_points)


def test_it_computes_what_the_float_file_does_about_as_well(small_family: Any, shared: SharedFile) -> None:
    x = (small_family.examples.x[:48],)
    files = small_family.of_member.float32, small_family.of_member.int8, shared.content
    exact, separate, found = (run_one_by_one(interpreter_of(content), x)[0] for content in files)

    def error(outputs: Any) -> float:
        return float(np.sqrt(np.mean((outputs - exact) ** 2)))

    assert error(found) < 1.5 * error(separate)
    assert error(found) < 0.1 * exact.std()


def test_the_full_network_shares_all_with_itself(small_family: Any) -> None:
    full = small_family.of_full
    graphs = read_graph(full.int8), read_graph(shared_file(full, full).content)
    for before, after in zip(*(graph.tensors for graph in graphs), strict=True):
        if before.data is not None:
            np.testing.assert_array_equal(before.data, after.data)
            np.testing.assert_array_equal(before.scales, after.scales)


def changed(content: bytes, at: int, change: Any) -> bytes:
    """A float32 file with another kernel of one operator."""
    model, graph = unpacked(content), read_graph(content)
    index = graph.operators[at].inputs[WEIGHTS]
    values = change(np.array(graph.tensors[index].data))
    give_content(model, model.subgraphs[0].tensors[index], values.reshape(-1).view(np.uint8))
    return packed(model)


def more(kernel: Any) -> Any:
    """A kernel with one weight that is not that of the full network."""
    kernel.reshape(-1)[0] += 1e-3 * np.abs(kernel).max()
    return kernel


def turned(kernel: Any) -> Any:
    """A kernel that is a negative multiple."""
    return -kernel


@pytest.mark.parametrize("change", [more, turned])
def test_other_weights_are_kept(small_family: Any, change: Any) -> None:
    files, at = small_family.of_member, 0
    found = shared_file(replace(files, float32=changed(files.float32, at, change)), small_family.of_full)
    separate, member = read_graph(files.int8), read_graph(found.content)
    assert found.own == {separate.tensors[separate.operators[at].inputs[WEIGHTS]].name: Reason.WEIGHTS}
    np.testing.assert_array_equal(kernel(member, at), kernel(separate, at))
    others = [at for at, operator in enumerate(member.operators) if operator.kind in WITH_KERNELS][1:]
    assert any((kernel(separate, at) != kernel(member, at)).any() for at in others)


def test_biases_out_of_range_are_kept(small_family: Any) -> None:
    """An input that is nearly zero for all examples has so small a scale that the bias would be too large."""
    files = small_family.of_member
    model = unpacked(files.int8)
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].quantization.scale = np.array([1e-12], np.float32)
    found = shared_file(Conversions(packed(model), files.float32), small_family.of_full)
    separate = read_graph(files.int8)
    assert found.own == {separate.tensors[separate.operators[0].inputs[WEIGHTS]].name: Reason.RANGE}


def test_weights_of_other_bits_are_kept(small_family: Any) -> None:
    files = small_family.of_member
    model, separate = unpacked(files.int8), read_graph(files.int8)
    index = separate.operators[0].inputs[WEIGHTS]
    tensor = model.subgraphs[0].tensors[index]
    give_content(model, tensor, pack4((kernel(separate, 0) >> 4).reshape(-1)))
    tensor.type = schema.TensorType.INT4
    found = shared_file(Conversions(packed(model), files.float32), small_family.of_full)
    assert found.own == {separate.tensors[index].name: Reason.BITS}
    np.testing.assert_array_equal(kernel(read_graph(found.content), 0), kernel(separate, 0) >> 4)


def test_a_file_with_several_graphs_is_left_as_it_is(small_family: Any) -> None:
    files = small_family.of_member
    model = unpacked(files.int8)
    model.subgraphs.append(model.subgraphs[0])
    content = packed(model)
    assert shared_file(replace(files, int8=content), small_family.of_full) == SharedFile(content, 0, {})


def zero(content: bytes) -> bytes:
    """A file whose first kernel is zero."""
    model, graph = unpacked(content), read_graph(content)
    index = graph.operators[0].inputs[WEIGHTS]
    values = np.zeros_like(graph.tensors[index].data)
    give_content(model, model.subgraphs[0].tensors[index], values.reshape(-1).view(np.uint8))
    return packed(model)


def test_weights_that_are_zero_have_scales_that_their_biases_need(small_family: Any) -> None:
    member, full = (
        Conversions(zero(files.int8), zero(files.float32)) for files in (small_family.of_member, small_family.of_full)
    )
    model = unpacked(member.int8)
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].quantization.scale = np.array([1e-12], np.float32)
    found = shared_file(replace(member, int8=packed(model)), full)
    assert not found.own
    shared, exact = read_graph(found.content), read_graph(member.float32)
    bias, expected = (each.tensors[each.operators[0].inputs[BIAS]] for each in (shared, exact))
    assert bias.data is not None
    np.testing.assert_allclose(bias.data * bias.scales.astype(np.float64), expected.data, rtol=1e-6, atol=1e-8)


def test_large_kernels_are_compared_in_parts(
    small_family: Any, shared: SharedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_store, "PART_ELEMENTS", 60)
    assert shared_file(small_family.of_member, small_family.of_full) == shared
