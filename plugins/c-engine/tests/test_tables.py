"""Tables of functions against tflite-micro, for all 256 inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reds_c_engine.kernel_records import LookupTable
from reds_c_engine.lowering import lowered
from reds_c_engine.reference import run
from reds_c_engine.tables import FUNCTIONS, composed, table_bytes

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")

from int8_graphs import ACTIVATIONS, GraphBuilder, options, tflite_micro_outputs
from reds_litert.graph import read_graph

from reds_core.errors import UnsupportedError

INPUTS = np.arange(-128, 128).astype(np.int8)[None]
PARTS = ((200, 2, -128), (200**2, 3, -128), (200**2, 3, 3), (200**2, 3, 5))
"""Factor, power of the scale of the input, and zero point of what a function of many parts computes."""
OUTPUTS = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}


def check(build: GraphBuilder, x: int, y: int) -> None:
    """Compare the single table of a graph with tflite-micro."""
    content = build.content(x, y)
    (step,) = lowered(read_graph(content), {}).steps
    assert isinstance(step.settings, LookupTable)
    expected = tflite_micro_outputs(content, INPUTS)[0]
    assert np.frombuffer(step.settings.table, np.int8).tolist() == expected.tolist()


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_functions(kind: str) -> None:
    for scale in (0.003, 0.024, 0.05, 0.11, 0.4):
        for zero_point in (-128, -3, 90):
            build = GraphBuilder()
            x = build.tensor((1, 256), scale, zero_point)
            y = build.tensor((1, 256), *OUTPUTS.get(kind, (scale * 0.97, -20)))
            settings: Any = options("LeakyReluOptions", alpha=0.3) if kind == "LEAKY_RELU" else None
            build.operator(kind, [x], y, settings)
            check(build, x, y)


@pytest.mark.parametrize("kind", ["RELU", "LEAKY_RELU", "QUANTIZE"])
def test_results_halfway_between_two_integers(kind: str) -> None:
    """Their rounding depends on the last bits of the ratio of both scales."""
    for source, target in ((1 / 128, 0.05), (0.05, 0.004), (0.01, 0.004), (0.3, 0.04), (0.05, 0.2), (0.7, 0.04)):
        build = GraphBuilder()
        x, y = build.tensor((1, 256), source, 1), build.tensor((1, 256), target, 18)
        build.operator(kind, [x], y, options("LeakyReluOptions", alpha=0.25) if kind == "LEAKY_RELU" else None)
        check(build, x, y)
        content = build.content(x, y)
        assert run(read_graph(content), INPUTS).tolist() == tflite_micro_outputs(content, INPUTS).tolist()


@pytest.mark.parametrize("target", [1.5, 1e-5])
def test_scales_of_hard_swish_that_are_too_far_apart_are_refused(target: float) -> None:
    build = GraphBuilder()
    x, y = build.tensor((1, 256), 0.002), build.tensor((1, 256), target)
    content = build.content(x, build.operator("HARD_SWISH", [x], y))
    with pytest.raises(UnsupportedError, match="its scales are too far apart"):
        lowered(read_graph(content), {})
    with pytest.raises(UnsupportedError, match="the scales of HARD_SWISH are too far apart"):
        run(read_graph(content), INPUTS)


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("activation", ["none", "relu6"])
def test_sums_and_products_with_a_number(kind: str, is_first: bool, activation: str) -> None:
    for scale in (0.004, 0.06):
        build = GraphBuilder()
        x = build.tensor((1, 256), 0.04, 7)
        constant = build.tensor((), scale, -2, data=np.array(101, np.int8))
        y = build.tensor((1, 256), 0.05, -40)
        settings = options(f"{kind.capitalize()}Options", fusedActivationFunction=ACTIVATIONS[activation])
        build.operator(kind, [constant, x] if is_first else [x, constant], y, settings)
        check(build, x, y)


def test_tables_in_a_row_become_one() -> None:
    build = GraphBuilder()
    x = build.tensor((1, 256), 0.03, 7)
    a = build.operator("HARD_SWISH", [x], build.tensor((1, 256), 0.025, -100))
    shape = build.tensor((4,), data=np.array([1, 16, 16, 1], np.int32))
    b = build.operator("RESHAPE", [a, shape], build.tensor((1, 16, 16, 1), 0.025, -100), options("ReshapeOptions"))
    y = build.operator("TANH", [b], build.tensor((1, 16, 16, 1), 1 / 128))
    content = build.content(x, y)
    (step,) = lowered(read_graph(content), {}).steps
    assert isinstance(step.settings, LookupTable)
    found = np.frombuffer(step.settings.table, np.int8).tolist()
    assert found == tflite_micro_outputs(content, INPUTS)[0].reshape(-1).tolist()


def swish(build: GraphBuilder, x: int, y: int) -> int:
    """Adds the product of a tensor and its sigmoid, and returns the sigmoid."""
    gate = build.operator("LOGISTIC", [x], build.tensor((1, 256), 1 / 256, -128))
    build.operator("MUL", [gate, x], y, options("MulOptions"))
    return gate


@pytest.mark.parametrize("scale", [0.003, 0.05, 0.4])
@pytest.mark.parametrize("zero_point", [-128, -3, 90])
def test_functions_of_one_tensor_are_one_table(scale: float, zero_point: int) -> None:
    """SiLU, a square, and a function of many parts, some of which are read several times."""
    build = GraphBuilder()
    x, y = build.tensor((1, 256), scale, zero_point), build.tensor((1, 256), scale * 0.9, -20)
    swish(build, x, y)
    check(build, x, y)
    build = GraphBuilder()
    x, y = build.tensor((1, 256), scale, zero_point), build.tensor((1, 256), 100 * scale**2, -128)
    build.operator("MUL", [x, x], y, options("MulOptions", fusedActivationFunction=1))
    check(build, x, y)
    build = GraphBuilder()
    x, (square, cube, less, y) = (
        build.tensor((1, 256), scale, zero_point),
        (build.tensor((1, 256), factor * scale**power, zero) for factor, power, zero in PARTS),
    )
    positive = build.operator("RELU", [x], build.tensor((1, 256), scale, -128))
    gate = build.operator("TANH", [positive], build.tensor((1, 256), 1 / 128))
    build.operator("MUL", [positive, positive], square, options("MulOptions"))
    build.operator("MUL", [square, positive], cube, options("MulOptions"))
    build.operator("SUB", [cube, gate], less, options("SubOptions"))
    build.operator("ADD", [less, positive], y, options("AddOptions"))
    check(build, x, y)


def test_a_table_that_something_else_reads_stays() -> None:
    """Here the sigmoid, which is an output of the network as well."""
    build = GraphBuilder()
    x, y = build.tensor((1, 256), 0.03, 7), build.tensor((1, 256), 0.03, -20)
    gate = swish(build, x, y)
    for outputs, kernels in (([y], ["reds_lookup"]), ([gate, y], ["reds_lookup", "reds_multiply"])):
        steps = lowered(read_graph(build.content(x, *outputs)), {}).steps
        assert [step.kernel for step in steps] == kernels


def test_a_function_of_several_tensors_is_no_table() -> None:
    build = GraphBuilder()
    x, y = build.tensor((1, 256), 0.03, 7), build.tensor((1, 256), 0.003, -20)
    shares = build.operator("SOFTMAX", [x], build.tensor((1, 256), 1 / 256, -128), options("SoftmaxOptions", beta=1.0))
    build.operator("MUL", [shares, x], y, options("MulOptions"))
    steps = lowered(read_graph(build.content(x, y)), {}).steps
    assert [step.kernel for step in steps] == ["reds_softmax", "reds_multiply"]


def test_tables_are_composed_by_looking_up_results() -> None:
    first, second = table_bytes(np.arange(127, -129, -1)), table_bytes(np.arange(-128, 128) // 2)
    assert np.frombuffer(composed(first, second), np.int8).tolist() == [v // 2 for v in range(127, -129, -1)]
