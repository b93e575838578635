"""records.jsonl as it is written: one line a solve, whole and on disk before the next is begun."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from reds_core.bench.reader import RECORDS_FILE, read_records
from reds_core.bench.record import Contender, SolveRecord
from reds_core.bench.task import Limits
from reds_core.errors import InputError
from reds_core.files import make_folder
from reds_core.records import to_json_line


def solve_key(sha256: str, contender: Contender, repeat: int, limits: Limits) -> Hashable:
    """What makes two solves one: problem, solver with its options and version, repeat, limits, threads and seed."""
    options = tuple(sorted(contender.options.items()))
    return sha256, contender.solver, options, contender.version, repeat, limits


def key_of(record: SolveRecord) -> Hashable:
    """The key of the solve that the record tells of."""
    limits = Limits(record.time_limit_s, record.memory_limit_bytes, record.threads, record.seed)
    return solve_key(record.problem.sha256, record.contender, record.repeat, limits)


class RecordFile:
    """An open records.jsonl.

    Attributes:
        before: the records that it held when it was opened.
    """

    def __init__(self, file: IO[bytes], path: Path, before: tuple[SolveRecord, ...]) -> None:
        self._file, self._path = file, path
        self.before = before

    def added(self) -> int:
        """How many records have reached the file since it was opened, whenever Ctrl-C was pressed."""
        return self._path.read_bytes().count(b"\n") - len(self.before)

    def append(self, record: SolveRecord) -> None:
        """Write a record; it is on disk when this returns.

        Raises:
            InputError: if the disk is full.
        """
        try:
            self._file.write(to_json_line(record).encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise InputError(
                f"'{self._file.name}' cannot be written ({error.strerror})", "make room; the same command goes on"
            ) from error


@contextmanager
def opened(folder: Path) -> Iterator[RecordFile]:
    """The records.jsonl of `folder`, made if it is not there; a last line that is not whole is cut off.

    While it is open no other process can open it, however this one ends.

    Raises:
        InputError: if it cannot be written, is open elsewhere, or holds what is no record.
    """
    make_folder(folder)
    path = folder / RECORDS_FILE
    try:
        file = path.open("ab")
    except OSError as error:
        raise InputError(f"'{path}' cannot be written ({error.strerror})", "give another folder with --out") from error
    with file:
        _lock(file, path)
        before = read_records(path)
        content = path.read_bytes()
        file.truncate(content.rfind(b"\n") + 1)
        yield RecordFile(file, path, before)


def _lock(file: IO[bytes], path: Path) -> None:
    """Take the file for this process alone; the system gives it back when the process ends."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"another comparison is writing to '{path}'", "wait for its end, or give another folder with --out"
        ) from None
    except OSError:  # file systems that have no locks
        return
