"""Standard output and error that survive being closed, full, no longer read, or of an encoding with few characters."""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata
from contextlib import suppress
from typing import TextIO

from reds_core.errors import OutputError
from reds_core.system.machine_faults import reason_of
from reds_core.system.output import write_nowhere

_PLAIN_ERRORS = "reds-plain"
_PLAIN = {"–": "-", "—": "-", "−": "-", "→": "->", "≤": "<=", "≥": ">=", "×": "x", "±": "+-", "·": ".", "•": "*"}
_PLAIN |= {"‘": "'", "’": "'", "“": '"', "”": '"', "µ": "u", "μ": "u"}


def plain_characters(text: str) -> str:
    """`text` in ASCII: characters are replaced by similar ones, or escaped as Python does it."""
    return "".join(_plain_character(character) for character in text)


def _plain_character(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    if "\u2500" <= character <= "\u257f":  # lines of tables and bars
        return "-"
    if "\u2800" <= character <= "\u28ff":  # a spinner
        return "*"
    resembled = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return resembled or character.encode("ascii", "backslashreplace").decode()


def _encode_plainly(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs that replaces characters that the encoding lacks by plain ones."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain_characters(error.object[error.start : error.end]), error.end


class _StandardStream(io.TextIOWrapper):
    """A stream in place of sys.stdout or sys.stderr, on the same file descriptor.

    What is written after its reader has closed it is discarded. If writing fails for another reason, a stream that
    carries results raises OutputError once, and a stream that carries progress discards what is written.
    """

    def __init__(self, stream: TextIO, carries_results: bool) -> None:
        binary = open(stream.fileno(), "wb", closefd=False)  # noqa: SIM115  # it lives as long as the process
        super().__init__(
            binary,
            encoding=stream.encoding,
            errors=_PLAIN_ERRORS,
            line_buffering=not carries_results or stream.isatty(),
        )
        self._carries_results = carries_results

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._handle_failure(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._handle_failure(error)

    def _handle_failure(self, error: OSError) -> None:
        write_nowhere(self)
        if self._carries_results and not isinstance(error, BrokenPipeError):
            raise OutputError(
                f"the output cannot be written ({reason_of(error)})", "send it somewhere else, or free some space"
            ) from error


def guard_standard_streams() -> None:
    """Replace sys.stdout and sys.stderr by streams that survive encodings, closed descriptors and readers that left.

    Must be called once, before anything is written. Streams that are not files are left as they are.
    """
    codecs.register_error(_PLAIN_ERRORS, _encode_plainly)
    _open_closed_descriptors()
    sys.stdout = _guarded(sys.stdout, 1, carries_results=True)
    sys.stderr = _guarded(sys.stderr, 2, carries_results=False)


def _open_closed_descriptors() -> None:
    """Open closed standard descriptors on the null device, since the next opened file would take their number."""
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, mode)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


def _guarded(stream: TextIO | None, descriptor: int, carries_results: bool) -> TextIO:
    if stream is None:  # Python found its descriptor closed
        stream = open(descriptor, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    with suppress(OSError, ValueError, AttributeError):
        stream.flush()
        if stream.fileno() == descriptor:
            return _StandardStream(stream, carries_results)
    return stream
