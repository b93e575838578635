"""Int8 files in which some layers keep float32 or activations of 16 bits: what they compute, and who runs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from micro_interpreter import arena_head, micro_run
from reds_litert.device_files import interpreter_of, run_one_by_one
from reds_litert.graph import FileGraph, read_graph
from reds_litert.memory_metadata import arena_bytes, with_memory_plan
from reds_litert.mixed_file import MixedFile
from reds_litert.targets import FloatTarget, Int8Target, Int16x8Target
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.errors import UnsupportedError
from reds_core.framework import Arrays, ExportSource, FullExport

FRAMEWORK = TensorFlowFramework()
SHAPE = (8, 8, 3)
NUMBERS = ["float", "16x8"]


def network() -> Any:
    """A residual branch, a concatenation, layers that only copy numbers, and an activation that int8 files convert."""
    x = inputs = L.Input(SHAPE)
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    y = L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same", name="depthwise")(x))
    x = L.Add(name="sum")([x, y])
    x = L.Concatenate(name="joined")([x, L.Conv2D(4, 1, activation="relu6", name="side")(x)])
    x = L.Reshape((4, 1, 12), name="reshaped")(L.MaxPooling2D(2, name="pool")(x))
    x = L.Conv2D(6, 1, name="last")(x)
    x = L.Dense(5, name="head")(L.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, x)


def source_of(factor: float) -> ExportSource:
    """The model, whose layer "last" has a channel that is much larger than the others, and examples."""
    keras.utils.set_random_seed(3)
    model = network()
    x = np.random.default_rng(3).normal(size=(48, *SHAPE)).astype(np.float32)
    for name, by, channel in (("last", factor, np.s_[..., 0]), ("head", 1 / factor, np.s_[0])):
        kernel, bias = model.get_layer(name).get_weights()
        kernel[channel] *= by  # the range of one channel makes the steps of all channels large
        model.get_layer(name).set_weights([kernel, bias])
    return ExportSource(FRAMEWORK, model, FRAMEWORK.inspect(model), calibration=Arrays(x, np.zeros(48, np.int64)))


@pytest.fixture(scope="module")
def source() -> ExportSource:
    return source_of(100)


@pytest.fixture(scope="module")
def mixed(source: ExportSource) -> dict[str, MixedFile]:
    return mixed_of(source)


@pytest.fixture(scope="module")
def even() -> dict[str, MixedFile]:
    """The files of a model without such a channel, on which interpreters that round differently agree."""
    return mixed_of(source_of(1))


def mixed_of(source: ExportSource) -> dict[str, MixedFile]:
    base = Int8Target().plain(source)
    return {
        "float": MixedFile(base, FloatTarget().plain(source)),
        "16x8": MixedFile(base, Int16x8Target().plain(source)),
    }


def outputs(content: bytes, x: np.ndarray) -> np.ndarray:
    return run_one_by_one(interpreter_of(content), (x,))[0]


def kinds(graph: FileGraph) -> list[str]:
    return [operator.kind for operator in graph.operators]


def quantised(graph: FileGraph, x: np.ndarray) -> np.ndarray:
    tensor = graph.tensors[graph.inputs[0]]
    return np.asarray(np.clip(np.round(x / tensor.scale) + tensor.zero_point, -128, 127), np.int8)


@pytest.mark.parametrize("numbers", NUMBERS)
def test_without_layers_the_file_computes_the_same(
    mixed: dict[str, MixedFile], source: ExportSource, numbers: str
) -> None:
    assert source.calibration is not None
    files = mixed[numbers]
    x = source.calibration.x
    np.testing.assert_array_equal(outputs(files.with_exact(()), x), outputs(files.base, x))
    assert kinds(read_graph(files.with_exact(()))) == kinds(files.base_graph)


@pytest.mark.parametrize("numbers", NUMBERS)
def test_with_all_layers_only_inputs_and_outputs_have_8_bits(
    mixed: dict[str, MixedFile], source: ExportSource, numbers: str
) -> None:
    assert source.calibration is not None
    files, x = mixed[numbers], source.calibration.x
    content = files.with_exact(files.replaceable)
    graph = read_graph(content)
    assert [graph.tensors[index].dtype for index in (*graph.inputs, *graph.outputs)] == [np.int8, np.int8]
    ends = ((graph.tensors[each.inputs[0]], graph.tensors[each.outputs[0]]) for each in graph.operators)
    assert sum(np.int8 in (one.dtype, other.dtype) and one.dtype != other.dtype for one, other in ends) == 2
    entry = files.base_graph.tensors[files.base_graph.inputs[0]]
    seen = (quantised(files.base_graph, x).astype(np.float32) - entry.zero_point) * np.float32(entry.scale)
    exact = outputs(files.exact, seen)
    end = graph.tensors[graph.outputs[0]]
    step = end.scale
    exact = exact.clip((-128 - end.zero_point) * step, (127 - end.zero_point) * step)
    np.testing.assert_allclose(outputs(content, x), exact, atol=1.1 * step)
    assert np.abs(outputs(files.base, x) - exact).max() > 5 * step


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("chosen", [slice(0, 1), slice(1, 3), slice(2, 6, 2), slice(-3, None), slice(None)])
def test_both_interpreters_run_every_mixture_in_its_planned_memory(
    even: dict[str, MixedFile], source: ExportSource, numbers: str, chosen: slice
) -> None:
    assert source.calibration is not None
    files, x = even[numbers], source.calibration.x[:6]
    content = with_memory_plan(files.with_exact(files.replaceable[chosen]))
    graph = read_graph(content)
    end = graph.tensors[graph.outputs[0]]
    in_micro = np.array(micro_run(content, [[each[None]] for each in quantised(graph, x)]))[:, 0]
    real = (in_micro.astype(np.float32) - end.zero_point) * np.float32(end.scale)
    np.testing.assert_allclose(real, outputs(content, x), atol=2.1 * end.scale)
    assert arena_head(content) == arena_bytes(content)
    read = {index for operator in graph.operators for index in (*operator.inputs, *operator.outputs)}
    assert set(range(len(graph.tensors))) <= read | {-1}, "nothing is left that nothing reads"


def test_layers_between_others_copy_numbers_without_rounding_them(mixed: dict[str, MixedFile]) -> None:
    files = mixed["float"]
    graph = files.base_graph
    at = {kind: index for index, kind in enumerate(kinds(graph))}
    around = [at["CONCATENATION"], next(i for i in files.replaceable if i > at["RESHAPE"])]
    both, one = (read_graph(files.with_exact(chosen)) for chosen in (around, around[:1]))

    def made(graph: FileGraph, kind: str) -> Any:
        operator = next(each for each in graph.operators if each.kind == kind)
        return graph.tensors[operator.outputs[0]].dtype

    assert (made(both, "MAX_POOL_2D"), made(both, "RESHAPE")) == (np.float32, np.float32)
    assert (made(one, "MAX_POOL_2D"), made(one, "RESHAPE")) == (np.int8, np.int8)


@pytest.mark.parametrize("numbers", NUMBERS)
def test_the_most_sensitive_layer_comes_first_and_helps_most(
    source: ExportSource, numbers: Any, tmp_path: Path
) -> None:
    assert source.calibration is not None
    fallback = Int8Target().fallback(source, numbers)
    names = set(fallback.layers)
    assert {"stem", "depthwise", "side", "last", "head", "sum"} <= names
    assert not names & {"pool", "reshaped"}
    x = source.calibration.x
    exact = outputs(FloatTarget().plain(source), x)

    def error(kept: Sequence[str]) -> float:
        path = tmp_path / "m.tflite"
        fallback.write(kept, path)
        return float(np.mean((outputs(path.read_bytes(), x) - exact) ** 2))

    alone = {name: error([name]) for name in fallback.layers}
    assert min(alone, key=lambda name: alone[name]) in fallback.layers[:3]
    assert error(fallback.layers[:3]) < 0.5 * error([])


def test_layers_in_8_bits_still_share_their_integers(source: ExportSource, tmp_path: Path) -> None:
    full = tmp_path / "full.tflite"
    Int8Target().export(source, full)
    member = ExportSource(
        FRAMEWORK, source.model, source.network, calibration=source.calibration, full=FullExport(source, full)
    )
    path = tmp_path / "m.tflite"
    Int8Target().fallback(member, "float").write(["last"], path)

    def kernels(content: bytes) -> list[bytes]:
        graph = read_graph(content)
        found = (graph.tensors[op.inputs[1]] for op in graph.operators if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"))
        return [each.data.tobytes() for each in found if each.dtype == np.int8 and each.data is not None]

    assert set(kernels(path.read_bytes())) < set(kernels(full.read_bytes()))
    assert len(kernels(path.read_bytes())) == len(kernels(full.read_bytes())) - 1


def test_files_that_do_not_correspond_are_refused(mixed: dict[str, MixedFile]) -> None:
    other = keras.Sequential([L.Input(SHAPE), L.Flatten(), L.Dense(5)])
    exact = FloatTarget().plain(ExportSource(FRAMEWORK, other, FRAMEWORK.inspect(other)))
    with pytest.raises(UnsupportedError, match="do not correspond, so no layer can keep other numbers"):
        MixedFile(mixed["float"].base, exact)


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("chosen", [slice(0, 0), slice(1, 3), slice(None)])
def test_inputs_can_have_the_numbers_of_the_other_file(
    even: dict[str, MixedFile], source: ExportSource, numbers: str, chosen: slice
) -> None:
    assert source.calibration is not None
    files, x = even[numbers], source.calibration.x[:8]
    content = with_memory_plan(files.with_exact(files.replaceable[chosen], has_exact_inputs=True))
    graph = read_graph(content)
    assert graph.tensors[graph.inputs[0]].dtype == {"float": np.float32, "16x8": np.int16}[numbers]
    assert arena_head(content) == arena_bytes(content)
    step = graph.tensors[graph.outputs[0]].scale
    expected = outputs(files.with_exact(files.replaceable[chosen]), x)
    np.testing.assert_allclose(outputs(content, x), expected, atol=(2.1 if chosen.stop == 0 else 9.1) * step)
