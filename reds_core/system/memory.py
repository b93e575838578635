"""Amounts of memory as users write them, and the default memory limit of a solver."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from reds_core.errors import InputError
from reds_core.scales import BYTES, read_typed

DEFAULT_SHARE = 0.5
"""Share of the available memory that a solve may use by default."""

_MOST_BYTES = 2**62
_CGROUPS = (  # for cgroup v2 and v1: limit, usage, and the file cache, which the system frees on demand
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


def parse_bytes(text: str) -> int:
    """Parse an amount of memory in bytes.

    Args:
        text: a number, optionally with a unit in any case: k, M, G, T, KB, MB, GB, TB (powers of 1000) or KiB, MiB,
            GiB, TiB (powers of 1024).

    Raises:
        InputError: if the amount is malformed, less than one byte or more than 2^62 bytes.
    """
    typed = read_typed(str(text))  # Python callers may also give an integer
    unit_bytes = None if typed is None else BYTES.unit_size(typed.unit)
    amount = 0 if typed is None or unit_bytes is None else int(typed.number * unit_bytes)
    if not 1 <= amount <= _MOST_BYTES:
        raise InputError(f"the memory limit '{text}' is not an amount", "write an amount such as 4GiB or 800MiB")
    return amount


def amount_text(count: int) -> str:
    """Format a number of bytes for readers, such as "1.5 GiB"."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            amount = count / 1024**power
            return f"{amount:.3g} {unit}" if amount < 999.5 else f"{amount:,.0f} {unit}"
    return f"{count} bytes"


def why_too_much(what: str, needed: int, limit: float) -> str | None:
    """Explain to the user that something needs more memory than the limit.

    Args:
        what: subject and verb of the sentence, such as "the tables take".
        needed: needed memory in bytes.
        limit: memory limit in bytes.

    Returns:
        The sentence, or None if the limit is not exceeded.
    """
    if needed <= limit:
        return None
    return f"{what} {amount_text(needed)}, more than the memory limit of {amount_text(int(limit))}"


def default_memory_limit() -> int | None:
    """Return `DEFAULT_SHARE` of the available memory in bytes, or None if the system does not report it."""
    available = available_bytes()
    return None if available is None else max(int(DEFAULT_SHARE * available), 1)


def available_bytes() -> int | None:
    """Return the bytes that this process can still allocate, or None if the system does not report it.

    This is the minimum over the machine, the container and the resource limits of the process.
    """
    found = [a for a in (_machine_bytes(), _container_bytes(), _address_space_bytes()) if a is not None]
    return max(min(found), 0) if found else None


def _machine_bytes() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return 1024 * _entry(Path("/proc/meminfo"), "MemAvailable:")
    with suppress(AttributeError, OSError, ValueError):  # macOS reports the total memory, not how much of it is free
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _container_bytes(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    for limit, used, details, cache in _CGROUPS:
        with suppress(OSError, ValueError, IndexError):  # "max" stands for no limit
            held = int((root / used).read_text()) - _entry(root / details, cache)
            return int((root / limit).read_text()) - held
    return None


def _entry(path: Path, key: str) -> int:
    """Return the number after `key` in a file with one entry per line.

    Raises:
        OSError, ValueError, IndexError: if there is no such number.
    """
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words and words[0] == key:
            return int(words[1])
    raise ValueError(f"'{path}' has no entry {key}")


def _address_space_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY:
        return None
    with suppress(OSError, ValueError, IndexError):
        return soft - int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
    return soft


def limit_memory(memory_bytes: int) -> None:
    """Let this process allocate at most this number of bytes of address space besides what it has; 0 sets no limit.

    Allocations beyond it fail, in Python with a MemoryError. On systems without such limits, nothing happens. It is
    meant for worker processes, as the limit cannot be raised again.
    """
    if not memory_bytes:
        return
    with suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
