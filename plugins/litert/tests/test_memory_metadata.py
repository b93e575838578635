"""Memory plans in files: tflite-micro allocates what is planned, and what files compute stays the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers as L
from micro_interpreter import arena_head, micro_run
from reds_litert.graph import FileGraph, read_graph
from reds_litert.memory_metadata import NAME, UNPLANNED, arena_bytes, offsets_in, with_memory_plan
from reds_litert.schema import packed, unpacked
from reds_litert.targets import Int8Target, Int16x8Target, IntegerTarget
from reds_tensorflow.framework import TensorFlowFramework
from toy_runs import skip_report

from reds_core import prune
from reds_core.cost import CostModel, usage
from reds_core.framework import Arrays, ExportSource, member_kept

FRAMEWORK = TensorFlowFramework()
MODELS = Path(__file__).parents[4] / "shared" / "assets" / "models"
ALIGNMENT_BYTES = 16
TARGETS: dict[str, type[IntegerTarget]] = {"int8": Int8Target, "16x8": Int16x8Target}


def enlivened(model: Any) -> Any:
    """Give all weights random values, also statistics of batch norms, so that no operator is left out."""
    random = np.random.default_rng(0)
    values = [random.normal(0, 0.4, w.shape) if "variance" not in w.path else np.ones(w.shape) for w in model.weights]
    model.set_weights([value.astype(np.float32) for value in values])
    return model


def exported(model: Any, numbers: str = "int8") -> bytes:
    shape = (8, *(n or 1 for n in FRAMEWORK.input_shape(model)))
    examples = Arrays(np.random.default_rng(0).normal(size=shape).astype(np.float32), np.zeros(8, np.int64))
    return TARGETS[numbers]().converted(ExportSource(FRAMEWORK, model, FRAMEWORK.inspect(model), calibration=examples))


def without_plan(content: bytes) -> bytes:
    model = unpacked(content)
    model.metadata = [entry for entry in model.metadata if entry.name != NAME]
    return packed(model)


def counted(model: Any) -> dict[str, int]:
    """The size of the activations in the description of a model, in bytes of int8 elements."""
    network = FRAMEWORK.inspect(model)
    found = usage(network, network.channels, CostModel(1, additional=("arena",)))
    return {name: found[name] for name in ("peak_ram", "arena")}


def examples_of(graph: FileGraph, count: int = 6) -> list[list[np.ndarray]]:
    random = np.random.default_rng(1)
    tensors = [graph.tensors[index] for index in graph.inputs]
    limits = [np.iinfo(tensor.dtype) for tensor in tensors]
    return [
        [random.integers(n.min, n.max, t.shape).astype(t.dtype) for n, t in zip(limits, tensors, strict=True)]
        for _ in range(count)
    ]


def litert_run(content: bytes, examples: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    found = []
    for example in examples:
        for details, values in zip(interpreter.get_input_details(), example, strict=True):
            interpreter.set_tensor(details["index"], values)
        interpreter.invoke()
        found += [interpreter.get_tensor(details["index"]).copy() for details in interpreter.get_output_details()]
    return found


def check_same_outputs(content: bytes, run: Callable[..., list[np.ndarray]]) -> None:
    examples = examples_of(read_graph(content))
    for one, other in zip(run(content, examples), run(without_plan(content), examples), strict=True):
        np.testing.assert_array_equal(one, other)


def mixed() -> Any:
    """A chain of uneven widths with activations and a batch norm, a residual, a concatenation and two outputs."""
    x = inputs = keras.Input((10, 10, 3))
    x = L.Rescaling(0.5)(x)
    x = L.Conv2D(9, 3, padding="same", activation="relu")(x)
    x = L.Activation("tanh")(L.DepthwiseConv2D(3, padding="same")(x))
    x = L.Activation("sigmoid")(L.Conv2D(14, 1)(x))
    x = L.BatchNormalization()(x)
    x = kept = L.Conv2D(6, 3, strides=2)(x)
    x = L.Add()([kept, L.Conv2D(6, 3, padding="same", activation="relu")(x)])
    x = L.Concatenate()([L.Conv2D(3, 1)(x), L.MaxPooling2D(3, 1, padding="same")(x), L.Conv2D(5, 3, padding="same")(x)])
    other = L.Dense(3, activation="softmax")(L.GlobalAveragePooling2D()(x))
    return enlivened(keras.Model(inputs, [L.Dense(4)(L.Flatten()(x)), other]))


@pytest.fixture(scope="module")
def mixed_file() -> bytes:
    return exported(mixed())


def test_tflite_micro_allocates_what_is_planned(mixed_file: bytes) -> None:
    planned = arena_bytes(mixed_file)
    assert planned is not None
    assert planned == arena_head(mixed_file) < arena_head(without_plan(mixed_file))
    assert planned == 1408 + 912  # two maps of 10 x 10, of 14 and 9 channels, each rounded up
    assert counted(mixed()) == {"peak_ram": 1400 + 900, "arena": planned}


def test_outputs_in_tflite_micro_and_litert_stay_the_same(mixed_file: bytes) -> None:
    check_same_outputs(mixed_file, litert_run)
    check_same_outputs(mixed_file, micro_run)


def test_plans_hold_all_that_is_computed_and_nothing_else(mixed_file: bytes) -> None:
    graph, offsets = read_graph(mixed_file), offsets_in(mixed_file)
    assert offsets is not None
    assert {index for index, offset in enumerate(offsets) if offset != UNPLANNED} == set(graph.computed)
    assert all(offset == UNPLANNED or offset % ALIGNMENT_BYTES == 0 for offset in offsets)


def test_a_plan_replaces_the_one_before(mixed_file: bytes) -> None:
    again = with_memory_plan(mixed_file)
    assert [entry.name for entry in unpacked(again).metadata].count(NAME) == 1
    assert offsets_in(again) == offsets_in(mixed_file)
    assert len(again) <= len(mixed_file) + 64  # the content of the first plan is gone


def test_files_with_several_graphs_are_left_as_they_are(mixed_file: bytes) -> None:
    model = unpacked(without_plan(mixed_file))
    model.subgraphs.append(model.subgraphs[0])
    content = packed(model)
    assert with_memory_plan(content) == content
    assert arena_bytes(without_plan(mixed_file)) is None


@pytest.mark.slow
@pytest.mark.parametrize("numbers", TARGETS)
@pytest.mark.parametrize(
    "activation", ["relu6", "sigmoid", "tanh", "softmax", "leaky_relu", "hard_swish", "silu", "elu"]
)
def test_activations_in_place_compute_the_same(activation: str, numbers: str) -> None:
    if numbers == "16x8" and activation in ("hard_swish", "elu"):
        pytest.skip("the converter has no such operator of 16 bits")
    x = inputs = keras.Input((8, 8, 3))
    x = L.Activation(activation)(L.Conv2D(9, 3, padding="same")(x))
    content = exported(enlivened(keras.Model(inputs, L.Dense(4)(L.Flatten()(L.Conv2D(5, 3)(x))))), numbers)
    assert arena_head(content) == arena_bytes(content)
    check_same_outputs(content, litert_run)
    check_same_outputs(content, micro_run)


@pytest.mark.slow
def test_files_of_lstm_layers_compute_the_same() -> None:
    inputs = keras.Input((10, 6))
    content = exported(enlivened(keras.Model(inputs, L.Dense(3)(L.LSTM(8)(inputs)))))
    assert arena_head(content) <= arena_head(without_plan(content))
    check_same_outputs(content, litert_run)
    check_same_outputs(content, micro_run)


def pruned(name: str, share: float) -> Any:
    """A real network with about a share of the channels of each group, uneven unless it is all of them."""
    if not (MODELS / name).exists():
        pytest.skip(f"{MODELS / name} is missing")
    model = FRAMEWORK.load_model(MODELS / name)
    network = FRAMEWORK.inspect(model)
    random = np.random.default_rng(int(100 * share))
    factors = {g: 1.0 if share == 1 else share * random.uniform(0.6, 1.4) for g in network.channels}
    widths = {g: int(np.clip(round(f * network.channels[g]), 1, network.channels[g])) for g, f in factors.items()}
    return FRAMEWORK.extract(model, network, member_kept(widths))


@pytest.mark.slow
@pytest.mark.parametrize("share", [1.0, 0.7, 0.4])
@pytest.mark.parametrize(
    "name",
    [
        "arm_kws_cnn_s.keras",
        "arm_kws_ds_cnn_s.keras",
        "arm_kws_ds_cnn_m.keras",
        "mlperf_tiny_resnet8_cifar10.h5",
        "mlperf_tiny_vww_96.keras",
    ],
)
def test_arenas_of_real_networks_are_the_peaks_of_their_descriptions(name: str, share: float) -> None:
    model = pruned(name, share)
    content = exported(model)
    assert arena_bytes(content) == arena_head(content) == counted(model)["arena"]
    assert 0 <= counted(model)["arena"] - counted(model)["peak_ram"] < 4 * ALIGNMENT_BYTES
    check_same_outputs(content, micro_run)


def separable() -> Any:
    """Depthwise and pointwise convolutions whose maps the greedy planner places badly once they are pruned."""
    x = inputs = keras.Input((10, 10, 1))
    x = L.Conv2D(16, 3, padding="same", activation="relu")(x)
    for _ in range(4):
        x = L.DepthwiseConv2D(3, padding="same", activation="relu")(x)
        x = L.Conv2D(16, 1, activation="relu")(x)
    return enlivened(keras.Model(inputs, L.Dense(4, activation="softmax")(L.GlobalAveragePooling2D()(x))))


@pytest.mark.slow
def test_files_keep_budgets_of_the_arena_that_the_greedy_planner_exceeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_report(monkeypatch)
    random = np.random.default_rng(0)
    data = random.normal(size=(200, 10, 10, 1)).astype(np.float32), np.arange(200) % 4
    settings: dict[str, Any] = {"scorer": "magnitude", "finetune_epochs": 0, "align": 1}
    plan = prune(separable(), (data, data), {"arena": "2000"}, out=tmp_path / "run", **settings)
    content = plan["2000"].path("tflite_int8").read_bytes()
    assert arena_head(content) == plan["2000"].usage["arena"] == 2000
    assert arena_head(without_plan(content)) > 2000
