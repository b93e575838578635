"""Profiles of files as records, and `profile.json` in the folder of a run, which holds those of several devices."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reds_core.errors import InputError
from reds_core.framework.device import Energy, ExitFigures, Profile
from reds_core.framework.timings import TimedFile, Timings
from reds_core.system.files import write_text
from reds_core.system.machine import Machine
from reds_core.system.records import LEFT_OUT, from_plain, parse_json, to_json

PROFILE_FORMAT = "reds-profile/1"
PROFILE_FILE = "profile.json"


@dataclass(frozen=True)
class TimingDetails:
    """How the latency of a file was measured on another machine.

    Attributes:
        machine: the machine.
        versions: the versions of the packages that ran the file.
        threads: how many threads ran an inference.
        runs: how many inferences were timed. The latency is their median.
        spread_ns: the upper decile less the lower decile, in nanoseconds.
        measured_at: when the measurement was started, in UTC.
    """

    machine: Machine
    versions: Mapping[str, str]
    threads: int
    runs: int
    spread_ns: float
    measured_at: str

    @staticmethod
    def of(timings: Timings, timed: TimedFile) -> TimingDetails:
        """Return how one of several files was timed."""
        return TimingDetails(
            timings.machine, timings.versions, timings.threads, timed.runs, timed.spread_ns, timings.measured_at
        )


@dataclass(frozen=True)
class ProfileRecord:
    """What one inference of a file takes on a device. Figures that are not known are None.

    Attributes:
        file: the file: relative to the folder of the run, or the path as it was given for a file alone.
        member: the name of the subnetwork, or "full" for the full network; None for a file of no run.
        on: the name of the device.
        config: the configuration of the device; None if it has none.
        latency_ns: the time of an inference, in nanoseconds.
        cycles: the number of processor cycles.
        instructions: the number of instructions.
        arena: the size of the memory that the runtime sets aside, in bytes.
        arena_head: the part of it that holds activations, in bytes.
        sram: the most on-chip memory that an accelerator has in use at once, in bytes.
        flash: what the file takes in flash, in bytes.
        flash_weights: the part of it that holds weights, in bytes.
        flash_metadata: the rest of it, in bytes.
        operators: the number of operators of each kind.
        cpu_operators: the number of those of each kind that an accelerator leaves to the processor.
        macs: the number of multiply-accumulates, counted on the graph of the file.
        energy: the energy of an inference.
        exits: what a network with early exits takes up to each of them, in their order; empty for other networks.
        machine: the name of the machine on which the latency was measured; None for the one that reds ran on.
        timing: how it was measured there; None for the machine that reds ran on.
    """

    file: str
    member: str | None
    on: str
    config: str | None = None
    latency_ns: float | None = None
    cycles: int | None = None
    instructions: int | None = None
    arena: int | None = None
    arena_head: int | None = None
    sram: int | None = None
    flash: int | None = None
    flash_weights: int | None = None
    flash_metadata: int | None = None
    operators: Mapping[str, int] = field(default_factory=dict)
    cpu_operators: Mapping[str, int] = field(default_factory=dict)
    macs: int | None = None
    energy: Energy | None = None
    exits: tuple[ExitFigures, ...] = field(default_factory=tuple, metadata={LEFT_OUT: True})
    machine: str | None = field(default=None, metadata={LEFT_OUT: True})
    timing: TimingDetails | None = field(default=None, metadata={LEFT_OUT: True})

    @property
    def subject(self) -> tuple[str, str | None, str | None]:
        """The device, its configuration and the machine, of which a run keeps one record for each file."""
        return self.on, self.config, self.machine

    @staticmethod
    def of(profile: Profile, file: str, member: str | None, on: str, config: str | None) -> ProfileRecord:
        """Return the record of a profile."""
        names = [each.name for each in dataclasses.fields(Profile) if each.name != "notes"]
        return ProfileRecord(file, member, on, config, **{name: getattr(profile, name) for name in names})


@dataclass(frozen=True)
class RunProfiles:
    """The profiles of the files of a run.

    Attributes:
        format: the name and version of the file format.
        records: one record for each file, device, configuration and machine.
    """

    format: str = field(default=PROFILE_FORMAT, kw_only=True)
    records: tuple[ProfileRecord, ...] = ()


def load_profiles(folder: Path) -> tuple[ProfileRecord, ...]:
    """Read FOLDER/profile.json. Without such a file there are no records.

    Raises:
        InputError: if the file cannot be read, or is not of format reds-profile/1.
    """
    path = folder / PROFILE_FILE
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("format") != PROFILE_FORMAT:
            raise ValueError(f"it is not of format {PROFILE_FORMAT}")
        profiles: RunProfiles = from_plain(RunProfiles, content)
    except FileNotFoundError:
        return ()
    except (OSError, TypeError, ValueError, KeyError) as error:
        raise InputError(f"'{path}' cannot be read ({error})", "remove it, and profile again") from error
    return profiles.records


def forget_profiles(folder: Path, member: str) -> None:
    """Remove the records of a member, whose files are replaced, from FOLDER/profile.json.

    Args:
        folder: the folder of the run.
        member: the name of the member.

    Raises:
        InputError: if the file cannot be read or written.
    """
    records = load_profiles(folder)
    kept = tuple(record for record in records if record.member != member)
    if kept:
        write_text(folder / PROFILE_FILE, to_json(RunProfiles(records=kept)))
    elif records:
        (folder / PROFILE_FILE).unlink(missing_ok=True)


def save_profiles(folder: Path, records: Sequence[ProfileRecord]) -> None:
    """Write records to FOLDER/profile.json, in place of those of the same devices, configurations and machines.

    Raises:
        InputError: if the file that is there cannot be read, or the new one cannot be written.
    """
    measured = {record.subject for record in records}
    kept = [record for record in load_profiles(folder) if record.subject not in measured]
    write_text(folder / PROFILE_FILE, to_json(RunProfiles(records=(*kept, *records))))
