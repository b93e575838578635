"""Amounts of memory as users write them, and how much a solver may take where nobody says."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from reds_core.errors import InputError

DEFAULT_SHARE = 0.5
"""Share of the memory that is available which one solve may take unless it is told otherwise."""

_BYTES = re.compile(
    r"(?P<number>\d{1,15}(?:\.\d{1,6})?)\s*(?P<scale>[kmgt]?)(?P<binary>i?)b?", re.ASCII | re.IGNORECASE
)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_CGROUPS = (  # of either version: limit, use, and the file cache that the system gives up when it is needed
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


def parse_bytes(text: str) -> int:
    """An amount of memory: a number with k, M, G, T (powers of 1000) or KiB, MiB, GiB, TiB (of 1024), in any case.

    Raises:
        InputError: if it is malformed, or 0.
    """
    match = _BYTES.fullmatch(str(text).strip())  # from Python also a number of bytes
    amount = 0
    if match is not None and (match["scale"] or not match["binary"]):
        base = 1024 if match["binary"] else 1000
        amount = int(float(match["number"]) * base ** _POWERS[match["scale"].lower()])
    if amount < 1:
        raise InputError(f"the memory limit '{text}' is no amount", "write an amount such as 4GiB or 800MiB")
    return amount


def amount_text(count: int) -> str:
    """An amount of memory to read, such as "1.5 GiB"."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            amount = count / 1024**power
            return f"{amount:.3g} {unit}" if amount < 999.5 else f"{amount:,.0f} {unit}"
    return f"{count} bytes"


def why_too_much(what: str, needed: int, limit: float) -> str | None:
    """That `what` takes more memory than `limit`, both in bytes, for the user; None where it does not.

    Args:
        what: with its verb: "the tables take".
    """
    if needed <= limit:
        return None
    return f"{what} {amount_text(needed)}, more than the memory limit of {amount_text(int(limit))}"


def default_memory_limit() -> int | None:
    """`DEFAULT_SHARE` of the memory this process could still get, in bytes; None where the system does not tell."""
    available = available_bytes()
    return None if available is None else max(int(DEFAULT_SHARE * available), 1)


def available_bytes() -> int | None:
    """How much memory this process could still get: of the machine, its container and its own limits, the least."""
    found = [a for a in (_of_machine(), _of_container(), _of_address_space()) if a is not None]
    return max(min(found), 0) if found else None


def _of_machine() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return 1024 * _entry(Path("/proc/meminfo"), "MemAvailable:")
    with suppress(AttributeError, OSError, ValueError):  # macOS tells how much there is, not how much is free
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _of_container(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    for limit, used, details, cache in _CGROUPS:
        with suppress(OSError, ValueError, IndexError):  # "max" stands for no limit
            held = int((root / used).read_text()) - _entry(root / details, cache)
            return int((root / limit).read_text()) - held
    return None


def _entry(path: Path, key: str) -> int:
    """The number behind `key` in a file with an entry a line.

    Raises:
        OSError, ValueError, IndexError: if there is none.
    """
    for line in path.read_text().splitlines():
        words = line.split()
        if words and words[0] == key:
            return int(words[1])
    raise ValueError(f"'{path}' has no entry {key}")


def _of_address_space() -> int | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY:
        return None
    with suppress(OSError, ValueError, IndexError):
        return soft - int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return soft
