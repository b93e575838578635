"""Memory that is freed and asked for again."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys

import pytest
from reds_tensorflow.allocation import keep_freed_memory

IS_GLIBC = platform.libc_ver()[0] == "glibc"
COUNTING = """
import ctypes, resource
from reds_tensorflow.allocation import keep_freed_memory

library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]

def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        block = library.malloc(40 * 2**20)
        ctypes.memset(block, 1, 40 * 2**20)
        library.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

once, before = faults(1), faults(10)
keep_freed_memory()
faults(1)
print(once, before, faults(10))
"""


def counted(**environment: str) -> list[int]:
    """How often the system gives a page to one block of 40 MiB, to ten, and to ten more after memory is kept."""
    chosen = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_", "LD_"))}
    run = subprocess.run(
        [sys.executable, "-c", COUNTING], capture_output=True, text=True, check=True, env=chosen | environment
    )
    return [int(count) for count in run.stdout.split()]


@pytest.mark.skipif(not IS_GLIBC, reason="only glibc is told to keep memory")
def test_blocks_of_a_step_are_used_again_in_the_next() -> None:
    once, before, kept = counted()
    assert before > 5 * once
    assert kept < once


@pytest.mark.skipif(not IS_GLIBC, reason="only glibc is told to keep memory")
def test_settings_of_the_environment_take_precedence() -> None:
    once, _, kept = counted(MALLOC_TRIM_THRESHOLD_="131072")
    assert kept > 5 * once


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str | None) -> None:
        raise AssertionError("a C library was opened")

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    keep_freed_memory()
