"""One writer at a time: a folder, or a file that grows, belongs to one command for as long as that command runs."""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from reds_core.errors import InputError
from reds_core.system.files import cannot_write, make_folder

LOCK_FILE = ".reds.lock"

_WITHOUT_FLOCK = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
_TRIES = 5
_NOTE_WAIT_S = 0.02


@contextmanager
def locked_folder(folder: Path, what: str = "a run", mend: str = "choose another --out") -> Iterator[None]:
    """Inside the block no other command, thread or process can write to `folder`, which is made if it is not there.

    The lock is the system's (`flock`), so it ends with the process that holds it, however that ends; the file that a
    killed process leaves behind is no obstacle. On file systems without such locks a file that names process and host
    stands for it, which is taken over when that process is gone from this host. Afterwards the lock's file is removed,
    and the folder, too, if it was made here and nothing was put into it.

    Args:
        what: names the holder to others: "a run", "a comparison".
        mend: what a caller who is refused may do besides waiting.

    Raises:
        InputError: if somebody else holds the folder, or it cannot be written.
    """
    is_new = not folder.exists()
    make_folder(folder)
    with _locked(folder / LOCK_FILE, folder, what, mend, is_new):
        yield


@contextmanager
def locked_file(path: Path, what: str, mend: str = "choose another --out") -> Iterator[None]:
    """`locked_folder` for a single file; the lock's file stands beside it.

    Raises:
        InputError: if somebody else holds the file, or its folder cannot be written.
    """
    make_folder(path.parent)
    with _locked(path.with_name(f".{path.name}.lock"), path, what, mend):
        yield


@contextmanager
def _locked(lock_file: Path, target: Path, what: str, mend: str, is_new: bool = False) -> Iterator[None]:
    """Args:
    is_new: whether the folder was made for this and goes again if nothing is put into it.
    """
    lock = _acquired(lock_file, target, mend)
    is_soft, owner = isinstance(lock, filelock.SoftFileLock), os.getpid()
    try:
        if not is_soft:
            _write_note(lock_file, what)
        yield
    finally:
        if os.getpid() == owner:  # a process that was forked meanwhile holds nothing
            if not is_soft:  # before the release: who has opened the file already finds it gone, and tries again
                with suppress(OSError):
                    lock_file.unlink()
            lock.release()
            if is_new:
                with suppress(OSError):  # it is not empty
                    lock_file.parent.rmdir()


def _acquired(lock_file: Path, target: Path, mend: str) -> filelock.BaseFileLock:
    is_soft = False
    for _ in range(_TRIES):
        lock: filelock.BaseFileLock
        if is_soft:
            lock = filelock.SoftFileLock(lock_file, timeout=0, thread_local=False)
        else:  # without its own fallback: its file would have to be told from a soft lock's
            lock = filelock.FileLock(lock_file, timeout=0, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise _refusal(lock_file, target, mend) from None
        except FileNotFoundError:  # the one before has just removed the folder that it had made
            make_folder(lock_file.parent)
        except OSError as error:
            if error.errno not in _WITHOUT_FLOCK or is_soft:
                raise cannot_write(target, error) from error
            is_soft = True
        else:
            return lock
    raise _refusal(lock_file, target, mend)


def _refusal(lock_file: Path, target: Path, mend: str) -> InputError:
    return InputError(f"{_holder(lock_file)} is writing to '{target}'", f"wait for it, or {mend}")


def _write_note(lock_file: Path, what: str) -> None:
    """Say in the lock's file who holds it. Only messages depend on that."""
    note = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "what": what})
    with suppress(OSError):  # Windows lets nobody write to a locked file
        lock_file.write_text(note + "\n", encoding="utf-8")


def _holder(lock_file: Path) -> str:
    """Who holds the lock, as far as its file tells."""
    for _ in range(_TRIES):
        try:
            text = lock_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            break
        if text.strip():
            return _told(text)
        time.sleep(_NOTE_WAIT_S)  # it has just been taken
    return "another command"


def _told(text: str) -> str:
    try:
        note = json.loads(text)
        what, pid, host = str(note["what"]), int(note["pid"]), str(note["host"])
    except (ValueError, TypeError, KeyError):
        try:  # the marker of a soft lock: process and host, a line each
            pid, host = int(text.split()[0]), text.split()[1]
        except (ValueError, IndexError):
            return "another command"
        what = "a command"
    where = "" if host == socket.gethostname() else f" on {host}"
    return f"{what} (pid {pid}{where})"
