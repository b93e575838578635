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
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import NamedArrays
from reds_core.system.files import temporary_folder

GRACE_S = 0.4
"""Seconds past the deadline after which the worker and its children are ended."""

COMPLAINT_BYTES = 64 * 1024
"""How much of the end of a worker's standard error is looked at."""


class Isolated:
    """A worker that runs, or has run, in its own process group and folder; made by `isolated`.

    Attributes:
        process: of the worker, which leads its group.
    """

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self._folder = folder

    @property
    def has_replied(self) -> bool:
        """Whether the reply is there, whole; the process may still be about to end."""
        return _reply_in(self._folder).exists()

    def reply(self) -> NamedArrays | None:
        """What the worker replied; None as long as it has not."""
        if not self.has_replied:
            return None
        with np.load(_reply_in(self._folder), allow_pickle=False) as reply:
            return dict(reply)

    def marks(self) -> dict[str, float]:
        """The points that the worker came to, by name, with `time.monotonic()` of the last time; see `mark`."""
        try:
            lines = _marks_in(self._folder).read_text().splitlines(keepends=True)
        except OSError:
            return {}
        whole = (line.split() for line in lines if line.endswith("\n"))
        return {name: float(moment) for name, moment in whole}

    def complaint(self, lines: int = 1) -> tuple[str, ...]:
        """The last lines of the worker's standard error."""
        with _stderr_in(self._folder).open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - COMPLAINT_BYTES, 0))
            return tuple(file.read().decode(errors="replace").strip().splitlines()[-lines:])


def _reply_in(folder: Path) -> Path:
    return folder / "reply.npz"


def _marks_in(folder: Path) -> Path:
    return folder / "marks"


def _stderr_in(folder: Path) -> Path:
    return folder / "stderr"


@contextlib.contextmanager
def isolated(
    worker: Path, request: Mapping[str, npt.ArrayLike], environment: Mapping[str, str] | None = None
) -> Iterator[Isolated]:
    """Run the script `worker`, which calls `serve`, inside the block; afterwards its group and folder are gone.

    Args:
        worker: path of a Python script; this interpreter runs it.
        request: arrays, numbers and texts by name.
        environment: variables to set for it beside this process's own.
    """
    with temporary_folder() as folder:
        name = str(folder)
        asked = folder / "request.npz"
        _save(asked, request)
        with _stderr_in(folder).open("wb") as stderr:
            process = subprocess.Popen(
                # -P: the script's folder is a package whose modules must not shadow others
                [sys.executable, "-P", "-W", "ignore", str(worker), str(asked), str(_reply_in(folder))],
                cwd=folder,
                env={**os.environ, **(environment or {}), "TMPDIR": name, "TEMP": name, "TMP": name},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            yield Isolated(process, folder)
        finally:
            _end(process)


def run_isolated(worker: Path, request: Mapping[str, npt.ArrayLike], deadline: float | None) -> NamedArrays | None:
    """The reply of the script `worker`, which calls `serve`, to `request`; None if it had to be ended at the deadline.

    Args:
        worker: path of a Python script; this interpreter runs it.
        request: arrays, numbers and texts by name.
        deadline: `time.monotonic()` at which the worker should have stopped, or None.

    Raises:
        MemoryError: if the worker ran out of memory.
        RuntimeError: if it fails otherwise; with the last line of its standard error.
    """
    with isolated(worker, request) as running:
        try:
            running.process.wait(None if deadline is None else max(deadline + GRACE_S - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            return None
        reply = running.reply()
        if reply is None:
            status = f"the worker ended with status {running.process.returncode}"
            complaint = next(iter(running.complaint()), status)
            # numpy raises a class of its own: numpy._core._exceptions._ArrayMemoryError
            out_of_memory = complaint.partition(":")[0].endswith("MemoryError")
            raise (MemoryError if out_of_memory else RuntimeError)(complaint)
        return reply


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


def serve(answer: Callable[[NamedArrays], Mapping[str, npt.ArrayLike]]) -> None:
    """The main function of a worker script: read the request, call `answer`, write the reply.

    If the caller's process goes first, the worker removes its folder and ends its whole group. SIGTERM, which a system
    sends to every process of a command, is left to the caller, who ends the worker in order.
    """
    signal.signal(signal.SIGTERM, _leave_to_caller)
    threading.Thread(target=_watch_parent, daemon=True).start()
    asked, replied = Path(sys.argv[1]), Path(sys.argv[2])
    with np.load(asked, allow_pickle=False) as file:
        request = dict(file)
    part = replied.with_name("part.npz")
    _save(part, answer(request))
    part.replace(replied)


def _leave_to_caller(number: int, frame: FrameType | None) -> None:
    """Not SIG_IGN, which programs that the worker starts would inherit."""


def mark(point: str) -> None:
    """Called by a worker: tell the caller that it has come to `point`, a word, and when; see `Isolated.marks`."""
    with _marks_in(Path(sys.argv[2]).parent).open("a") as file:
        file.write(f"{point} {time.monotonic()!r}\n")


def _watch_parent() -> None:
    """Wait for standard input to end, which the caller holds open until it has the reply, or is gone."""
    while os.read(0, 1):  # not through sys.stdin, whose lock would hold up the end of the process for a second
        pass
    # not the working directory: where the caller's own folder held it, it may be gone already
    shutil.rmtree(Path(sys.argv[2]).parent, ignore_errors=True)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
