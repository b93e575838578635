"""Files written beside and renamed, so that a killed run leaves no half file."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reds_core.errors import InputError, NoSpaceError, RedsError
from reds_core.system.machine_faults import is_out_of_space, machine_fault, no_space, reason_of, shown

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


def given_file(path: str | os.PathLike[str], what: str) -> Path:
    """The path of a file to be written that a caller gave.

    Args:
        what: names it in the error.

    Raises:
        InputError: if it is empty, or a device, a pipe or a socket.
    """
    found = given_path(path, what)
    _refuse_special(found)
    return found


def _refuse_special(path: Path) -> None:
    """Raises InputError for what is there, but is neither a file nor a folder: a rename would put a file in its place.

    Folders are left to the system, which does not let a file replace them.
    """
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise InputError(f"{shown(path)} is no regular file", "give the path of a file")


def cannot_write(path: Path, error: BaseException) -> InputError:
    """The error of a path that cannot be written, with the reason that the system gives."""
    if is_out_of_space(error):
        return no_space(shown(path), error)
    return InputError(f"{shown(path)} cannot be written ({reason_of(error)})", "choose a path that can be written")


def absolute(path: str | os.PathLike[str]) -> Path:
    """`path` from the root on, with symbolic links followed.

    Raises:
        InputError: if it is a loop of symbolic links.
    """
    try:
        return Path(path).resolve()
    except (RuntimeError, OSError) as error:  # RuntimeError before Python 3.13
        raise InputError(f"{shown(path)} cannot be followed ({reason_of(error)})", "give another path") from error


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that is removed afterwards, in the system's folder for temporary files.

    Errors of the block pass, save those that say that the disk is full.

    Raises:
        NoSpaceError: if there is no space left in it, or for another file that the block writes.
        InputError: if it cannot be made.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="reds-", ignore_cleanup_errors=True)
    except OSError as error:
        fault = temporary_folder_full(error) if is_out_of_space(error) else machine_fault(error)
        raise fault or error from error
    with folder as name:
        try:
            yield Path(name)
        except Exception as error:
            of_another_file = isinstance(error, NoSpaceError) and name not in error.what
            if is_out_of_space(error) and not of_another_file:
                raise temporary_folder_full(error) from error
            raise


def temporary_folder_full(error: BaseException) -> NoSpaceError:
    """The error for a system's folder for temporary files that has no space left."""
    where = f"the temporary folder {shown(tempfile.gettempdir())}"
    return NoSpaceError(no_space(where, error).what, "free some space in it, or set TMPDIR to another folder")


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder with the same suffix; rename it to `path` on success, else remove it.

    Where `path` is a symbolic link, the file that it leads to is written, as by programs that open it.

    Raises:
        NoSpaceError: if the disk is full.
        InputError: if the folder cannot be written, or `path` is a device, a pipe or a socket.
    """
    if os.path.islink(path):
        path = absolute(path)
    _refuse_special(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    except RedsError:
        raise
    except Exception as error:
        if is_out_of_space(error):  # libraries in C raise errors of their own
            raise cannot_write(path, error) from error
        raise
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
        raise InputError(f"{shown(path)} cannot be written (permission denied)", "choose a folder that can be written")


def remove_partial_files(folder: Path) -> None:
    """Remove what a killed process left half written in `folder`."""
    for path in folder.glob(".*.partial*"):
        if _PARTIAL.fullmatch(path.name):
            path.unlink(missing_ok=True)
