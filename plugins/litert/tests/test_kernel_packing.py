"""Int8 files that record how many bits their kernels need."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reds_litert.graph import read_graph
from reds_litert.int4 import kernels_of, with_int4
from reds_litert.kernel_packing import NAME, KernelPacking, give_kernel_packings, kernel_packings_in, read_packed_graph
from reds_litert.memory_metadata import with_memory_plan
from reds_litert.schema import WEIGHTS, give_metadata, packed, unpacked
from reds_litert.shared_store import Conversions, Reason, shared_file
from reds_litert.usage import weight_bytes_of
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.errors import InputError
from reds_core.network import WeightKind
from reds_core.transforms import UniformQuantiser

FRAMEWORK = TensorFlowFramework()


def in_2_bits(family: Any, model: Any) -> tuple[Conversions, int, int]:
    """The files of a model whose first layer has 2 bits; the tensor of its kernel, and the number of its weights."""
    model = FRAMEWORK.extract(model, FRAMEWORK.inspect(model), {})
    network = FRAMEWORK.inspect(model)
    weights = FRAMEWORK.weights(model, network)
    first = next(index for index, weight in enumerate(network.weights) if weight.kind is WeightKind.KERNEL)
    site, along = network.weights[first].layer, network.weights[first].scales_along
    weights[first] = UniformQuantiser(2).quantised(weights[first], along).astype(np.float32)
    FRAMEWORK.assign(model, network, weights)
    made = family.converted(model)
    content = with_int4(made.int8, kernels_of(network, weights, {site: 2}), [site], keep_int8=True)
    kernel = read_graph(content).operators[0].inputs[WEIGHTS]
    return Conversions(content, made.float32), kernel, weights[first].size


@pytest.fixture(scope="module")
def full(small_family: Any) -> tuple[Conversions, int, int]:
    return in_2_bits(small_family, small_family.full)


def test_a_file_records_the_bits_by_which_it_is_counted(small_family: Any, full: tuple[Conversions, int, int]) -> None:
    made, kernel, size = full
    content = with_memory_plan(made.int8)  # another entry of metadata
    assert kernel_packings_in(unpacked(content)) == {(0, kernel): KernelPacking(2)}
    plain, graph = read_graph(content).tensors[kernel], read_packed_graph(content).tensors[kernel]
    assert (plain.bits, graph.bits) == (8, 2)
    assert plain.data is not None
    assert set(np.unique(plain.data)) == {-1, 0, 1}
    assert weight_bytes_of(small_family.of_full.int8) - weight_bytes_of(content) == size - -(-size // 4)


def test_kernels_of_equal_bits_are_shared_and_others_are_not(
    small_family: Any, full: tuple[Conversions, int, int]
) -> None:
    made, kernel, _ = full
    member, own, _ = in_2_bits(small_family, small_family.member)
    found = shared_file(member, made)
    assert not found.own
    tensor, stored = read_packed_graph(found.content).tensors[own], read_packed_graph(made.int8).tensors[kernel]
    assert tensor.bits == stored.bits == 2
    np.testing.assert_array_equal(tensor.data, stored.data[: tensor.shape[0]])
    mixed = shared_file(member, small_family.of_full)
    assert list(mixed.own.values()) == [Reason.BITS]


@pytest.mark.parametrize("numbers", [[3, 0, 1, 4], [1, 0, 1], [2, 0, 1, 4], []])
def test_other_versions_and_damaged_records_are_refused(small_family: Any, numbers: list[int]) -> None:
    model = unpacked(small_family.of_full.int8)
    packings = {(0, 1): KernelPacking(4), (0, 3): KernelPacking(2, 4, 50)}
    give_kernel_packings(model, packings)
    assert kernel_packings_in(unpacked(packed(model))) == packings
    give_metadata(model, NAME, np.array([*numbers], "<i4").view(np.uint8))
    with pytest.raises(InputError, match=r"metadata reds\.kernel_bits"):
        kernel_packings_in(unpacked(packed(model)))


def test_records_of_bits_alone_are_read(small_family: Any) -> None:
    model = unpacked(small_family.of_full.int8)
    give_metadata(model, NAME, np.array([1, 0, 1, 4, 0, 3, 2], "<i4").view(np.uint8))
    assert kernel_packings_in(unpacked(packed(model))) == {(0, 1): KernelPacking(4), (0, 3): KernelPacking(2)}


@pytest.mark.parametrize(
    ("packing", "size_bytes"),
    [
        (KernelPacking(), 45),
        (KernelPacking(4), 23),
        (KernelPacking(2, clusters=4), 12 + 5 * 4),
        (KernelPacking(8, density_percent=50), 23 + 6 + 5 * 4),
        (KernelPacking(1, clusters=2, density_percent=25), 2 + 5 * 2 + 6 + 5 * 4),
    ],
)
def test_sizes_of_packed_kernels(packing: KernelPacking, size_bytes: int) -> None:
    assert packing.size_bytes(weights=45, channels=5) == size_bytes
