"""Runs a worker script in a process group and a folder of its own, and ends and removes both whatever happens.

For back ends that cannot be trusted with the caller's process: that overrun time limits, print, start children, leave
files, or import libraries that cannot live beside others. Requests and replies are .npz files without pickle.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]

GRACE_S = 0.4
"""Seconds past the deadline after which the worker and its children are ended."""


def run_isolated(worker: Path, request: Mapping[str, npt.ArrayLike], deadline: float | None) -> Arrays | None:
    """The reply of the script `worker`, which calls `serve`, to `request`; None if it had to be ended at the deadline.

    Args:
        worker: path of a Python script; this interpreter runs it.
        request: arrays, numbers and texts by name.
        deadline: `time.monotonic()` at which the worker should have stopped, or None.

    Raises:
        RuntimeError: if the worker fails; with the last line of its standard error.
    """
    with tempfile.TemporaryDirectory(prefix="reds-", ignore_cleanup_errors=True) as folder:
        asked, replied = Path(folder, "request.npz"), Path(folder, "reply.npz")
        _save(asked, request)
        with Path(folder, "stderr").open("w+b") as stderr:
            process = subprocess.Popen(
                # -P: the script's folder is a package whose modules must not shadow others
                [sys.executable, "-P", "-W", "ignore", str(worker), str(asked), str(replied)],
                cwd=folder,
                env={**os.environ, "TMPDIR": folder, "TEMP": folder, "TMP": folder},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
            try:
                process.wait(None if deadline is None else max(deadline + GRACE_S - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                return None
            finally:
                _end(process)
            stderr.seek(0)
            complaint = stderr.read().decode(errors="replace").strip().splitlines()
        if not replied.exists():
            raise RuntimeError(complaint[-1] if complaint else f"the worker ended with status {process.returncode}")
        with np.load(replied, allow_pickle=False) as reply:
            return dict(reply)


def _save(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    members: dict[str, Any] = {key: np.asarray(value) for key, value in arrays.items()}
    np.savez(path, allow_pickle=False, **members)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the worker and all it has started; no other process is in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    if process.stdin is not None:
        process.stdin.close()
    process.wait()


@contextlib.contextmanager
def muted_stdout() -> Iterator[None]:
    """Discard what C libraries print to standard output inside the block; other threads' output too, so keep it short.

    Raises nothing where there is no standard output.
    """
    try:
        saved = os.dup(1)
    except OSError:
        yield
        return
    sys.stdout.flush()
    _flush_c_streams()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    try:
        yield
    finally:
        _flush_c_streams()
        os.dup2(saved, 1)
        os.close(saved)


def _flush_c_streams() -> None:
    """C libraries hold back what they print to a file or pipe until their buffer is full."""
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)


def serve(answer: Callable[[Arrays], Mapping[str, npt.ArrayLike]]) -> None:
    """The main function of a worker script: read the request, call `answer`, write the reply.

    If the caller's process goes first, the worker removes its folder and ends its whole group.
    """
    threading.Thread(target=_watch_parent, daemon=True).start()
    asked, replied = Path(sys.argv[1]), Path(sys.argv[2])
    with np.load(asked, allow_pickle=False) as file:
        request = dict(file)
    part = replied.with_name("part.npz")
    _save(part, answer(request))
    part.replace(replied)


def _watch_parent() -> None:
    """Wait for standard input to end, which the caller holds open until it has the reply, or is gone."""
    while os.read(0, 1):  # not through sys.stdin, whose lock would hold up the end of the process for a second
        pass
    shutil.rmtree(Path.cwd(), ignore_errors=True)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
