"""The machine on which measurements are made, and the current time."""

from __future__ import annotations

import datetime
import os
import platform
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from reds_core.errors import UnavailableError
from reds_core.system.libraries import INSTALL_BENCH
from reds_core.system.records import LEFT_OUT


@dataclass(frozen=True)
class Machine:
    """Description of a machine. Times that were measured on different machines cannot be compared.

    Attributes:
        system: name and version of its operating system.
        cpu: name of its processor.
        cores: number of cores that the measuring process could use.
        memory_bytes: size of its memory.
        python: version of Python.
        name: name of a machine that was reached from another one, such as "raspberry-pi-4"; None for the machine that
            reds ran on.
    """

    system: str
    cpu: str
    cores: int
    memory_bytes: int
    python: str
    name: str | None = field(default=None, metadata={LEFT_OUT: True})

    @property
    def is_here(self) -> bool:
        """Whether this process runs on such a machine: one with the same processor."""
        return self.name is None and self.cpu == cpu_model()


def this_machine() -> Machine:
    """Return the machine that this process runs on, with the number of cores that the process may use.

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
        cpu=cpu_model(),
        cores=cores,
        memory_bytes=int(psutil.virtual_memory().total),
        python=platform.python_version(),
    )


def load_average() -> float | None:
    """Return the load average over the last minute, or None if the system has none."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def cpu_model() -> str:
    """Return the name of the processor, which Linux gives only in /proc/cpuinfo."""
    with suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:  # stop at the first core, because the system generates the rest only when it is read
            key, _, text = line.partition(":")
            if key.strip() in ("model name", "Model", "cpu model") and text.strip():
                return text.strip()
    return platform.processor() or platform.machine() or "unknown"


def utc_now(timespec: str = "seconds") -> str:
    """Return the current time in UTC as ISO 8601, with the `timespec` of `datetime.isoformat`."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec=timespec)
