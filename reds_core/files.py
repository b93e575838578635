"""Files written beside and renamed, so that a killed run leaves no half file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reds_core.errors import InputError

_PARTIAL = re.compile(r"\..*\.\d+\.partial(\..*)?")


def given_path(path: str | os.PathLike[str], what: str) -> Path:
    """A path that a caller gave.

    Args:
        what: names it in the error.

    Raises:
        InputError: if it is empty, which would mean the current folder.
    """
    if os.fspath(path) == "":
        raise InputError(f"{what} is empty", "give a path or leave it out; write '.' for the current folder")
    return Path(path)


def cannot_write(path: Path, error: OSError) -> InputError:
    """The error of a path that cannot be written, with the reason that the system gives."""
    reason = error.strerror or type(error).__name__
    return InputError(f"'{path}' cannot be written ({reason})", "choose a path that can be written")


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder with the same suffix; rename it to `path` on success, else remove it.

    Raises:
        InputError: if the folder cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):  # where the folder itself cannot be, neither can the temporary file
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` whole or not at all.

    Raises:
        InputError: if the file cannot be written.
    """
    with written_beside(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all.

    Raises:
        InputError: if the file cannot be written.
    """
    write_bytes(path, content.encode())


def make_folder(path: Path) -> None:
    """Make `path` and its parents.

    Raises:
        InputError: if it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    if not os.access(path, os.W_OK):
        raise InputError(f"'{path}' cannot be written (permission denied)", "choose a folder that can be written")


def remove_partial_files(folder: Path) -> None:
    """Remove what a killed process left half written in `folder`."""
    for path in folder.glob(".*.partial*"):
        if _PARTIAL.fullmatch(path.name):
            path.unlink(missing_ok=True)
