"""Files with lookup tables: what tflite-micro computes, what they take, and the files that they are made from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")

from int8_graphs import SAME, GraphBuilder, examples, options, tflite_micro_outputs
from reds_litert.device_files import interpreter_of
from reds_litert.graph import read_graph
from reds_litert.usage import weight_bytes_of
from reds_tflite_micro.lookup_tables import Lookup, coded_weight_bytes, with_lookup_tables, without_lookup_tables

from reds_core.errors import UnsupportedError


def few(rng: np.random.Generator, shape: tuple[int, ...], axis: int, count: int) -> npt.NDArray[np.int8]:
    """Weights of which each position of an axis has at most `count` different ones."""
    values = rng.integers(-127, 128, (shape[axis], count))
    codes = rng.integers(0, count, shape)
    index = np.arange(shape[axis]).reshape([-1 if at == axis else 1 for at in range(len(shape))])
    return values[index, codes].astype(np.int8)


def network(counts: tuple[int, int, int]) -> tuple[bytes, tuple[int, int, int]]:
    """A convolution, a depthwise convolution and a fully connected layer; the tensors of their kernels."""
    rng, build = np.random.default_rng(4), GraphBuilder()

    def kernel(shape: tuple[int, ...], axis: int, count: int) -> list[int]:
        scale = rng.uniform(0.004, 0.012, shape[axis]).astype(np.float32)
        weights = build.tensor(shape, scale, data=few(rng, shape, axis, count), axis=axis)
        bias = rng.integers(-900, 900, shape[axis]).astype(np.int32)
        return [weights, build.tensor(bias.shape, scale * np.float32(0.05), data=bias)]

    window: dict[str, Any] = {"padding": SAME, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    x = build.tensor((1, 6, 5, 3), 0.05, 7)
    conv, depth, dense = (
        kernel((9, 3, 3, 3), 0, counts[0]),
        kernel((1, 3, 3, 9), 3, counts[1]),
        kernel((5, 270), 0, counts[2]),
    )
    y = build.operator("CONV_2D", [x, *conv], build.tensor((1, 6, 5, 9), 0.3, -20), options("Conv2DOptions", **window))
    settings = options("DepthwiseConv2DOptions", depthMultiplier=1, **window)
    z = build.operator("DEPTHWISE_CONV_2D", [y, *depth], build.tensor((1, 6, 5, 9), 2.0, 3), settings)
    shape = build.tensor((2,), data=np.array([1, 270], np.int32))
    flat = build.operator("RESHAPE", [z, shape], build.tensor((1, 270), 2.0, 3), options("ReshapeOptions"))
    logits = build.tensor((1, 5), 60.0, 5)
    build.operator("FULLY_CONNECTED", [flat, *dense], logits, options("FullyConnectedOptions"))
    return build.content(x, logits), (conv[0], depth[0], dense[0])


def test_tflite_micro_computes_the_same_with_lookup_tables(tmp_path: Path) -> None:
    content, kernels = network((16, 4, 2))
    made = with_lookup_tables(
        content, {k: Lookup(*how) for k, how in zip(kernels, [(4, 0), (2, 3), (1, 0)], strict=True)}
    )
    x = examples(content, 10)
    expected = tflite_micro_outputs(content, x)
    assert len(np.unique(expected)) > 8
    np.testing.assert_array_equal(tflite_micro_outputs(made, x), expected)
    plain = without_lookup_tables(made)
    np.testing.assert_array_equal(tflite_micro_outputs(plain, x), expected)
    constants = [sorted(t.data.tobytes() for t in read_graph(each).tensors if t.data is not None and t.dtype == np.int8)
                 for each in (content, plain)]  # fmt: skip
    assert constants[0] == constants[1]
    assert interpreter_of(plain).get_input_details()[0]["shape"].tolist() == [1, 6, 5, 3]


@pytest.mark.parametrize("counts", [(16, 4, 2), (5, 3, 1)])
def test_tables_count_as_many_integers_as_indices_tell_apart(counts: tuple[int, int, int]) -> None:
    content, kernels = network(counts)
    ways = [Lookup(4, 0), Lookup(2, 3), Lookup(1, 0)]
    made = with_lookup_tables(content, dict(zip(kernels, ways, strict=True)))
    saved = 0
    for kernel, lookup in zip(kernels, ways, strict=True):
        shape = read_graph(content).tensors[kernel].shape
        size = math.prod(shape)
        saved += size - math.ceil(size * lookup.bits / 8) - shape[lookup.axis] * (1 << lookup.bits)
    assert weight_bytes_of(content) - coded_weight_bytes(made) == saved


def test_a_kernel_of_too_many_weights_is_refused() -> None:
    content, kernels = network((16, 4, 2))
    with pytest.raises(UnsupportedError, match="cannot make lookup tables"):
        with_lookup_tables(content, {kernels[0]: Lookup(1, 0)})


def test_files_without_lookup_tables_stay_as_they_are() -> None:
    content, _ = network((16, 4, 2))
    assert without_lookup_tables(content) == content
    assert coded_weight_bytes(content) == weight_bytes_of(content)
