"""What tflite-micro computes and allocates for a .tflite file."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

ARENA_BYTES = 16 * 2**20


def micro_interpreter(content: bytes) -> Any:
    """Return an interpreter for the content of a file. The test is skipped where the wheel is missing."""
    runtime = pytest.importorskip("tflite_micro", reason="tflite-micro is not installed").runtime
    return runtime.Interpreter.from_bytes(content, arena_size=ARENA_BYTES)


def arena_head(content: bytes) -> int:
    """Return the bytes of the arena that hold activations and scratch memory."""
    interpreter = micro_interpreter(content)
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            interpreter.print_allocations()
        finally:
            os.dup2(before, 2)
            os.close(before)
        file.seek(0)
        found = re.search(r"Arena allocation head (\d+) bytes", file.read().decode())
    assert found is not None
    return int(found[1])


def micro_run(content: bytes, examples: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Return all outputs for each example, which has an array of integers for each input."""
    interpreter = micro_interpreter(content)
    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    found = []
    for example in examples:
        for index, values in enumerate(example):
            interpreter.set_input(values, index)
        interpreter.invoke()
        found += [interpreter.get_output(index).copy() for index in range(graph.OutputsLength())]
    return found
