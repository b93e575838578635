"""records.jsonl: one record a line, whole and on disk before the next piece of work is begun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar

from reds_core.errors import InputError
from reds_core.system.files import cannot_write, make_folder
from reds_core.system.records import from_plain, parse_json, to_json_line

RECORDS_FILE = "records.jsonl"

R = TypeVar("R")


@dataclass(frozen=True)
class RecordKind(Generic[R]):
    """What the lines of a file hold.

    Attributes:
        record: the dataclass of a line.
        what: what it tells of, such as "a solve".
        command: that writes such files.
    """

    record: type[R]
    what: str
    command: str

    def read(self, path: str | Path) -> tuple[R, ...]:
        """The records in the order in which they were written.

        A last line that was not written whole, as a killed process leaves it, is passed over.

        Args:
            path: a records.jsonl, or the folder that holds one.

        Raises:
            InputError: if it is missing, or a line is no record.
        """
        path = Path(path)
        path = path / RECORDS_FILE if path.is_dir() else path
        try:
            content = path.read_bytes()
        except OSError as error:
            why = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise InputError(f"'{path}' {why}", f"give the folder or the records.jsonl of a `{self.command}`") from None
        *whole, _ = content.split(b"\n")
        return tuple(self._parse(line, path, number) for number, line in enumerate(whole, 1))

    def _parse(self, line: bytes, path: Path, number: int) -> R:
        try:
            record: R = from_plain(self.record, parse_json(line))
        except (TypeError, ValueError, KeyError, RecursionError) as error:
            raise InputError(
                f"line {number} of '{path}' is no record of {self.what} ({type(error).__name__}: {error})",
                "remove the line, or give another folder",
            ) from None
        return record

    @contextmanager
    def opened(self, folder: Path) -> Iterator[RecordFile[R]]:
        """The records.jsonl of `folder`, made if it is not there; a last line that is not whole is cut off.

        Whoever opens it must hold the folder; see `reds_core.system.folder_lock`.

        Raises:
            InputError: if it cannot be written, or holds what is no record.
        """
        make_folder(folder)
        path = folder / RECORDS_FILE
        try:
            file = path.open("ab")
        except OSError as error:
            raise cannot_write(path, error) from error
        with file:
            before = self.read(path)
            content = path.read_bytes()
            file.truncate(content.rfind(b"\n") + 1)
            yield RecordFile(file, path, before)


class RecordFile(Generic[R]):
    """An open records.jsonl.

    Attributes:
        before: the records that it held when it was opened.
    """

    def __init__(self, file: IO[bytes], path: Path, before: tuple[R, ...]) -> None:
        self._file, self._path = file, path
        self.before = before

    def added(self) -> int:
        """How many records have reached the file since it was opened, whenever Ctrl-C was pressed."""
        return self._path.read_bytes().count(b"\n") - len(self.before)

    def append(self, *records: R) -> None:
        """Write records together; they are on disk when this returns.

        Raises:
            InputError: if the disk is full.
        """
        try:
            self._file.write("".join(map(to_json_line, records)).encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise InputError(
                f"'{self._file.name}' cannot be written ({error.strerror})", "make room; the same command goes on"
            ) from error
