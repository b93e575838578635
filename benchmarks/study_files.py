"""Measures .tflite files for the studies of transforms and of pruners: bytes, zipped bytes, memory and latency."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reds_core import profile

BLOCKS, RUNS_PER_BLOCK = 30, 20


@dataclass(frozen=True)
class FileFigures:
    """What a .tflite file takes, and how fast it is compared with the file of the full network.

    Attributes:
        file_bytes: The size of the file.
        zipped_bytes: The size of a ZIP archive with the file alone (Deflate, level 9).
        arena_bytes: The memory that tflite-micro needs for activations; None if it cannot run the file.
        latency_ratio: The time of an inference by LiteRT on one core of this machine, divided by that of the full
            network. Both are measured in turn in the same process.
        engine_latency_ratio: The same by the C engine, compiled for this machine; None if it was not measured.
    """

    file_bytes: int
    zipped_bytes: int
    arena_bytes: int | None
    latency_ratio: float
    engine_latency_ratio: float | None = None


def measured(path: Path, full: Path, on_engine: bool = False) -> FileFigures:
    """Measure a file.

    Args:
        path: The file.
        full: The file of the full network that it is compared with.
        on_engine: Whether to time the C engine as well, which compiles it for both files.
    """
    content = path.read_bytes()
    return FileFigures(
        file_bytes=len(content),
        zipped_bytes=zipped_bytes(content),
        arena_bytes=_arena_bytes(path),
        latency_ratio=ratio_in_turn(_inference(path), _inference(full)),
        engine_latency_ratio=_engine_ratio(path, full) if on_engine else None,
    )


def zipped_bytes(content: bytes) -> int:
    """The size of a ZIP archive with one file of some content. It does not depend on the time or the machine."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(zipfile.ZipInfo("model.tflite"), content, zipfile.ZIP_DEFLATED, 9)
    return len(written.getvalue())


def ratio_in_turn(
    first: Callable[[], Any], second: Callable[[], Any], blocks: int = BLOCKS, runs: int = RUNS_PER_BLOCK
) -> float:
    """The time of the first function divided by that of the second.

    Blocks of runs of both are timed in turn, so that the load of the machine is the same for both, and the fastest
    blocks are compared, since other work can only make a block slower.
    """
    best = [float("inf"), float("inf")]
    for _ in range(blocks):
        for which, run in enumerate((first, second)):
            run()
            began = time.perf_counter_ns()
            for _ in range(runs):
                run()
            best[which] = min(best[which], time.perf_counter_ns() - began)
    return best[0] / best[1]


def _inference(path: Path) -> Callable[[], Any]:
    """An inference of zeros by LiteRT in one thread."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    for tensor in interpreter.get_input_details():  # latency does not depend on values
        interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
    return interpreter.invoke


def _arena_bytes(path: Path) -> int | None:
    from reds_core.errors import RedsError

    try:
        (record,) = profile(path, "tflite-micro", verbose=0)
    except RedsError:
        return None
    return record.arena_head


def _engine_ratio(path: Path, full: Path, turns: int = 3) -> float | None:
    from reds_core.errors import RedsError

    times: dict[Path, list[float]] = {path: [], full: []}
    try:
        for _ in range(turns):
            for each, found in times.items():
                (record,) = profile(each, "c-engine", config="host", verbose=0)
                if record.latency_ns is None:
                    return None
                found.append(record.latency_ns)
    except RedsError:
        return None
    return min(times[path]) / min(times[full])
