"""Times of files on another machine, as the program that ran there wrote them: the file format `reds-timings/1`.

The records come from elsewhere, so everything in them is checked before it is used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike

from reds_core.errors import InputError, argument
from reds_core.system.files import given_path
from reds_core.system.machine import Machine
from reds_core.system.machine_faults import reason_of, shown
from reds_core.system.records import from_plain, parse_json

TIMINGS_FORMAT = "reds-timings/1"
MOST_BYTES = 32 * 2**20
"""The size of the largest file of records that is read."""
LONGEST_NS = 1e15
LONGEST_TEXT = 300
_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()+-]{0,63}")


@dataclass(frozen=True)
class TimedFile:
    """The time of one inference of a file, in nanoseconds.

    Attributes:
        file: The name of the file.
        sha256: Its hexadecimal SHA-256 digest.
        median_ns: The median over the inferences; None if the file could not be run.
        low_ns: The lower decile.
        high_ns: The upper decile.
        runs: How many inferences were timed.
        refused: Why the file could not be run; None if it was timed.

    Raises:
        ValueError: If a figure is out of range, or figures contradict each other.
    """

    file: str
    sha256: str
    median_ns: float | None
    low_ns: float | None
    high_ns: float | None
    runs: int
    refused: str | None

    def __post_init__(self) -> None:
        _check_texts(self.file, self.sha256, self.refused or "")
        if not _HASH.fullmatch(self.sha256):
            raise ValueError(f"'{self.sha256}' is not a SHA-256 digest")
        if self.refused is not None:
            return
        times = (self.low_ns, self.median_ns, self.high_ns)
        known = [each for each in times if each is not None]
        if len(known) < len(times) or known != sorted(known) or not 0 < known[0] <= known[-1] <= LONGEST_NS:
            raise ValueError(f"the times {times} of '{self.file}' are not a lower decile, a median and an upper decile")
        if not 0 < self.runs < 10**9:
            raise ValueError(f"'{self.file}' has {self.runs} runs")

    @property
    def spread_ns(self) -> float:
        """The upper decile less the lower decile."""
        return 0.0 if self.low_ns is None or self.high_ns is None else self.high_ns - self.low_ns


@dataclass(frozen=True)
class Timings:
    """The times of files on one machine.

    Attributes:
        job: The digest of what the program was asked to time.
        on: The name of the target whose runtime ran the files.
        machine: The machine, whose name is the one that it has for itself.
        versions: The versions of the packages that ran the files.
        threads: How many threads ran an inference.
        repeats: How many inferences of each file were to be timed.
        measured_at: When the program was started, in UTC.
        files: One record for each file, in the order in which they were timed.
        format: The name and version of the file format.

    Raises:
        ValueError: If a text or a figure is out of range, or a file has two records.
    """

    job: str
    on: str
    machine: Machine
    versions: Mapping[str, str]
    threads: int
    repeats: int
    measured_at: str
    files: tuple[TimedFile, ...]
    format: str = field(default=TIMINGS_FORMAT, kw_only=True)

    def __post_init__(self) -> None:
        machine = self.machine
        texts = (self.job, self.on, self.measured_at, machine.system, machine.cpu, machine.python, machine.name or "")
        _check_texts(*texts, *self.versions, *self.versions.values())
        ranges = {
            "threads": (self.threads, 1, 1024),
            "repeats": (self.repeats, 1, 10**9),
            "cores": (machine.cores, 1, 2**16),
            "bytes of memory": (machine.memory_bytes, 0, 2**60),
            "versions": (len(self.versions), 0, 100),
        }
        for what, (number, least, most) in ranges.items():
            if not least <= number <= most:
                raise ValueError(f"there are {number} {what}")
        if len({each.file for each in self.files}) < len(self.files):
            raise ValueError("a file has two records")

    def named(self, name: str | None) -> Timings:
        """Return the times with a name of the machine; None keeps the one that it has for itself.

        Raises:
            InputError: If the machine has no name, or the name has characters that names of machines do not have.
        """
        chosen = self.machine.name if name is None else name
        if not isinstance(chosen, str) or not _NAME.fullmatch(chosen):
            raise InputError(
                f"{chosen!r} is not a name for a machine",
                f"give {argument('name')} up to 64 letters, digits, spaces, dots and hyphens, such as raspberry-pi-4",
            )
        return replace(self, machine=replace(self.machine, name=chosen))


def load_timings(path: str | PathLike[str]) -> Timings:
    """Read the records that a program wrote on another machine.

    Raises:
        InputError: If the file cannot be read, or does not hold such records.
    """
    path = given_path(path, argument("records"))
    fix = "give the file that the program wrote on the other machine"
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read ({reason_of(error)})", fix) from error
    try:
        if len(content) > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES} bytes")
        plain = parse_json(content)
        if not isinstance(plain, dict) or plain.get("format") != TIMINGS_FORMAT:
            raise ValueError("it is of another format")
        found: Timings = from_plain(Timings, plain)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{shown(path)} holds no records of format {TIMINGS_FORMAT} ({error})", fix) from error
    return found


def hash_of(content: bytes) -> str:
    """Return the hexadecimal SHA-256 digest of the content of a file."""
    return hashlib.sha256(content).hexdigest()


def _check_texts(*texts: str) -> None:
    """Raise ValueError for a text that is long, or has characters that are not printed, such as those of a terminal."""
    for text in texts:
        if len(text) > LONGEST_TEXT or not text.isprintable():
            raise ValueError(f"{text[:40]!r} is not a short text")
