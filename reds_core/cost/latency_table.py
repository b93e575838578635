"""Tables of measured latencies: the file format `reds-latency/1`, and their form for budgets."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from reds_core.cost import counting
from reds_core.cost.counting import ResourceForm, TableForm, check_element_size
from reds_core.cost.latency_sampling import Sample, Segment, Timing, Whole, narrow_widths, summed_times
from reds_core.cost.table_files import TableFormat
from reds_core.errors import InputError, argument, command
from reds_core.network.description import Network
from reds_core.system.files import write_text
from reds_core.system.machine import Machine
from reds_core.system.records import LEFT_OUT, from_plain, to_json

FORMAT = "reds-latency/1"


@dataclass(frozen=True)
class LatencySettings:
    """The settings of a measurement. An incomplete table can only be resumed with the same settings.

    Attributes:
        element_size_bytes: 1 for int8 files, 4 for float32 files.
        threads: number of threads of the interpreter.
        repeats: number of timed runs of each sample.
        points: maximum number of widths of each group that are sampled.
        checks: number of whole subnetworks that are measured to check the prediction.

    Raises:
        InputError: if a number is out of range.
    """

    element_size_bytes: int = 1
    threads: int = 1
    repeats: int = 200
    points: int = 5
    checks: int = 4

    def __post_init__(self) -> None:
        check_element_size(self.element_size_bytes)
        for name, least in (("threads", 1), ("repeats", 10), ("points", 2), ("checks", 0)):
            if getattr(self, name) < least:
                raise InputError(
                    f"the number of {name} {getattr(self, name)} is below {least}", f"give {least} or more"
                )


@dataclass(frozen=True)
class LatencyTable:
    """All latencies that were measured for one network on one machine, in ns.

    Attributes:
        network: name of the network.
        model: SHA-256 of the model file.
        channels: full width of each group.
        settings: settings of the measurement.
        machine: the machine that measured.
        versions: the versions of the software that measured.
        segments: the segments of the network.
        overhead: time of an empty model.
        full: time of the whole network at full width.
        narrow: time of the whole network at a quarter of the widths. Together with `full` it corrects for time that
            occurs in each segment, but only once or not at all in the whole network.
        samples: times of segments.
        checks: predicted and measured times of whole subnetworks.
        complete: whether the table has all samples and checks.
        macs: MACs of the full network, which distinguish networks with the same channels but other input sizes; None if
            the table does not state them.
        format: name and version of the file format.
    """

    network: str
    model: str
    channels: Mapping[str, int]
    settings: LatencySettings
    machine: Machine
    versions: Mapping[str, str]
    segments: tuple[Segment, ...]
    overhead: Timing
    full: Timing
    narrow: Timing
    samples: tuple[Sample, ...] = ()
    checks: tuple[Whole, ...] = ()
    complete: bool = False
    macs: int | None = field(default=None, metadata={LEFT_OUT: True})
    format: str = FORMAT

    @property
    def digest(self) -> str:
        """The hexadecimal SHA-256 digest of the table."""
        return hashlib.sha256(to_json(self).encode()).hexdigest()

    @property
    def offered(self) -> Mapping[str, tuple[int, ...]]:
        """The widths that a run with this table is limited to: none, since times between samples are interpolated."""
        return {}

    @property
    def machines(self) -> tuple[str | None, ...]:
        """The names of the machine on which it was measured."""
        return self.machine.name, self.machine.cpu, self.machine.system

    def form(self, network: Network) -> TableForm:
        """Return the latency of the table's network in ns, equal to the measurements at full and at quarter width."""
        times = summed_times(network, self.segments, self.samples, self.overhead.ns)
        plain = times.form()
        full, narrow = plain.at(self.channels), plain.at(narrow_widths(self.channels))
        scale = (self.full.ns - self.narrow.ns) / (full - narrow) if full > narrow else 0.0
        if scale <= 0:  # the latency hardly depends on the widths; do not amplify noise
            scale = self.full.ns / max(full, 1)
        offset_ns = self.full.ns - scale * full
        return times.form(scale, offset_ns)

    def forms_for(self, network: Network, element_size_bytes: int) -> Mapping[str, ResourceForm]:
        """Return `form(network)` as that of the latency, after checking that the table belongs to `network`.

        Raises:
            InputError: if the table is of another network or element size, or incomplete.
        """
        macs = counting.macs(network).at(network.channels)
        calls = {call for segment in self.segments for call in segment.calls}
        is_of_it = dict(self.channels) == dict(network.channels) and self.macs in (None, macs)
        if not is_of_it or any(not 0 <= call < len(network.layers) for call in calls):
            raise InputError(f"the latency table is of network '{self.network}', not of this one", "measure this one")
        if self.settings.element_size_bytes != element_size_bytes:
            raise InputError(
                f"the latency table is for an element size of {self.settings.element_size_bytes} bytes, "
                f"the run for {element_size_bytes}",
                f"measure again with {argument('element_size', element_size_bytes)}",
            )
        if not self.complete:
            raise InputError("the latency table is incomplete", f"run the same {command('latency')} again to resume it")
        return {"latency": self.form(network)}


def save_latency_table(table: LatencyTable, path: Path) -> None:
    """Write the table atomically.

    Raises:
        InputError: if the file cannot be written.
    """
    write_text(path, to_json(table))


def load_latency_table(path: str | PathLike[str]) -> LatencyTable:
    """Read a table.

    Raises:
        InputError: if the file is missing or not a valid table.
    """
    return LATENCY_FORMAT.load(path)


def _parsed(content: Any) -> LatencyTable:
    """Return the table in the content of a file.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: if it is not a valid table.
    """
    table: LatencyTable = from_plain(LatencyTable, content)
    _check_samples(table)
    return table


def _check_samples(table: LatencyTable) -> None:
    """Refuse samples that do not belong to the segments, and complete tables that lack samples.

    Raises:
        ValueError, KeyError: if there are any; the message names the first.
    """
    widths: dict[int, set[tuple[int, ...]]] = {segment.index: set() for segment in table.segments}
    groups = {segment.index: segment.groups for segment in table.segments}
    timings = [table.overhead, table.full, table.narrow, *(sample.timing for sample in table.samples)]
    if not all(math.isfinite(timing.ns) for timing in timings):
        raise ValueError("a time is not a finite number")
    for sample in table.samples:
        most = [table.channels[group] for group in groups[sample.segment]]
        fits = len(sample.widths) == len(most) and all(1 <= w <= n for w, n in zip(sample.widths, most, strict=True))
        if not fits:
            raise ValueError(f"widths {sample.widths} are not those of segment {sample.segment}")
        widths[sample.segment].add(sample.widths)
    for index, own in widths.items():
        grid = [sorted({w[i] for w in own}) for i in range(len(groups[index]))]
        lacks = not own or (len(grid) == 2 and len(own) < len(grid[0]) * len(grid[1]))
        if table.complete and lacks:
            raise ValueError(f"samples of segment {index} are missing")


def _remedies() -> tuple[str, str]:
    make = f"make one with {command('latency')}"
    return make, make


LATENCY_FORMAT = TableFormat(FORMAT, "latency table", _parsed, _remedies)
