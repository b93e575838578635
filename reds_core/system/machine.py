"""The machine that something was measured on, and its clock."""

from __future__ import annotations

import datetime
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reds_core.errors import UnavailableError
from reds_core.system.libraries import INSTALL_BENCH


@dataclass(frozen=True)
class Machine:
    """Where something was measured. Times of different machines are not to be compared."""

    system: str
    cpu: str
    cores: int
    memory_bytes: int
    python: str


def this_machine() -> Machine:
    """The machine that this process runs on; cores are those that it may use.

    Raises:
        UnavailableError: if psutil is not installed.
    """
    try:
        import psutil
    except ImportError:
        raise UnavailableError("psutil is not installed", INSTALL_BENCH) from None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        cpu=_cpu_model(),
        cores=cores,
        memory_bytes=int(psutil.virtual_memory().total),
        python=platform.python_version(),
    )


def _cpu_model() -> str:
    """Linux tells the model in /proc/cpuinfo alone; elsewhere Python knows it."""
    with suppress(OSError), Path("/proc/cpuinfo").open(errors="replace") as lines:
        for line in lines:  # of the first core: the system makes the text of all others when they are read
            key, _, text = line.partition(":")
            if key.strip() in ("model name", "Model", "cpu model") and text.strip():
                return text.strip()
    return platform.processor() or platform.machine() or "unknown"


def utc_now(timespec: str = "seconds") -> str:
    """The time, UTC, ISO 8601; `timespec` as of `datetime.isoformat`."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec=timespec)
