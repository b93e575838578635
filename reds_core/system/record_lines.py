"""records.jsonl: files with one JSON record per line, each of which is on disk before the next job begins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO, Generic, TypeVar

from reds_core.errors import InputError
from reds_core.system.files import cannot_write, given_path, make_folder
from reds_core.system.records import from_plain, parse_json, to_json_line

RECORDS_FILE = "records.jsonl"

R = TypeVar("R")


@dataclass(frozen=True)
class RecordKind(Generic[R]):
    """The type of the records in a file.

    Attributes:
        record: the dataclass of a record.
        what: what a record describes, such as "a solve".
        command: the command that writes such files.
    """

    record: type[R]
    what: str
    command: str

    def read(self, path: str | PathLike[str]) -> tuple[R, ...]:
        """Read the records in the order in which they were written.

        An incomplete last line, which a killed process may leave, is ignored.

        Args:
            path: a records.jsonl, or the folder that contains it.

        Raises:
            InputError: if the file is missing, or a line is not a valid record.
        """
        path = given_path(path, "path")
        path = path / RECORDS_FILE if path.is_dir() else path
        try:
            content = path.read_bytes()
        except OSError as error:
            why = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise InputError(f"'{path}' {why}", f"give the folder or the records.jsonl of a `{self.command}`") from None
        *complete, _ = content.split(b"\n")
        return tuple(self._parse(line, path, number) for number, line in enumerate(complete, 1))

    def _parse(self, line: bytes, path: Path, number: int) -> R:
        try:
            record: R = from_plain(self.record, parse_json(line))
        except (TypeError, ValueError, KeyError, RecursionError) as error:
            raise InputError(
                f"line {number} of '{path}' is not a record of {self.what} ({type(error).__name__}: {error})",
                "remove the line, or give another folder",
            ) from None
        return record

    @contextmanager
    def opened(self, folder: Path) -> Iterator[RecordFile[R]]:
        """Open the records.jsonl of `folder` for appending, and remove an incomplete last line.

        The file is created if it does not exist. The caller must hold the lock of the folder; see
        `reds_core.system.folder_lock`.

        Raises:
            InputError: if the file cannot be written, or a line is not a valid record.
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
    """A records.jsonl that is open for appending.

    Attributes:
        before: the records that it contained when it was opened.
    """

    def __init__(self, file: IO[bytes], path: Path, before: tuple[R, ...]) -> None:
        self._file, self._path = file, path
        self.before = before

    def added(self) -> int:
        """Count the records added to the file since it was opened, also right after an interrupted `append`."""
        return self._path.read_bytes().count(b"\n") - len(self.before)

    def append(self, *records: R) -> None:
        """Append records, which are on disk when the method returns.

        Raises:
            InputError: if the file cannot be written, for instance because the disk is full.
        """
        try:
            self._file.write("".join(map(to_json_line, records)).encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise InputError(
                f"'{self._file.name}' cannot be written ({error.strerror})",
                "free some space, then continue with the same command",
            ) from error
