"""What tflite-micro computes and allocates for a .tflite file."""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any

import numpy as np
import pytest

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


def micro_outputs(content: bytes, x: np.ndarray) -> np.ndarray:
    """Return what a network with one input and one output computes for integer examples (N, ...)."""
    interpreter = micro_interpreter(content)
    found = []
    for example in x:
        interpreter.set_input(example[None], 0)
        interpreter.invoke()
        found.append(interpreter.get_output(0)[0].copy())
    return np.array(found)
