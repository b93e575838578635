"""The NumPy reference on activations of 16 bits against tflite-micro, operator by operator."""

from __future__ import annotations

import numpy as np
import pytest
from reds_c_engine.reference import run

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")

from int8_graphs import examples, tflite_micro_outputs
from reds_litert.graph import read_graph
from wide_graphs import CASES, content


@pytest.mark.parametrize("name", CASES)
def test_operators(name: str) -> None:
    file = content(name)
    x = examples(file, 16)
    expected, found = tflite_micro_outputs(file, x), run(read_graph(file), x)
    assert found.dtype == expected.dtype == np.int16
    assert int((found != expected).sum()) == 0
    assert len(np.unique(found)) >= 100
