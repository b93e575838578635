"""Int8 files as the target writes them: with the integers of the full network, or with weights of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reds_litert.device_files import interpreter_of, run_one_by_one
from reds_litert.graph import read_graph
from reds_litert.kernel_operators import WITH_KERNELS
from reds_litert.schema import WEIGHTS, give_content, packed, unpacked
from reds_litert.shared_store import Conversions, Reason
from reds_litert.sharing import layer_name, own_text
from reds_litert.slices import kernel_slices
from reds_litert.targets import Int8Target, Int16x8Target, IntegerTarget
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.framework import ConversionCache, ExportSource, FullExport
from reds_core.network import Network, WeightKind

FRAMEWORK = TensorFlowFramework()


def source_of(model: Any, files: Any) -> ExportSource:
    """What a file of a model that is converted already is exported from."""
    conversions = ConversionCache()
    conversions.get("int8", lambda: files.int8)
    conversions.get("float32", lambda: files.float32)
    return ExportSource(FRAMEWORK, model, FRAMEWORK.inspect(model), conversions=conversions)


@pytest.fixture
def full(small_family: Any, tmp_path: Path) -> FullExport:
    source = source_of(small_family.full, small_family.of_full)
    path = tmp_path / "full-int8.tflite"
    Int8Target().export(source, path)
    return FullExport(source, path)


@pytest.fixture
def source(small_family: Any) -> ExportSource:
    return source_of(small_family.member, small_family.of_member)


def own_kernels(full: FullExport, path: Path) -> int:
    """The number of kernels in a file that are not slices of those of the full network."""
    graphs = read_graph(full.path.read_bytes()), read_graph(path.read_bytes())
    slices, count = kernel_slices(*graphs), 0
    for at, operator in enumerate(graphs[1].operators):
        if operator.kind in WITH_KERNELS:
            whole = graphs[0].operators[slices[at].operator].inputs[WEIGHTS]
            cut = slices[at].cut(operator.kind, np.asarray(graphs[0].tensors[whole].data))
            count += not np.array_equal(cut, np.asarray(graphs[1].tensors[operator.inputs[WEIGHTS]].data))
    return count


def test_a_member_shares_the_integers_of_the_full_network(
    full: FullExport, source: ExportSource, tmp_path: Path
) -> None:
    warnings: list[str] = []
    shared, separate = tmp_path / "shared-int8.tflite", tmp_path / "separate-int8.tflite"
    Int8Target().export(replace(source, full=full, warn=warnings.append), shared)
    Int8Target().export(source, separate)
    assert own_kernels(full, shared) == 0 < own_kernels(full, separate)
    assert warnings == []


@pytest.mark.slow
def test_files_with_16_bit_activations_share_as_well(small_family: Any, tmp_path: Path) -> None:
    warnings: list[str] = []
    full, member = (
        ExportSource(FRAMEWORK, model, FRAMEWORK.inspect(model), calibration=small_family.examples)
        for model in (small_family.full, small_family.member)
    )
    of_full = FullExport(full, tmp_path / "full-16x8.tflite")
    Int16x8Target().export(full, of_full.path)
    shared, separate = tmp_path / "shared-16x8.tflite", tmp_path / "separate-16x8.tflite"
    Int16x8Target().export(replace(member, full=of_full, warn=warnings.append), shared)
    Int16x8Target().export(member, separate)
    assert own_kernels(of_full, shared) == 0 < own_kernels(of_full, separate)
    assert warnings == []
    x = (small_family.examples.x[:48],)
    exact = run_one_by_one(interpreter_of(small_family.of_member.float32), x)[0]
    errors = [
        np.sqrt(np.mean((run_one_by_one(interpreter_of(path.read_bytes()), x)[0] - exact) ** 2))
        for path in (shared, separate)
    ]
    assert errors[0] < 1.5 * errors[1]


def test_without_a_full_network_files_are_as_converted(source: ExportSource, tmp_path: Path) -> None:
    """Apart from what is written into every file that only uses integers."""
    Int8Target().export(source, tmp_path / "member-int8.tflite")
    assert (tmp_path / "member-int8.tflite").read_bytes() == IntegerTarget.converted(Int8Target(), source)


def test_kernels_that_are_not_shared_are_named(full: FullExport, small_family: Any, tmp_path: Path) -> None:
    """Here the first layer has other weights than in the full network, as after training by itself."""
    files = small_family.of_member
    source = source_of(small_family.member, Conversions(files.int8, with_other_kernel(files.float32)))
    warnings: list[str] = []
    path = tmp_path / "member-int8.tflite"
    Int8Target().export(replace(source, full=full, warn=warnings.append), path)
    first = next(iter(kernel_layers(source.network)))
    (text,) = warnings
    assert text.startswith("does not share 1 of its ")
    assert f"({first}: {Reason.WEIGHTS.value})" in text


def with_other_kernel(content: bytes) -> bytes:
    """A float32 file whose first kernel is the negative of what it was."""
    model, graph = unpacked(content), read_graph(content)
    index = next(o.inputs[WEIGHTS] for o in graph.operators if o.kind in WITH_KERNELS)
    kernel = -np.asarray(graph.tensors[index].data)
    give_content(model, model.subgraphs[0].tensors[index], kernel.reshape(-1).view(np.uint8))
    return packed(model)


def kernel_layers(network: Network) -> list[str]:
    """The names of the layers that have kernels."""
    kernels = {index for index, weight in enumerate(network.weights) if weight.kind is WeightKind.KERNEL}
    return [layer.name for layer in network.layers if kernels & set(layer.weights)]


def test_a_warning_names_a_few_layers_for_each_reason() -> None:
    own = [*((f"conv{i}", Reason.BITS) for i in range(5)), ("dense", Reason.RANGE)]
    assert own_text(own, 9, "full-int8.tflite") == (
        "does not share 6 of its 9 kernels with 'full-int8.tflite' (conv0, conv1, conv2 and 2 more: has weights of "
        "other bits than in the full network; dense: has biases that would be out of range)"
    )


def test_layers_are_named_by_the_tensors_of_their_kernels(small_family: Any) -> None:
    graph, network = read_graph(small_family.of_member.int8), FRAMEWORK.inspect(small_family.member)
    tensors = [graph.tensors[o.inputs[WEIGHTS]].name for o in graph.operators if o.kind in WITH_KERNELS]
    assert sorted(layer_name(tensor, network) for tensor in tensors) == sorted(kernel_layers(network))
