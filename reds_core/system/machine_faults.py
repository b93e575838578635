"""Errors caused by the machine and not by reds: a full disk, an invalid path, a library that cannot be loaded."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from reds_core.errors import InputError, NoSpaceError, RedsError, UnavailableError, argument

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# C libraries raise their own exceptions, which contain the error number or its text in the message only
_NO_SPACE_TEXTS = ("No space left on device", "Disk quota exceeded", "File too large", "errno = 28")
_FREE_SPACE = "free some space"
_QUOTED_ERROR = re.compile(r"^\w+(?:Error|Exception): (.+)$", re.MULTILINE)
_LONGEST_PATH_SHOWN = 60

_PATH_ERRORS = {
    errno.ENOENT: ("does not exist", "check the path"),
    errno.ELOOP: ("is a loop of symbolic links", "give another path"),
    errno.ENAMETOOLONG: ("has a name that is too long", "choose a shorter one"),
    errno.EISDIR: ("is a folder", "give the path of a file"),
    errno.ENOTDIR: ("uses a file as if it were a folder", "check the path"),
    errno.EACCES: ("cannot be used (permission denied)", "check its permissions, or choose another path"),
    errno.EPERM: ("cannot be used (not permitted)", "check its permissions, or choose another path"),
    errno.EROFS: ("cannot be written (read-only file system)", "choose another path"),
}
_SYSTEM_ERRORS = {
    errno.EMFILE: ("too many files are open at once", "raise the limit, such as with `ulimit -n 4096`"),
    errno.ENFILE: ("too many files are open on this machine", "close other programs and run the command again"),
    errno.EAGAIN: ("the system cannot start more processes", "close other programs and run the command again"),
}


def is_out_of_space(error: BaseException) -> bool:
    """Whether `error`, or one of its causes, says that a disk is full or a file has reached its maximum size."""
    return any(
        (isinstance(e, OSError) and e.errno in _NO_SPACE) or any(text in str(e) for text in _NO_SPACE_TEXTS)
        for e in _causes(error)
    )


def reason_of(error: BaseException) -> str:
    """Return a short description of an error: the system's text for an OSError, else the first line of the message."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error).strip()
    # TensorFlow quotes whole tracebacks, in which the line with the exception is the most informative
    quoted = _QUOTED_ERROR.search(text) if text.startswith("Traceback") else None
    text = quoted[1] if quoted else text
    return text.splitlines()[0][:200] if text else type(error).__name__


def no_space(where: str, error: BaseException) -> NoSpaceError:
    """Return the error for a full disk; `where` describes what cannot be written."""
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror
    else:
        # messages of C libraries also contain addresses and file descriptors, which are left out
        texts = " ".join(str(e) for e in _causes(error))
        reason = next((t for t in _NO_SPACE_TEXTS[:-1] if t in texts), _NO_SPACE_TEXTS[0])
    return NoSpaceError(f"{where} cannot be written ({reason})", _FREE_SPACE)


def shown(path: object) -> str:
    """Return a path in quotes, with the middle cut out if it is very long."""
    text = str(path)
    half = _LONGEST_PATH_SHOWN // 2
    return f"'{text}'" if len(text) <= 4 * half else f"'{text[:half]}...{text[-half:]}'"


def machine_fault(error: Exception) -> RedsError | None:
    """Convert an exception that the machine or a path has caused.

    Returns:
        The error to report instead of `error`, which is `error` itself if it is a RedsError; None if the exception is
        a bug in a program.
    """
    if isinstance(error, RedsError):
        return error
    if is_out_of_space(error):
        place = error.filename if isinstance(error, OSError) else None
        return no_space("a file" if place is None else shown(place), error)
    if isinstance(error, MemoryError):
        detail = f" ({reason_of(error)})" if str(error) else ""
        return UnavailableError(
            f"the machine ran out of memory{detail}",
            f"use a smaller model, data set or {argument('batch_size')}",
        )
    if isinstance(error, UnicodeError):
        return _fault_of_text(error)
    if isinstance(error, ImportError):
        return _fault_of_library(error)
    if isinstance(error, OSError):
        return _fault_of_system(error)
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):  # Path.resolve before Python 3.13
        return InputError(" ".join(str(error).split()).replace("Symlink", "there is a symlink"), "give another path")
    return None


def _fault_of_text(error: UnicodeError) -> RedsError | None:
    if isinstance(error, UnicodeEncodeError):
        text = ascii(error.object[max(error.start - 20, 0) : error.end + 20])
        return InputError(f"the text {text} cannot be written as {error.encoding}", "use names that are valid UTF-8")
    if isinstance(error, UnicodeDecodeError):
        return InputError(f"a file or name is not valid {error.encoding}", "save the file, or name it, as UTF-8")
    return None


def _fault_of_library(error: ImportError) -> RedsError | None:
    library = (error.name or "").partition(".")[0]
    if library.startswith("reds_"):
        return None
    what = f"library '{library}'" if library else "a library"
    return UnavailableError(
        f"{what} cannot be imported ({reason_of(error)})", "install it, or reinstall it if it is installed"
    )


def _fault_of_system(error: OSError) -> RedsError | None:
    if error.errno is None:
        return None
    if error.errno == errno.ENOENT and "temporary directory" in (error.strerror or ""):
        return InputError("there is no temporary folder that can be written", "set TMPDIR to one")
    if error.errno in _SYSTEM_ERRORS:
        return InputError(*_SYSTEM_ERRORS[error.errno])
    if error.filename is None:
        return InputError(
            f"the operating system reported an error ({reason_of(error)})",
            "check that disk, memory and network can be used, and run the command again",
        )
    default = (f"cannot be used ({reason_of(error)})", "check the path, or choose another")
    what, fix = _PATH_ERRORS.get(error.errno, default)
    return InputError(f"{shown(error.filename)} {what}", fix)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and its chain of causes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
