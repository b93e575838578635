"""Locks that let only one command at a time write to a folder or a file."""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import filelock

from reds_core.errors import InputError, argument
from reds_core.system.files import cannot_write, make_folder
from reds_core.system.records import from_plain, parse_json, to_plain

LOCK_FILE = ".reds.lock"

_WITHOUT_FLOCK = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
_TRIES = 5
_NOTE_WAIT_S = 0.02
_RELEASE_WAIT_S = 0.1


@dataclass(frozen=True)
class _Note:
    """The content of a lock file: process id and host name of the holder, and what it is doing."""

    pid: int
    host: str
    what: str


@contextmanager
def locked_folder(folder: Path, what: str = "a run", fix: str | None = None) -> Iterator[None]:
    """Hold an exclusive lock on `folder`, which is created if it does not exist, during the block.

    The lock is one of the operating system (`flock`), so it is released when its process ends for any reason, and the
    lock file that a killed process leaves behind does no harm. On file systems without such locks, a file with the
    process id and host name is used instead, which is ignored if that process no longer runs on this host. After the
    block, the lock file is removed, and so is the folder if it was created here and is still empty.

    Args:
        folder: the folder to lock.
        what: describes the holder to others, such as "a run" or "a comparison".
        fix: what a caller can do instead of waiting if the folder is locked, for the message. None means to choose
            another folder for the results.

    Raises:
        InputError: if the folder is locked by another thread or process, or cannot be written.
    """
    is_new = not folder.exists()
    make_folder(folder)
    with _locked(folder / LOCK_FILE, folder, what, fix, is_new):
        yield


def wait_for_release(folder: Path, timeout_s: float) -> bool:
    """Wait until no command holds the lock of `folder`, which need not exist.

    Args:
        folder: the folder.
        timeout_s: seconds to wait at most.

    Returns:
        Whether the lock is free.

    """
    deadline = time.monotonic() + timeout_s
    while folder.exists():
        try:
            with locked_folder(folder):
                break
        except InputError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_RELEASE_WAIT_S)
    return True


@contextmanager
def locked_file(path: Path, what: str, fix: str | None = None) -> Iterator[None]:
    """Hold an exclusive lock on a single file during the block, with a lock file next to it.

    Takes the same arguments as `locked_folder`.

    Raises:
        InputError: if the file is locked by another thread or process, or its folder cannot be written.
    """
    make_folder(path.parent)
    with _locked(path.with_name(f".{path.name}.lock"), path, what, fix):
        yield


@contextmanager
def _locked(lock_file: Path, target: Path, what: str, fix: str | None, is_new: bool = False) -> Iterator[None]:
    """Hold the lock of `lock_file`, and remove its folder afterwards if it `is_new` and still empty."""
    lock = _acquired(lock_file, target, fix or f"choose another {argument('out')}")
    is_soft, owner = isinstance(lock, filelock.SoftFileLock), os.getpid()
    try:
        if not is_soft:
            _write_note(lock_file, what)
        yield
    finally:
        if os.getpid() == owner:  # a child forked inside the block does not own the lock
            if not is_soft:  # before the release: a process that has opened the file then sees it is gone, and retries
                with suppress(OSError):
                    lock_file.unlink()
            lock.release()
            if is_new:
                with suppress(OSError):  # the folder is not empty
                    lock_file.parent.rmdir()


def _acquired(lock_file: Path, target: Path, fix: str) -> filelock.BaseFileLock:
    is_soft = False
    for _ in range(_TRIES):
        lock: filelock.BaseFileLock
        if is_soft:
            lock = filelock.SoftFileLock(lock_file, timeout=0, thread_local=False)
        else:  # no automatic fallback, so that we know which kind of lock the file belongs to
            lock = filelock.FileLock(lock_file, timeout=0, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise _refusal(lock_file, target, fix) from None
        except FileNotFoundError:  # the previous holder has just removed the folder that it had created
            make_folder(lock_file.parent)
        except OSError as error:
            if error.errno not in _WITHOUT_FLOCK or is_soft:
                raise cannot_write(target, error) from error
            is_soft = True
        else:
            return lock
    raise _refusal(lock_file, target, fix)


def _refusal(lock_file: Path, target: Path, fix: str) -> InputError:
    return InputError(f"{_holder(lock_file)} is writing to '{target}'", f"wait for it, or {fix}")


def _write_note(lock_file: Path, what: str) -> None:
    """Write a description of the holder to the lock file, which is used in messages only."""
    note = json.dumps(to_plain(_Note(os.getpid(), socket.gethostname(), what)))
    with suppress(OSError):  # Windows does not allow writing to a locked file
        lock_file.write_text(note + "\n", encoding="utf-8")


def _holder(lock_file: Path) -> str:
    """Describe the holder of the lock according to its file."""
    for _ in range(_TRIES):
        try:
            text = lock_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            break
        if text.strip():
            return _holder_from_note(text)
        time.sleep(_NOTE_WAIT_S)  # the lock was just acquired, and its holder has not written the note yet
    return "another command"


def _holder_from_note(text: str) -> str:
    try:
        note: _Note = from_plain(_Note, parse_json(text))
        what, pid, host = note.what, note.pid, note.host
    except (ValueError, TypeError):
        try:  # the content of a soft lock: process id and host name on two lines
            pid, host = int(text.split()[0]), text.split()[1]
        except (ValueError, IndexError):
            return "another command"
        what = "a command"
    where = "" if host == socket.gethostname() else f" on {host}"
    return f"{what} (pid {pid}{where})"
