"""Worker scripts that run in their own process group and temporary folder, both of which are always cleaned up.

For back ends that must not run in the caller's process because they exceed time limits, print, start child processes,
leave files behind, or import libraries that conflict with others. Requests and replies are .npz files without pickle.
"""

from __future__ import annotations

import contextlib
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
"""Seconds after the deadline at which the worker and its child processes are killed."""

_CALLER_FOLDER = "REDS_CALLER_FOLDER"
"""Environment variable that tells workers, and their workers, in which folder the user's process runs."""

COMPLAINT_BYTES = 64 * 1024
"""Number of bytes at the end of a worker's standard error that are read."""


class Isolated:
    """A worker that is running, or has run, in its own process group and folder; created by `isolated`.

    Attributes:
        process: the process of the worker, which is the leader of its process group.
    """

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self._folder = folder

    @property
    def has_replied(self) -> bool:
        """Whether the complete reply has been written. The process may still be running."""
        return _reply_in(self._folder).exists()

    def reply(self) -> NamedArrays | None:
        """Return the reply of the worker, or None if there is no reply yet."""
        if not self.has_replied:
            return None
        with np.load(_reply_in(self._folder), allow_pickle=False) as reply:
            return dict(reply)

    def marks(self) -> dict[str, float]:
        """Return the points that the worker has marked by name, with the latest `time.monotonic()` of each.

        See `mark`.
        """
        try:
            lines = _marks_in(self._folder).read_text().splitlines(keepends=True)
        except OSError:
            return {}
        complete = (line.split() for line in lines if line.endswith("\n"))
        return {name: float(moment) for name, moment in complete}

    def complaint(self, lines: int = 1) -> tuple[str, ...]:
        """Return the last lines of the worker's standard error."""
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
    worker: Path, request: Mapping[str, npt.ArrayLike], environment: Mapping[str, str | None] | None = None
) -> Iterator[Isolated]:
    """Run a worker script inside the block; afterwards, kill its process group and remove its folder.

    Args:
        worker: path of a Python script that calls `serve`, which is run by the current interpreter.
        request: arrays, numbers and strings by name.
        environment: environment variables to set in addition to those of this process; None removes a variable.
    """
    changed = {**os.environ, **(environment or {})}
    inherited = {key: text for key, text in changed.items() if text is not None}
    with temporary_folder() as folder:
        name = str(folder)
        request_path = folder / "request.npz"
        _save(request_path, request)
        with _stderr_in(folder).open("wb") as stderr:
            process = subprocess.Popen(
                # -P: the script's folder is a package whose modules must not shadow others
                [sys.executable, "-P", "-W", "ignore", str(worker), str(request_path), str(_reply_in(folder))],
                cwd=folder,
                env={**inherited, "TMPDIR": name, "TEMP": name, "TMP": name, _CALLER_FOLDER: caller_folder()},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            yield Isolated(process, folder)
        finally:
            _end(process)


def caller_folder() -> str:
    """The working folder of the process that the user started, also in workers, which run in folders of their own."""
    return os.environ.get(_CALLER_FOLDER) or os.getcwd()


def run_isolated(worker: Path, request: Mapping[str, npt.ArrayLike], deadline: float | None) -> NamedArrays | None:
    """Run a worker script and return its reply.

    Args:
        worker: path of a Python script that calls `serve`, which is run by the current interpreter.
        request: arrays, numbers and strings by name.
        deadline: `time.monotonic()` by which the worker should have finished, or None.

    Returns:
        The reply, or None if the worker was killed after the deadline before it had replied.

    Raises:
        MemoryError: if the worker ran out of memory.
        RuntimeError: if the worker failed for another reason; the message is the last line of its standard error.
    """
    with isolated(worker, request) as running:
        try:
            running.process.wait(None if deadline is None else max(deadline + GRACE_S - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            return running.reply()  # which it may have written without having ended
        reply = running.reply()
        if reply is None:
            status = f"the worker ended with status {running.process.returncode}"
            complaint = next(iter(running.complaint()), status)
            # numpy raises a subclass, numpy._core._exceptions._ArrayMemoryError
            out_of_memory = complaint.partition(":")[0].endswith("MemoryError")
            raise (MemoryError if out_of_memory else RuntimeError)(complaint)
        return reply


def _save(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    members: dict[str, Any] = {key: np.asarray(value) for key, value in arrays.items()}
    np.savez(path, allow_pickle=False, **members)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the worker and all processes that it has started, which are the only ones in its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    if process.stdin is not None:
        process.stdin.close()
    process.wait()


def serve(answer: Callable[[NamedArrays], Mapping[str, npt.ArrayLike]]) -> None:
    """Run a worker script: read the request, call `answer` and write the reply.

    If the caller's process ends first, the worker removes its folder and kills its process group. The worker ignores
    SIGTERM, which the system may send to all processes of a command; the caller then stops the worker.
    """
    signal.signal(signal.SIGTERM, _ignore_signal)
    threading.Thread(target=_watch_parent, daemon=True).start()
    request_path, reply_path = Path(sys.argv[1]), Path(sys.argv[2])
    with np.load(request_path, allow_pickle=False) as file:
        request = dict(file)
    part = reply_path.with_name("part.npz")
    _save(part, answer(request))
    part.replace(reply_path)


def _ignore_signal(number: int, frame: FrameType | None) -> None:
    """Ignore a signal, unlike SIG_IGN without the programs that the worker starts inheriting that."""


def mark(point: str) -> None:
    """Record in a worker that it has reached `point`, a single word, and the time; see `Isolated.marks`."""
    with _marks_in(Path(sys.argv[2]).parent).open("a") as file:
        file.write(f"{point} {time.monotonic()!r}\n")


def _watch_parent() -> None:
    """Kill the worker when standard input is closed, which the caller keeps open until it has the reply or ends."""
    while os.read(0, 1):  # not sys.stdin, whose lock would delay the end of the process by a second
        pass
    # not by the working directory, which may have been removed together with a folder of the caller
    shutil.rmtree(Path(sys.argv[2]).parent, ignore_errors=True)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
