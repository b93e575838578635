"""Output of single threads that is discarded or sent elsewhere, while other threads print as they always do.

`sys.stdout`, `sys.stderr` and the file descriptors behind them belong to the whole process. Blocks of several threads
may overlap and end in any order, so the streams are replaced when the first block begins and put back when the last one
ends, and a stream in their place finds out which thread is writing.
"""

from __future__ import annotations

import ctypes
import io
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Literal, TextIO


@contextmanager
def silenced_output(*, stderr: bool = True) -> Iterator[None]:
    """Context manager that discards what the calling thread writes to stdout and, if asked, to stderr.

    C libraries write to file descriptors, which threads share, so what these write is discarded for all threads.
    Python code of other threads is heard, unless it writes to a stream that it took before the block.
    """
    with ExitStack() as stack:
        stack.enter_context(_STDOUT.replaced(None, silences_descriptor=True))
        if stderr:
            stack.enter_context(_STDERR.replaced(None, silences_descriptor=True))
        yield


@contextmanager
def stdout_on_stderr() -> Iterator[None]:
    """Context manager in which the calling thread's output on stdout appears on stderr instead."""
    with _STDOUT.replaced(sys.stderr, silences_descriptor=False):
        yield


@contextmanager
def silenced_warnings() -> Iterator[None]:
    """Context manager in which Python warnings are ignored, in all threads, since Python has one list of filters."""
    with _WARNINGS.ignored():
        yield


def stream_behind(stream: Any) -> Any:
    """The stream in whose place `stream` was set up during such a block, or else `stream` itself."""
    return stream.original if isinstance(stream, _ThreadStream) else stream


def write_nowhere(stream: TextIO) -> None:
    """Discard everything written to `stream` from now on, so that it fails neither later nor when Python exits."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class _ThreadStream:
    """A stream in place of sys.stdout or sys.stderr. It stays usable after the block in which it was set up."""

    def __init__(self, channel: _Channel, original: TextIO | None) -> None:
        self._channel, self.original = channel, original

    def write(self, text: str) -> int:
        with self._channel.lock:
            target = self._channel.target(self.original)
            return len(text) if target is None else target.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._channel.lock:
            target = self._channel.target(self.original)
            if target is not None:
                target.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel.target(self.original) or self.original, name)


class _Channel:
    """One of the two standard streams, and the blocks that replace it.

    Attributes:
        lock: Guards the stream and what it writes to.
    """

    def __init__(self, name: Literal["stdout", "stderr"], descriptor: int) -> None:
        self.lock = threading.RLock()
        self._name, self._descriptor = name, descriptor
        self._here = threading.local()
        self._blocks = self._silences = 0
        self._stream: _ThreadStream | None = None
        self._saved: int | None = None
        self._aside: TextIO | None = None

    @contextmanager
    def replaced(self, target: TextIO | None, *, silences_descriptor: bool) -> Iterator[None]:
        """Send what this thread writes to `target`; None discards it."""
        targets = self._targets()
        with self.lock:
            self._begin(silences_descriptor)
        targets.append(target)
        try:
            yield
        finally:
            targets.pop()
            with self.lock:
                self._end(silences_descriptor)

    def target(self, original: TextIO | None) -> TextIO | None:
        """Where the calling thread writes to at present; None if that is discarded."""
        targets = self._targets()
        if targets:
            return targets[-1]
        return original if self._aside is None else self._aside

    def _targets(self) -> list[TextIO | None]:
        """The targets of the blocks that this thread is in, the innermost last."""
        if not hasattr(self._here, "targets"):
            self._here.targets = []
        found: list[TextIO | None] = self._here.targets
        return found

    def _begin(self, silences_descriptor: bool) -> None:
        if self._blocks == 0:
            self._stream = _ThreadStream(self, getattr(sys, self._name))
            setattr(sys, self._name, self._stream)
        self._blocks += 1
        if silences_descriptor:
            if self._silences == 0:
                self._silence_descriptor()
            self._silences += 1

    def _end(self, silences_descriptor: bool) -> None:
        if silences_descriptor:
            self._silences -= 1
            if self._silences == 0:
                self._restore_descriptor()
        self._blocks -= 1
        if self._blocks == 0 and self._stream is not None:
            if getattr(sys, self._name) is self._stream:  # or else the program has replaced it meanwhile
                setattr(sys, self._name, self._stream.original)
            self._stream = None

    def _silence_descriptor(self) -> None:
        """Send the file descriptor to the null device, and keep a stream to where it led for the other threads."""
        original = None if self._stream is None else self._stream.original
        with suppress(OSError, ValueError):
            if original is not None:
                original.flush()
        _flush_c_streams()
        try:
            self._saved = os.dup(self._descriptor)
        except OSError:  # closed, for example in a daemon
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._descriptor)
        os.close(nowhere)
        with suppress(OSError, ValueError, AttributeError):
            if original is not None and original.fileno() == self._descriptor:
                binary = open(self._saved, "wb", closefd=False)  # noqa: SIM115  # it ends with the block
                self._aside = io.TextIOWrapper(binary, original.encoding, original.errors, line_buffering=True)

    def _restore_descriptor(self) -> None:
        _flush_c_streams()
        if self._aside is not None:
            with suppress(OSError, ValueError):
                self._aside.close()
            self._aside = None
        if self._saved is not None:
            os.dup2(self._saved, self._descriptor)
            os.close(self._saved)
            self._saved = None


class _Warnings:
    """Python's list of warning filters, and the blocks in which all warnings are ignored."""

    def __init__(self) -> None:
        self._lock, self._blocks = threading.Lock(), 0
        self._filters = warnings.catch_warnings()

    @contextmanager
    def ignored(self) -> Iterator[None]:
        with self._lock:
            if self._blocks == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
            self._blocks += 1
        try:
            yield
        finally:
            with self._lock:
                self._blocks -= 1
                if self._blocks == 0:
                    self._filters.__exit__(None, None, None)


def _flush_c_streams() -> None:
    """Flush the streams of C libraries, which buffer output to files and pipes."""
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)


_STDOUT, _STDERR = _Channel("stdout", 1), _Channel("stderr", 2)
_WARNINGS = _Warnings()
"""These belong to the process, as the streams and the filters do."""
