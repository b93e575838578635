"""Lets tflite-micro allocate one file; a script that `reds_core.system.serve` runs in a separate process."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from reds_core.arrays import NamedArrays
from reds_core.system import serve

ARENA_BYTES = (1 << 24, 1 << 27, 1 << 30)
"""The sizes of the arena that are tried in turn. What a file takes of it does not depend on its size."""


def answer(request: NamedArrays) -> dict[str, Any]:
    """Return what tflite-micro prints while it allocates the file in `request`, and what it has allocated."""
    from tflite_micro import runtime

    content, text = request["content"].tobytes(), ""
    for size in ARENA_BYTES:
        with tempfile.TemporaryFile() as printed:
            os.dup2(printed.fileno(), 2)
            try:
                runtime.Interpreter.from_bytes(content, arena_size=size).print_allocations()
            except RuntimeError as error:
                failure: str | None = str(error)
            else:
                failure = None
            printed.seek(0)
            text = printed.read().decode(errors="replace")
        if failure is None or "op code" in text:
            break
    return {"text": text}


if __name__ == "__main__":
    serve(answer)
