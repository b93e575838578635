"""What Vela counts for files, as records.

It runs in a process of its own, since it prints to standard output, and damaged files can crash it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.cost import LARGEST_SRAM
from reds_core.errors import InputError, UnsupportedError, argument
from reds_core.system import run_isolated
from reds_ethos_u.configurations import Configuration

WORKER = Path(__file__).with_name("worker.py")
LIMIT_S = 600.0
"""The most seconds for each file."""
CPU = "Passthrough"
"""What Vela calls an operator that it leaves to the processor."""
KIB = 1024
_SLOW = ("OffChipFlash", "OnChipFlash", "Dram")
"""The memories that are not SRAM."""
VERSIONS = ">=5.2,<6"
"""The versions of Vela whose output is known."""


@dataclass(frozen=True)
class Row:
    """What Vela counts for one of the operations into which it divides a file.

    Attributes:
        operator: The index of the operator of the file that it belongs to; -1 if it belongs to none.
        kind: What it does, such as "Conv2D".
        moment: The first moment at which it runs; -1 if it does not run on the NPU.
        cycles: Its cycles, an estimate of Vela.
        macs: Its multiply-accumulates.
        bytes_moved: How many bytes it reads from and writes to each memory, by name.
    """

    operator: int
    kind: str
    moment: int
    cycles: int
    macs: int
    bytes_moved: Mapping[str, int]


@dataclass(frozen=True)
class Moved:
    """How many bytes are moved from and to SRAM, and slow memories: flash on the chip or outside, and DRAM."""

    sram: int
    flash: int


def moved_bytes(rows: Iterable[Row]) -> Moved:
    """Return how many bytes some operations move."""
    each = [row.bytes_moved for row in rows]
    return Moved(sum(moved["Sram"] for moved in each), sum(moved[name] for moved in each for name in _SLOW))


def size_notes(sram_bytes: int) -> tuple[str, ...]:
    """Return what users should know about an energy if more SRAM is in use than there is a figure for."""
    if sram_bytes <= LARGEST_SRAM:
        return ()
    return (
        f"energy is too low for an SRAM that holds {sram_bytes} bytes, since it counts by the constant of one of 1 MiB",
    )


@dataclass(frozen=True)
class Buffer:
    """A tensor, or weights that are fetched, in memory.

    Attributes:
        name: The name that Vela gives it.
        first, last: The first and the last moment at which it is in memory. Each operation takes two moments.
        begin, end: The address of its first byte, and that behind its last one. An operation that works in place has an
            output in the memory of its input.
    """

    name: str
    first: int
    last: int
    begin: int
    end: int


@dataclass(frozen=True)
class Compiled:
    """What Vela counts for one file.

    Attributes:
        cycles: The cycles of an inference, an estimate of Vela.
        clock_hz: The clock of the NPU in the system configuration.
        macs: Its multiply-accumulates.
        sram_bytes: The most bytes of SRAM that are in use at once.
        flash_bytes: The size of the compressed weights and other constants, in the memory that holds them.
        bytes_moved: How many bytes are read from and written to each memory, by name.
        rows: Its operations.
        buffers: What is in SRAM.
    """

    cycles: int
    clock_hz: float
    macs: int
    sram_bytes: int
    flash_bytes: int
    bytes_moved: Mapping[str, int]
    rows: tuple[Row, ...]
    buffers: tuple[Buffer, ...]

    @property
    def on_cpu(self) -> tuple[int, ...]:
        """The indices of the operators of the file that are left to the processor, which have no cycles."""
        return tuple(dict.fromkeys(row.operator for row in self.rows if row.kind == CPU))


def compiled(contents: Sequence[bytes], configuration: Configuration) -> list[Compiled]:
    """Return what Vela counts for some files.

    Args:
        contents: The contents of .tflite files.
        configuration: The NPU and what surrounds it.

    Raises:
        InputError: If a file is damaged, so that Vela crashes.
        UnsupportedError: If Vela refuses a file, takes too long, or states figures that do not agree with each other.
    """
    limit_s = LIMIT_S * len(contents)
    request: dict[str, Any] = {f"file{index}": np.frombuffer(each, np.uint8) for index, each in enumerate(contents)}
    request["options"] = json.dumps(configuration.arguments)
    try:
        reply = run_isolated(WORKER, request, time.monotonic() + limit_s)
    except RuntimeError as error:
        raise InputError(f"Vela cannot read the file ({error})", "export it again") from error
    if reply is None:
        what = f"Vela does not compile {len(contents)} {'file' if len(contents) == 1 else 'files'} in {limit_s:.0f} s"
        raise UnsupportedError(what, f"give a smaller network, or fewer {argument('points')} for a table")
    return [record_of(json.loads(str(reply[f"file{index}"]))) for index in range(len(contents))]


def record_of(found: Mapping[str, Any]) -> Compiled:
    """Return the record of what the worker says of a file.

    Raises:
        UnsupportedError: If Vela refused the file, or states figures that do not agree with each other.
    """
    if "changed" in found:
        raise _changed(found["changed"])
    if "error" in found:
        raise UnsupportedError(f"Vela cannot compile the file ({found['error']})", "choose another configuration")
    summary = found["summary"]
    sizes = {name: round(float(summary[f"{name}_memory_used"]) * KIB) for name in ("sram", "dram", *_FLASHES)}
    names = {"sram": "Sram", "dram": "Dram", "off_chip_flash": "OffChipFlash", "on_chip_flash": "OnChipFlash"}
    compiled = Compiled(
        cycles=int(float(summary["cycles_total"])),
        clock_hz=float(summary["core_clock"]),
        macs=int(float(summary["nn_macs"])),
        sram_bytes=sizes["sram"],
        flash_bytes=sum(sizes[name] for name in _FLASHES),
        bytes_moved={memory: int(float(summary[f"{name}_total_bytes"])) for name, memory in names.items()},
        rows=tuple(
            Row(row["operator"], row["kind"], row["moment"], row["cycles"], row["macs"], row["bytes"])
            for row in found["rows"]
        ),
        buffers=tuple(
            Buffer(each["name"], each["first"], each["last"], each["begin"], each["end"])
            for each in found["buffers"]
            if each["memory"] == "Sram"
        ),
    )
    for memory, total in compiled.bytes_moved.items():
        rows = sum(row.bytes_moved[memory] for row in compiled.rows)
        if rows != total:
            raise _changed(f"where operators move {rows} bytes of {memory}, and the network {total}")
    return compiled


def _changed(how: str) -> UnsupportedError:
    return UnsupportedError(
        f"Vela writes a database {how}, as another version may", f"install 'ethos-u-vela{VERSIONS}'"
    )


_FLASHES = ("off_chip_flash", "on_chip_flash")
"""The memories that keep constants without power."""
