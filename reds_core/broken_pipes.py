"""Standard streams that nobody reads any more, as when Ctrl-C has ended what they were piped to."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO


def write_nowhere(stream: TextIO) -> None:
    """Send what is, and will be, written to `stream` nowhere, so that it fails neither later nor when Python ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
