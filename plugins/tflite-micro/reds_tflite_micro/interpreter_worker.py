"""Lets tflite-micro allocate one file and run it; a script that `reds_core.system.serve` runs in a separate process."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np

from reds_core.arrays import NamedArrays
from reds_core.system import serve

ARENA_BYTES = (1 << 24, 1 << 27, 1 << 30)
"""The sizes of the arena that are tried in turn. What a file takes of it does not depend on its size."""


def answer(request: NamedArrays) -> dict[str, Any]:
    """Allocate a file, and run it on examples if there are any.

    Args:
        request: `content`, the bytes of the file; `outputs`, how many of its outputs are wanted; and if any is,
            `input/i`, the examples (N, ...) of each input `i`, with values of its type.

    Returns:
        `text`, what tflite-micro prints while it allocates the file, and what it has allocated; and if it can run the
        file, `output/i` for each output `i` that is wanted, an array (N, ...) with values of its type.
    """
    from tflite_micro import runtime

    content, text, interpreter = request["content"].tobytes(), "", None
    for size in ARENA_BYTES:
        with tempfile.TemporaryFile() as printed:
            os.dup2(printed.fileno(), 2)
            try:
                interpreter = runtime.Interpreter.from_bytes(content, arena_size=size)
            except RuntimeError:
                interpreter = None
            else:
                interpreter.print_allocations()
            printed.seek(0)
            text = printed.read().decode(errors="replace")
        if interpreter is not None or "op code" in text:
            break
    outputs = range(int(request["outputs"]))
    if interpreter is None or not outputs:
        return {"text": text}
    inputs = [request[f"input/{index}"] for index in range(sum(name.startswith("input/") for name in request))]
    found = []
    for example in zip(*inputs, strict=True):
        for index, values in enumerate(example):
            interpreter.set_input(values[None], index)
        interpreter.invoke()
        found.append([np.array(interpreter.get_output(index)) for index in outputs])
    return {"text": text, **{f"output/{i}": np.concatenate([each[i] for each in found]) for i in outputs}}


if __name__ == "__main__":
    serve(answer)
