"""Runs the worker in a process group and a folder of its own, and ends and removes both whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

WORKER = Path(__file__).with_name("worker.py")

GRACE_S = 0.4
"""Seconds past the deadline after which the worker and its children are ended."""


@dataclass(frozen=True, eq=False)
class Reply:
    """What came of one run.

    Attributes:
        unavailable: None, or the back ends that are there where the one asked for is not.
        optimal, infeasible, found: what the back end says; `found` is true with any solution.
        levels: float64 (columns,), nan where the back end set none.
        seconds: inside the back end.
        late: the worker was ended at the deadline; nothing else is known.
    """

    unavailable: str | None = None
    optimal: bool = False
    infeasible: bool = False
    found: bool = False
    levels: npt.NDArray[np.float64] | None = None
    seconds: float | None = None
    late: bool = False


def run(request: Mapping[str, Any], deadline: float | None) -> Reply:
    """Have the worker answer `request`.

    Args:
        request: arrays by the names that the worker reads.
        deadline: `time.time()` at which the back end should have stopped, or None.

    Raises:
        RuntimeError: if the worker fails; with the last line of its standard error.
    """
    with tempfile.TemporaryDirectory(prefix="reds-pulp-") as folder:
        asked, replied = Path(folder, "request.npz"), Path(folder, "reply.npz")
        np.savez(asked, allow_pickle=False, **request)
        environment = {**os.environ, "TMPDIR": folder, "TEMP": folder, "TMP": folder}
        with Path(folder, "stderr").open("w+b") as stderr:
            worker = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", str(WORKER), str(asked), str(replied)],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
            try:
                worker.wait(None if deadline is None else max(deadline + GRACE_S - time.time(), 0.0))
            except subprocess.TimeoutExpired:
                return Reply(late=True)
            finally:
                _end(worker)
            stderr.seek(0)
            complaint = stderr.read().decode(errors="replace").strip().splitlines()
        if not replied.exists():
            raise RuntimeError(complaint[-1] if complaint else f"the worker ended with status {worker.returncode}")
        with np.load(replied, allow_pickle=False) as reply:
            return _read(reply)


def _read(reply: Mapping[str, Any]) -> Reply:
    if "unavailable" in reply:
        return Reply(unavailable=str(reply["unavailable"]))
    optimal, infeasible, found = (bool(reply[key]) for key in ("optimal", "infeasible", "found"))
    return Reply(None, optimal, infeasible, found, np.asarray(reply["levels"], np.float64), float(reply["seconds"]))


def _end(worker: subprocess.Popen[bytes]) -> None:
    """End the worker and all it has started; no other process is in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(worker.pid, signal.SIGKILL)
        else:
            worker.kill()
    if worker.stdin is not None:
        worker.stdin.close()
    worker.wait()
