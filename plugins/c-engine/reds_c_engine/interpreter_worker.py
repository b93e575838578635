"""Lets tflite-micro run the file of each member; a script that `reds_core.system.serve` runs in a separate process.

Assertions of tflite-micro end the process, such as those in a softmax over many classes of about the same probability.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reds_core.arrays import NamedArrays
from reds_core.system import serve

ARENA_BYTES = 1 << 26


def answer(request: NamedArrays) -> dict[str, Any]:
    """Return the outputs of each member, one array (examples, ...) for each of its exits; none if a file is refused.

    Args:
        request: For each member `m`, `content/m` and `inputs/m`, and `exits`, the number of exits of each.
    """
    from tflite_micro import runtime

    found: dict[str, Any] = {}
    for member, exits in enumerate(request["exits"]):
        try:
            interpreter = runtime.Interpreter.from_bytes(request[f"content/{member}"].tobytes(), arena_size=ARENA_BYTES)
        except RuntimeError:  # it runs no dense layers with weights of 4 bits, for example
            return {}
        of_examples = []
        for example in request[f"inputs/{member}"]:
            interpreter.set_input(example[None], 0)
            interpreter.invoke()
            of_examples.append([np.array(interpreter.get_output(index)) for index in range(exits)])
        found |= {f"{member}/{exit}": np.array(each) for exit, each in enumerate(zip(*of_examples, strict=True))}
    return found


if __name__ == "__main__":
    serve(answer)
