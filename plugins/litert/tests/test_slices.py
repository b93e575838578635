"""The slices of kernels that members of a family have: cut from the full ones, they are the kernels of the members."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from int8_graphs import GraphBuilder, options
from reds_litert.graph import FileGraph, read_graph
from reds_litert.kernel_operators import WITH_KERNELS, channel_axis
from reds_litert.schema import WEIGHTS
from reds_litert.slices import kernel_slices, matched_operators


def kernel(graph: FileGraph, at: int) -> Any:
    return graph.tensors[graph.operators[at].inputs[WEIGHTS]].data


def places(graph: FileGraph) -> list[int]:
    return [at for at, operator in enumerate(graph.operators) if operator.kind in WITH_KERNELS]


def test_cut_kernels_are_those_of_the_member(small_family: Any) -> None:
    """Apart from the factor of each output channel, by which batch norms of other statistics differ."""
    full, member = (read_graph(each.float32) for each in (small_family.of_full, small_family.of_member))
    slices = kernel_slices(full, member)
    assert list(slices) == places(member)
    for at, part in slices.items():
        kind = member.operators[at].kind
        cut, own = (
            np.moveaxis(k, channel_axis(kind), 0)
            for k in (part.cut(kind, kernel(full, part.operator)), kernel(member, at))
        )
        assert cut.shape == own.shape
        ratios = (own / cut).reshape(len(own), -1)
        np.testing.assert_allclose(ratios, np.broadcast_to(ratios[:, :1], ratios.shape), rtol=1e-6)
    sizes = [sum(kernel(graph, at).size for at in places(graph)) for graph in (full, member)]
    assert sizes[1] < 0.7 * sizes[0]


def test_int8_files_have_the_same_slices(small_family: Any) -> None:
    exact = kernel_slices(*(read_graph(each.float32) for each in (small_family.of_full, small_family.of_member)))
    found = kernel_slices(*small_family.graphs)
    assert len(found) == len(exact)
    for part, other in zip(found.values(), exact.values(), strict=True):
        np.testing.assert_array_equal(part.outputs, other.outputs)
        np.testing.assert_array_equal(part.inputs, other.inputs)


def test_grouped_convolutions_keep_whole_groups(tied_family: Any) -> None:
    full, member = (read_graph(each.float32) for each in (tied_family.of_full, tied_family.of_member))
    slices, at = kernel_slices(full, member), places(member)[1]
    assert full.tensors[full.operators[at].inputs[0]].shape[-1] == 4 * kernel(full, at).shape[-1]
    np.testing.assert_array_equal(slices[at].outputs, np.arange(9))
    np.testing.assert_array_equal(slices[at].cut("CONV_2D", kernel(full, at)), kernel(member, at))
    assert list(slices) == places(member)
    for at, part in kernel_slices(full, full).items():
        np.testing.assert_array_equal(part.cut(full.operators[at].kind, kernel(full, at)), kernel(full, at))


def test_a_network_is_the_whole_of_itself(small_family: Any) -> None:
    full, _ = small_family.graphs
    for at, part in kernel_slices(full, full).items():
        np.testing.assert_array_equal(part.cut(full.operators[at].kind, kernel(full, at)), kernel(full, at))


def test_graphs_of_other_operators_have_no_slices(small_family: Any) -> None:
    full, member = small_family.graphs
    assert kernel_slices(full, replace(member, operators=member.operators[:-1])) == {}


SHAPE = (1, 4, 4, 3)


def with_exit(blocks: tuple[bool, bool], ends_early: bool) -> FileGraph:
    """A network of two residual blocks, each of which may be missing, with an exit between both."""
    build = GraphBuilder()
    outputs = []
    source = x = build.tensor(SHAPE)
    for has_block, kinds in zip(blocks, (("TANH", "MEAN"), ("LOGISTIC", "SOFTMAX")), strict=True):
        if has_block:
            inner = build.operator(kinds[0], [x], build.tensor(SHAPE))
            inner = build.operator("QUANTIZE", [inner], build.tensor(SHAPE))
            x = build.operator("ADD", [x, inner], build.tensor(SHAPE), options("AddOptions"))
        x = build.operator("RELU", [x], build.tensor(SHAPE))
        outputs.append(build.operator(kinds[1], [x], build.tensor(SHAPE)))
        if ends_early:
            break
    return read_graph(build.content(source, *outputs))


def test_a_member_may_skip_a_block_and_end_at_an_exit() -> None:
    full = with_exit((True, True), False)
    kinds = [operator.kind for operator in full.operators]
    for blocks, ends_early, wanted in (
        ((False, True), True, ["RELU", "MEAN"]),
        ((True, True), True, ["TANH", "ADD", "RELU", "MEAN"]),
        ((False, True), False, ["RELU", "MEAN", "LOGISTIC", "ADD", "RELU", "SOFTMAX"]),
        ((True, False), False, ["TANH", "ADD", "RELU", "MEAN", "RELU", "SOFTMAX"]),
    ):
        member = with_exit(blocks, ends_early)
        pairs = matched_operators(full, member)
        assert [kinds[at] for at, _ in pairs] == wanted
        assert [member.operators[at].kind for _, at in pairs] == wanted
