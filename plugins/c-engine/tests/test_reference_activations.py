"""Activations and softmax of the NumPy reference against tflite-micro."""

from __future__ import annotations

import numpy as np
import pytest
from reds_c_engine.reference import run

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")

from int8_graphs import GraphBuilder, examples, options, tflite_micro_outputs
from reds_litert.graph import read_graph


@pytest.mark.parametrize("zero_point", [-128, -3, 90])
@pytest.mark.parametrize("scale", [0.003, 0.024, 0.05, 0.11])
@pytest.mark.parametrize("kind", ["RELU", "RELU6", "LEAKY_RELU", "HARD_SWISH", "LOGISTIC", "TANH"])
def test_activation(kind: str, scale: float, zero_point: int) -> None:
    """All 256 inputs."""
    build = GraphBuilder()
    x = build.tensor((1, 256), scale, zero_point)
    of_output = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0), "RELU6": (scale, zero_point)}
    y = build.tensor((1, 256), *of_output.get(kind, (scale * 0.97, -20)))
    settings = options("LeakyReluOptions", alpha=0.3) if kind == "LEAKY_RELU" else None
    build.operator(kind, [x], y, settings)
    content = build.content(x, y)
    everything = np.arange(-128, 128).astype(np.int8)[None]
    assert run(read_graph(content), everything).tolist() == tflite_micro_outputs(content, everything).tolist()


@pytest.mark.parametrize("beta", [1.0, 0.3])
@pytest.mark.parametrize("scale", [0.0007, 0.06, 0.31, 1.7])
@pytest.mark.parametrize("classes", [2, 10, 257])
def test_softmax(classes: int, scale: float, beta: float) -> None:
    build = GraphBuilder()
    x = build.tensor((1, 3, classes), scale, 13)
    y = build.tensor((1, 3, classes), 1 / 256, -128)
    build.operator("SOFTMAX", [x], y, options("SoftmaxOptions", beta=beta))
    content = build.content(x, y)
    inputs = examples(content, 200)
    assert run(read_graph(content), inputs).tolist() == tflite_micro_outputs(content, inputs).tolist()
