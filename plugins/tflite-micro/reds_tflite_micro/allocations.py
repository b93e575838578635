"""What tflite-micro allocates for a file, as its recording allocator reports it.

The report is written to the file descriptor of standard error. Descriptors belong to the whole process, so that they
cannot be redirected while other threads write, and assertions of the interpreter end the process. It therefore runs in
a process of its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from reds_litert.footprint import footprint_of

from reds_core.errors import InputError, UnsupportedError
from reds_core.system import run_isolated

WORKER = Path(__file__).with_name("interpreter_worker.py")
LIMIT_S = 300.0
CUSTOM = "CUSTOM"
_ALLOCATION = re.compile(r"Arena allocation (total|head|tail) (\d+)")
_MISSING = re.compile(r"op for builtin opcode '(\w+)'|registration from op code (\w+)")


@dataclass(frozen=True)
class Allocations:
    """The arena of a file.

    Attributes:
        total_bytes: Its size. Structures with pointers count as on this machine, where these have 64 bits.
        head_bytes: The part for activations and scratch buffers, which is the same on a device.
    """

    total_bytes: int
    head_bytes: int


def allocations(path: Path, content: bytes) -> Allocations:
    """Return what tflite-micro allocates for a file.

    Args:
        path: The path of the file, for messages.
        content: Its content.

    Raises:
        InputError: If the content is damaged.
        UnsupportedError: If tflite-micro cannot run the file; the message names the operator that it lacks.
    """
    try:
        request: dict[str, npt.ArrayLike] = {"content": np.frombuffer(content, np.uint8), "outputs": 0}
        reply = run_isolated(WORKER, request, time.monotonic() + LIMIT_S)
    except RuntimeError as error:  # the interpreter has crashed
        raise InputError(f"'{path}' cannot be read by tflite-micro", "export it again") from error
    text = "" if reply is None else str(reply["text"])
    found = {name: int(size) for name, size in _ALLOCATION.findall(text)}
    if not {"total", "head"} <= found.keys():
        raise refused(path, text, footprint_of(path, content).custom_operators)
    return Allocations(found["total"], found["head"])


def refused(path: Path, text: str, custom: Collection[str] = ()) -> UnsupportedError:
    """Return the error for a file that tflite-micro cannot run.

    Args:
        path: The path of the file.
        text: What tflite-micro printed.
        custom: The names of the custom operators of the file, which tflite-micro does not name.
    """
    missing = _MISSING.search(text)
    if missing is not None:
        operator = missing[1] or missing[2]
        if operator == CUSTOM:
            operator = " or ".join(custom) or operator
        what = f"tflite-micro has no operator {operator}, which '{path}' needs"
        return UnsupportedError(what, "replace the layers that become this operator, or run the file in LiteRT")
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason is given")
    return UnsupportedError(f"tflite-micro cannot run '{path}' ({last.rstrip('.')})", "run the file in LiteRT")
