"""Memory that TensorFlow frees and asks for again in each step of a training."""

from __future__ import annotations

import ctypes
import os
import platform

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, ARENA_MAX = -1, -2, -3, -8
"""Numbers of the parameters of `mallopt` in glibc."""
KEPT = {TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 2**28, MMAP_THRESHOLD: 2**30, ARENA_MAX: 1}
"""What they are set to, in bytes but for the number of arenas: each of several arenas returns what it does not use."""


def keep_freed_memory() -> None:
    """Have the C library of this process keep memory that is freed, instead of returning it to the system.

    By default glibc returns blocks of more than 32 MiB at once, such as those in which convolutions unfold their
    inputs. Every step of a training then gets its memory anew, page by page, and the system clears each page.

    It has its full effect only before threads are started. Other C libraries are left alone, and so is glibc if the
    environment says how memory is to be allocated.
    """
    is_chosen = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if is_chosen or platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    for parameter, value in KEPT.items():
        library.mallopt(parameter, value)
