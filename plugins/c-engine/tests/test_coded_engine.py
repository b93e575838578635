"""Engines whose kernels have codebooks and masks, against tflite-micro and the reference in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")

from engines import KernelObjects
from family_graphs import KernelSource, NetworkBuilder
from int8_graphs import SAME, GraphBuilder, examples, options, tflite_micro_outputs
from reds_c_engine import store
from reds_c_engine.deploy import generated, written
from reds_c_engine.emulator import CORES, measure, outputs_on_core, outputs_on_host, unavailable
from reds_c_engine.family import check_runs
from reds_c_engine.kernel_records import Kernel
from reds_c_engine.member_weights import weight_bytes
from reds_c_engine.packing import PackedKernel, packed_kernel
from reds_c_engine.reference import run
from reds_litert.graph import read_graph
from reds_litert.kernel_operators import WITH_KERNELS, channel_axis
from reds_litert.kernel_packing import KernelPacking, give_kernel_packings, read_packed_graph
from reds_litert.schema import WEIGHTS, give_content, packed, unpacked
from reds_litert.slices import KernelSlice
from reds_litert.usage import weight_bytes_of

from reds_core.errors import UnsupportedError

Packings = Sequence[KernelPacking]
DENSE = KernelPacking()
IN_16, IN_4, IN_2 = KernelPacking(4, 16), KernelPacking(2, 4), KernelPacking(1, 2)
HALF, QUARTER = KernelPacking(density_percent=50), KernelPacking(density_percent=25)


def reduced(values: npt.NDArray[np.int8], axis: int, packing: KernelPacking, seed: int) -> npt.NDArray[np.int8]:
    """Weights that can be packed in some way: few values of each output channel, and zeros."""
    rng = np.random.default_rng(seed)
    rows = np.moveaxis(values, axis, 0)
    made = rows.reshape(len(rows), -1).copy()
    high = 1 << (packing.bits - 1)
    if packing.clusters:
        for row in made:
            row[:] = rng.choice(
                np.clip(rng.normal(0, 40, min(packing.clusters, 1 << packing.bits)), -127, 127), len(row)
            )
    elif packing.bits < 8:
        made = rng.integers(1 - high, high, made.shape).astype(np.int8)
    if packing.has_mask:
        for row in made:  # so that each choice of rows has no more weights than the density says
            row[rng.permutation(len(row))[len(row) * packing.density_percent // 100 :]] = 0
    return np.ascontiguousarray(np.moveaxis(made.reshape(rows.shape), 0, axis))


class CodedSource(KernelSource):
    """Kernels of a full network that can be packed, by the name of the layer."""

    def __init__(self, packings: dict[str, KernelPacking]) -> None:
        super().__init__()
        self.packings = packings

    def kernel(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
        if name not in self._kernels:
            axis = 3 if name == "depth" else 0
            self._kernels[name] = reduced(super().kernel(name, shape), axis, self.packings[name], len(name))
        return self._kernels[name]


LAYERS = ("stem", "depth", "point", "next", "dense")


def network(packings: Packings, width: int = 12, seed: int = 1, full: int = 12) -> bytes:
    """A network of five layers, whose kernels are slices of those of width 12, which records how they are packed."""
    source = CodedSource(dict(zip(LAYERS, packings, strict=True)))
    made = NetworkBuilder(source, seed)
    x = made.activation((1, 9, 7, 3), 0.05, 7), (1, 9, 7, 3)
    y = made.conv("stem", x, (full, 3, 3, 3), width, stride=2)
    y = made.depthwise("depth", y, full)
    y = made.conv("point", y, (full, 1, 1, full), width)
    y = made.conv("next", y, (full, 3, 3, full), width, activation="none")
    y = made.dense("dense", y, full, 5)
    content = made.build.content(x[0], y[0])
    return recorded(content, packings)


def recorded(content: bytes, packings: Packings) -> bytes:
    model, graph = unpacked(content), read_graph(content)
    kernels = [operator.inputs[WEIGHTS] for operator in graph.operators if operator.kind in WITH_KERNELS]
    give_kernel_packings(model, {(0, k): p for k, p in zip(kernels, packings, strict=True) if p != DENSE})
    return packed(model)


CHOICES: dict[str, Packings] = {
    "16_values": [IN_16] * 5,
    "4_values": [IN_4] * 5,
    "2_values": [IN_2] * 5,
    "half": [HALF, DENSE, HALF, HALF, HALF],
    "quarter": [QUARTER, DENSE, QUARTER, QUARTER, QUARTER],
    "mixed": [
        KernelPacking(4, 16, 50),
        IN_4,
        KernelPacking(4, density_percent=50),
        KernelPacking(1, 2, 25),
        KernelPacking(2, density_percent=40),
    ],
    "fewer_bits": [KernelPacking(2, 16), KernelPacking(4, 4), KernelPacking(4), KernelPacking(2, 4, 60), HALF],
}


@pytest.mark.parametrize("choice", CHOICES)
def test_an_engine_computes_what_tflite_micro_computes(choice: str, objects: KernelObjects, tmp_path: Path) -> None:
    content = network(CHOICES[choice])
    x = examples(content, 12)
    expected = tflite_micro_outputs(content, x)
    assert len(np.unique(expected)) > 6
    np.testing.assert_array_equal(objects.linked([("full", content)], tmp_path).outputs(0, x), expected)
    np.testing.assert_array_equal(run(read_graph(content), x), expected)


@pytest.mark.slow
@pytest.mark.parametrize("choice", ["16_values", "mixed"])
def test_cores_and_sanitizers_compute_the_same(choice: str, tmp_path: Path) -> None:
    contents = [("full", network(CHOICES[choice]))]
    if not any(packing.has_mask for packing in CHOICES[choice]):  # slices of a sparse kernel may be less sparse
        contents.insert(0, ("small", network(CHOICES[choice], 8, seed=2)))
    written(generated(contents, examples=1), tmp_path)
    x = examples(contents[-1][1], 6)
    expected = np.array([run(read_graph(content), x) for _, content in contents])
    np.testing.assert_array_equal(outputs_on_host(tmp_path, x), expected)
    if unavailable() is None:
        for core in CORES.values():
            np.testing.assert_array_equal(outputs_on_core(core, tmp_path, x), expected)
            assert all(stack < 2048 for stack in measure(core, tmp_path).stack_bytes)


@pytest.mark.parametrize("choice", CHOICES)
def test_file_and_engine_count_the_same_bytes(choice: str) -> None:
    content = network(CHOICES[choice])
    engine = generated([("full", content)], examples=1)
    assert weight_bytes(engine.family.members[0]) == weight_bytes_of(content)
    channels = (12, 12, 12, 12, 5)
    masks = [packing.has_mask for packing in CHOICES[choice]]
    in_tables = sum(8 * n + 4 * n * has_mask for n, has_mask in zip(channels, masks, strict=True))
    assert len(engine.family.store) + in_tables == weight_bytes_of(content)
    assert len(engine.family.store) == sum(
        len(parts.values) + len(parts.codebooks) + len(parts.mask) for parts in stored_parts(content, CHOICES[choice])
    )


def stored_parts(content: bytes, packings: Packings) -> list[PackedKernel]:
    graph = read_graph(content)
    operators = [operator for operator in graph.operators if operator.kind in WITH_KERNELS]
    return [
        packed_kernel(graph.tensors[one.inputs[WEIGHTS]].data, channel_axis(one.kind), packing)
        for one, packing in zip(operators, packings, strict=True)
    ]


def test_members_share_indices_and_codebooks_of_which_they_are_slices(objects: KernelObjects, tmp_path: Path) -> None:
    packings = CHOICES["16_values"]
    contents = [("half", network(packings, 8, seed=2)), ("full", network(packings))]
    engine = objects.linked(contents, tmp_path)
    assert engine.engine.family.own_kernels == ()
    assert engine.engine.family.store == generated(contents[1:], examples=1).family.store
    for member, (_, content) in enumerate(contents):
        x = examples(content, 6, seed=member)
        np.testing.assert_array_equal(engine.outputs(member, x), tflite_micro_outputs(content, x))


def test_members_share_masks_of_whole_rows_and_have_copies_of_others(objects: KernelObjects, tmp_path: Path) -> None:
    full = network(CHOICES["half"])
    contents = [("half", with_few_weights(network(CHOICES["half"], 8, seed=2))), ("full", full)]
    engine = objects.linked(contents, tmp_path)
    (own,) = engine.engine.family.own_kernels
    assert len(own.layers) == 3  # that of the stem has all inputs, and the depthwise one no mask
    for member, (_, each) in enumerate(contents):
        x = examples(each, 6, seed=member)
        np.testing.assert_array_equal(engine.outputs(member, x), tflite_micro_outputs(each, x))


def with_few_weights(content: bytes) -> bytes:
    """A file without those weights that are too many for the density that it records."""
    graph, model = read_graph(content), unpacked(content)
    for operator in graph.operators:
        if operator.kind in WITH_KERNELS and operator.kind != "DEPTHWISE_CONV_2D":
            data = graph.tensors[operator.inputs[WEIGHTS]].data
            assert data is not None
            if (data != 0).sum() > HALF.values(data.size):
                flat = data.reshape(-1).copy()
                flat[np.flatnonzero(flat)[HALF.values(data.size) :]] = 0
                give_content(model, model.subgraphs[0].tensors[operator.inputs[WEIGHTS]], flat.view(np.uint8))
    return packed(model)


def one_layer(kernel: npt.NDArray[np.int8], axis: int, packing: KernelPacking) -> bytes:
    """A network of one convolution, which is depthwise if its output channels are the last axis of the kernel."""
    build, outputs = GraphBuilder(), kernel.shape[axis]
    x = build.tensor((1, 5, 5, kernel.shape[3]), 0.05, 7)
    weights = build.tensor(kernel.shape, np.full(outputs, 0.01, np.float32), data=kernel, axis=axis)
    y = build.tensor((1, 5, 5, outputs), 0.05, 3)
    window = {"padding": SAME, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    if axis == 3:
        build.operator("DEPTHWISE_CONV_2D", [x, weights, -1], y, options("DepthwiseConv2DOptions", **window))
    else:
        build.operator("CONV_2D", [x, weights, -1], y, options("Conv2DOptions", **window))
    return recorded(build.content(x, y), [packing])


def restored(content: bytes, kernel: Kernel, shape: tuple[int, ...], axis: int) -> npt.NDArray[np.int8]:
    """The weights of a kernel without segments, one by one by the description of `reds_coded_weights`."""
    coding, row = kernel.coding, kernel.row
    assert coding is not None
    packing, found = coding.packing, np.zeros(shape, np.int8)

    def field(place: int, element: int, bits: int) -> int:
        return content[place + element * bits // 8] >> (element * bits % 8) & ((1 << bits) - 1)

    following = list(coding.starts)
    for index in np.ndindex(*shape):
        channel = index[axis]
        element = int(np.ravel_multi_index(index[:3], shape[:3])) * row + index[3]
        if packing.has_mask:
            if not field(coding.mask_bytes, element, 1):
                continue
            element, following[channel] = following[channel], following[channel] + 1
        value = field(kernel.offset_bytes, element, packing.bits)
        if packing.clusters:
            value = content[coding.codebook_bytes + channel * packing.clusters + value]
        found[index] = np.uint8(value).view(np.int8)
    return found


@pytest.mark.parametrize(
    ("shape", "axis", "packing"),
    [
        ((12, 3, 3, 8), 0, IN_16),
        ((12, 3, 3, 8), 0, IN_2),
        ((12, 3, 3, 8), 0, HALF),
        ((12, 3, 3, 8), 0, KernelPacking(2, 4, 50)),
        ((1, 3, 3, 16), 3, IN_4),
    ],
)
def test_members_read_the_codebooks_and_masks_of_their_channels(
    shape: tuple[int, ...], axis: int, packing: KernelPacking, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = reduced(np.random.default_rng(1).integers(-127, 128, shape).astype(np.int8), axis, packing, 1)
    outputs = np.arange(4, shape[axis])
    kernel = np.ascontiguousarray(np.take(whole, outputs, axis))
    part = KernelSlice(outputs, np.arange(shape[3]) if axis == 0 else outputs, 0)
    full, member = (read_packed_graph(one_layer(each, axis, packing)) for each in (whole, kernel))
    monkeypatch.setattr(store, "kernel_slices", lambda *_: {0: part})
    held = store.WeightStore(full)
    size_bytes = len(held.content)
    (found,) = held.kernels_of(member).values()
    assert found.is_shared
    assert len(held.content) == size_bytes
    np.testing.assert_array_equal(restored(held.content, found, kernel.shape, axis), kernel)


def without(packings: Packings, place: int, packing: KernelPacking) -> Packings:
    return [packing if index == place else each for index, each in enumerate(packings)]


@pytest.mark.parametrize(
    ("written", "read", "message"),
    [
        ([IN_16] * 5, without([IN_16] * 5, 2, IN_4), r"an output channel has \d+ different weights, more than 4"),
        ([DENSE] * 5, without([DENSE] * 5, 3, HALF), "of its 1296 weights are not 0, more than 50 %"),
        ([HALF] * 5, without([DENSE] * 5, 1, HALF), "no kernel for depthwise convolutions with a mask"),
    ],
)
def test_files_that_record_what_their_integers_are_not_are_refused(
    written: Packings, read: Packings, message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        check_runs(recorded(network(written), read))


def test_weights_that_round_to_zero_leave_the_size_as_it_is() -> None:
    weights = np.zeros((4, 1, 1, 8), np.int8)
    weights[1, 0, 0, 3] = 5
    parts = packed_kernel(weights, 0, HALF)
    assert len(parts.values) == 16
    assert parts.values[:1] == b"\x05"
    assert parts.mask == bytes([0, 8, 0, 0])
    assert parts.starts == (0, 0, 1, 1)


def test_codebooks_hold_the_weights_of_a_channel_in_rising_order() -> None:
    weights = np.array([[3, -7, 3, 3], [1, 1, 1, 1]], np.int8)
    parts = packed_kernel(weights, 0, IN_4)
    assert np.frombuffer(parts.codebooks, np.int8).tolist() == [-7, 3, 3, 3, 1, 1, 1, 1]
    assert parts.values == bytes([0b01010001, 0])
