"""Paths that users give, and atomic writing: files are written under a temporary name and then renamed."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reds_core.errors import InputError, NoSpaceError, RedsError
from reds_core.system.machine_faults import is_out_of_space, machine_fault, no_space, reason_of, shown

_PARTIAL = re.compile(r"\..*\.\d+\.partial(\..*)?")


def given_path(path: str | os.PathLike[str], what: str) -> Path:
    """Return a path that a caller gave, after a check that it is not empty.

    Args:
        path: the path.
        what: what the path is, for the message.

    Raises:
        InputError: if it is not a path, or empty, which would otherwise mean the current folder.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{what} of type {type(path).__name__} is not a path", "give a string or a `pathlib.Path`")
    if os.fspath(path) == "":
        raise InputError(f"{what} is empty", "give a path or leave it out; write '.' for the current folder")
    return Path(path)


def given_file(path: str | os.PathLike[str], what: str) -> Path:
    """Return the path of a file to be written that a caller gave, after a check that it can be a file.

    Args:
        path: the path.
        what: what the path is, for the message.

    Raises:
        InputError: if it is empty, or is a device, a pipe or a socket.
    """
    found = given_path(path, what)
    _refuse_special(found)
    return found


def _refuse_special(path: Path) -> None:
    """Raise InputError if `path` is a device, a pipe or a socket, which a rename would replace by a file.

    Folders need no check, because the operating system does not rename a file to a folder.
    """
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise InputError(f"{shown(path)} is not a regular file", "give the path of a file")


def is_file_name(text: str) -> bool:
    """Whether a text is the name of a file and no path, on any system."""
    return text not in ("", ".", "..") and not any(each in text for each in "/\\\0")


def cannot_write(path: Path, error: BaseException) -> InputError:
    """Return the error for a path that cannot be written, with the reason that the operating system gives."""
    if is_out_of_space(error):
        return no_space(shown(path), error)
    return InputError(f"{shown(path)} cannot be written ({reason_of(error)})", "choose a path that can be written")


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return `path` as an absolute path with all symbolic links resolved.

    Raises:
        InputError: if there is a loop of symbolic links.
    """
    try:
        return Path(path).resolve()
    except (RuntimeError, OSError) as error:  # RuntimeError before Python 3.13
        raise InputError(f"{shown(path)} cannot be followed ({reason_of(error)})", "give another path") from error


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Create a temporary folder, yield its path, and remove it after the block.

    Raises:
        NoSpaceError: if the block or the creation of the folder fails because a disk is full. Other exceptions of the
            block are not converted.
        InputError: if the folder cannot be created.
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
    """Return the error for a full disk with the system's temporary folder."""
    where = f"the temporary folder {shown(tempfile.gettempdir())}"
    return NoSpaceError(no_space(where, error).what, "free some space in it, or set TMPDIR to another folder")


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder with the same suffix, and rename it to `path` if the block succeeds.

    If the block raises, the temporary file is removed. If `path` is a symbolic link, its target is written.

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
        if is_out_of_space(error):  # C libraries do not raise OSError
            raise cannot_write(path, error) from error
        raise
    finally:
        with suppress(OSError):  # the folder itself may not exist
            temporary.unlink(missing_ok=True)


@contextmanager
def folder_written_beside(path: Path) -> Iterator[Path]:
    """Yield a temporary folder in the same folder, and rename it to `path` if the block succeeds.

    If the block raises, the temporary folder is removed. Parent folders are created where necessary.

    Raises:
        NoSpaceError: if the disk is full.
        InputError: if the folder cannot be written, or `path` exists.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.mkdir()
        yield temporary
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        os.rename(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, atomically.

    Raises:
        InputError: if the file cannot be written.
    """
    with written_beside(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, atomically.

    Raises:
        InputError: if the file cannot be written.
    """
    write_bytes(path, content.encode())


def make_folder(path: Path) -> None:
    """Create the folder `path` and its parents if they do not exist.

    Raises:
        InputError: if it cannot be created or is not writable.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    if not os.access(path, os.W_OK):
        raise InputError(f"{shown(path)} cannot be written (permission denied)", "choose a folder that can be written")


def remove_partial_files(folder: Path) -> None:
    """Remove the partially written files that a killed process left in `folder`."""
    for path in folder.glob(".*.partial*"):
        if _PARTIAL.fullmatch(path.name):
            path.unlink(missing_ok=True)
