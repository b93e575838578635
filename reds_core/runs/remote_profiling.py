"""Profiles of files that another machine has timed, or is to time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reds_core.errors import UnsupportedError
from reds_core.framework.device import Device
from reds_core.framework.profile_records import ProfileRecord, TimingDetails
from reds_core.framework.timings import TimedFile, Timings
from reds_core.plugin import guarded
from reds_core.runs.elsewhere import Elsewhere, check_unchanged, hashes_of, timed_on_host
from reds_core.system.files import write_text
from reds_core.watcher import Watcher


@dataclass(frozen=True)
class DeviceFile:
    """A file for a device.

    Attributes:
        path: Where it is.
        name: What it is called in records.
        member: The name of its subnetwork, or "full"; None for a file of no run.
    """

    path: Path
    name: str
    member: str | None


@dataclass(frozen=True)
class RemoteProfiler:
    """A device with one of its configurations, on another machine.

    Attributes:
        device: The device.
        config: Its configuration.
        elsewhere: How the other machine takes part.
        timings: The times that it has written; None if it is asked for them, or a program is written for it.
        watcher: Is told of progress and of files that are left out.
    """

    device: Device
    config: str | None
    elsewhere: Elsewhere
    timings: Timings | None
    watcher: Watcher

    def profiled(self, files: Sequence[DeviceFile], where: Path) -> tuple[ProfileRecord, ...]:
        """Return the profiles of files by the times of the other machine; none if only a program is written for it.

        Args:
            files: The files.
            where: What they belong to, for messages.

        Raises:
            InputError: If a file cannot be read or has changed since it was timed, or the machine fails.
            UnsupportedError: If the device times no files on other machines, or none of these.
            UnavailableError: If something is not installed here or there.
        """
        paths = {file.path.name: file.path for file in files}
        hashes = hashes_of(paths)
        if self.timings is not None:
            return self._records(self.timings, files, hashes, where)
        with guarded(self.device):
            text = self.device.timing_script(hashes)
        if self.elsewhere.script is not None:
            write_text(self.elsewhere.script, text)
            return ()
        assert self.elsewhere.host is not None
        self.watcher.stage(f"timing {len(files)} files on {self.elsewhere.host.name}")
        return self._records(timed_on_host(self.elsewhere, text, paths, self.watcher.note), files, hashes, where)

    def _records(
        self, timings: Timings, files: Sequence[DeviceFile], hashes: Mapping[str, str], where: Path
    ) -> tuple[ProfileRecord, ...]:
        timings = timings.named(self.elsewhere.name)
        check_unchanged(timings, hashes, where)
        by_name = {timed.file: timed for timed in timings.files}
        known = [(file, by_name[file.path.name]) for file in files if file.path.name in by_name]
        for _, timed in known:
            if timed.refused is not None:
                self.watcher.warn(f"'{timed.file}' is left out: {timings.machine.name} cannot run it ({timed.refused})")
        records = tuple(self._record(timings, file, timed) for file, timed in known if timed.refused is None)
        if not records:
            raise UnsupportedError(
                f"{timings.machine.name} has timed none of the files of '{where}'",
                "run the program there until it ends, or export files that its runtime can run",
            )
        if len(known) < len(files):
            self.watcher.warn(
                f"{len(files) - len(known)} of {len(files)} files are not timed on {timings.machine.name}"
            )
        return records

    def _record(self, timings: Timings, file: DeviceFile, timed: TimedFile) -> ProfileRecord:
        with guarded(self.device):
            counted = self.device.counted(file.path, self.config)
        found = replace(counted, latency_ns=timed.median_ns)
        record = ProfileRecord.of(found, file.name, file.member, self.device.name, self.config)
        return replace(record, machine=timings.machine.name, timing=TimingDetails.of(timings, timed))
