"""The latency table of another machine, which times files that are exported here."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reds_core.cost.latency_sampling import Sample, Timing, Whole, wanted_samples
from reds_core.cost.latency_table import LatencySettings, LatencyTable, load_latency_table, save_latency_table
from reds_core.errors import InputError, UnsupportedError, argument
from reds_core.framework.framework import Framework
from reds_core.framework.probe import LatencyProbe
from reds_core.framework.timings import Timings, load_timings
from reds_core.network.description import Network
from reds_core.runs.elsewhere import Elsewhere, check_unchanged, timed_on_host
from reds_core.runs.latency_parts import (
    WHOLE,
    LatencyParts,
    PartExporter,
    PartFile,
    folder_of,
    load_parts,
    remove_parts,
)
from reds_core.runs.latency_resuming import check_widths, continued, started_table
from reds_core.system.files import write_text
from reds_core.system.machine import Machine

NOWHERE = Machine("", "", 0, 0, "")
"""The machine of a table that no machine has begun to measure."""
_PROGRESS = re.compile(r"\[(\d+)/(\d+)\] .*")


@dataclass(frozen=True)
class RemoteLatency:
    """A measurement on another machine.

    Attributes:
        framework: The framework of the model.
        probe: Exports models.
        model: The model.
        network: Its description.
        path: The file of the table.
        elsewhere: How the other machine takes part.
        shows: Returns a function to be called with the number of finished pieces of some work and of all.
        notes: Told what the caller should know.
    """

    framework: Framework
    probe: LatencyProbe
    model: Any
    network: Network
    path: Path
    elsewhere: Elsewhere
    shows: Callable[[str], Callable[[int, int], None]]
    notes: Callable[[str], None]

    def table(self, model_hash: str, settings: LatencySettings) -> LatencyTable | None:
        """Return the table with the times of the other machine; None if only a program is written for it.

        Args:
            model_hash: The hash of the model.
            settings: How to measure.

        Raises:
            InputError: If the table is of something else, records do not belong to it, or the machine fails.
            UnsupportedError: If a segment cannot be exported, or not be run there.
        """
        segments = self.probe.segments(self.framework.extract(self.model, self.network, {}), self.network)
        versions = self.framework.library_versions()
        started = started_table(self.network, model_hash, settings, NOWHERE, versions, segments)
        before = self._before(started)
        if before is not None and before.complete:
            if self.elsewhere.host is None:
                raise InputError(f"'{self.path}' is complete", "choose another file, or remove this one")
            self.notes(f"'{self.path}' is complete, so nothing was measured")
            return before
        if self.elsewhere.records is not None:
            parts = load_parts(folder_of(self.path), started)
            if parts is None:
                raise InputError(
                    f"no files were exported for '{self.path}'", f"export them by {argument('script')} first"
                )
            return self._completed(parts, load_timings(self.elsewhere.records), before)
        exporter = PartExporter(self.framework, self.probe, self.model, self.network, folder_of(self.path))
        parts = exporter.exported(started, self.shows("exporting segments"))
        left = _left(parts, before)
        text = self.probe.timing_script({part.file: part.sha256 for part in left})
        if self.elsewhere.script is not None:
            write_text(self.elsewhere.script, text)
            return None
        return self._timed(parts, left, text, before)

    def _before(self, started: LatencyTable) -> LatencyTable | None:
        """Return the table that is there, of the same machine; None if there is none."""
        if not self.path.exists():
            return None
        known = load_latency_table(self.path)
        if known.machine.name is None:
            raise InputError(
                f"'{self.path}' holds latencies measured on the machine that reds ran on",
                "choose another file, or remove this one",
            )
        found = continued(replace(started, machine=known.machine, versions=known.versions), self.path)
        asked = self.elsewhere.name
        if asked is not None and asked != known.machine.name:
            raise InputError(
                f"'{self.path}' holds latencies of {known.machine.name}, not of {asked}",
                "choose another file, or remove this one",
            )
        return found

    def _timed(
        self, parts: LatencyParts, left: Sequence[PartFile], text: str, before: LatencyTable | None
    ) -> LatencyTable:
        assert self.elsewhere.host is not None
        show = self.shows(f"timing segments on {self.elsewhere.host.name}")

        def line(text: str) -> None:
            if found := _PROGRESS.fullmatch(text):
                show(int(found[1]), int(found[2]))

        def rescued(timings: Timings) -> None:
            self._completed(parts, timings, before)

        paths = {part.file: folder_of(self.path) / part.file for part in left}
        return self._completed(parts, timed_on_host(self.elsewhere, text, paths, line, rescued), before)

    def _completed(self, parts: LatencyParts, timings: Timings, before: LatencyTable | None) -> LatencyTable:
        """Write the table with more times, and remove the files once it is complete."""
        folder = folder_of(self.path)
        name = self.elsewhere.name or (None if before is None else before.machine.name)
        timings = timings.named(name)
        check_unchanged(timings, {part.file: part.sha256 for part in parts.files}, folder)
        started = replace(parts.table, machine=timings.machine, versions=timings.versions)
        if timings.threads != started.settings.threads:
            raise InputError(
                f"the records are of {timings.threads} threads", f"give {argument('threads', timings.threads)}"
            )
        table = with_times(
            started if before is None else continued(started, self.path), parts, timings, self.network, before is None
        )
        save_latency_table(table, self.path)
        if table.complete:
            remove_parts(folder, parts)
        else:  # after what was timed is saved
            _refuse_refused(timings, {part.file for part in parts.files})
        return table


def with_times(
    table: LatencyTable, parts: LatencyParts, timings: Timings, network: Network, is_new: bool
) -> LatencyTable:
    """Return a table with the times of more files.

    Args:
        table: The table.
        parts: What the files are.
        timings: Their times.
        network: The description of the network.
        is_new: Whether the table has no times yet.

    Raises:
        InputError: If it is new, and the times do not hold those of the whole network.
        UnsupportedError: If it is new, and the machine could not run the whole network.
    """
    times = {
        timed.file: Timing(timed.low_ns, timed.spread_ns, timed.runs)
        for timed in timings.files
        if timed.refused is None and timed.low_ns is not None
    }
    known = {part.key: times[part.file] for part in parts.files if part.file in times}
    if is_new:
        overhead, full, narrow = (known.get((what, None, ())) for what in WHOLE)
        if overhead is None or full is None or narrow is None:
            _refuse_refused(timings, {part.file for part in parts.files if part.what in WHOLE})
            raise InputError(
                "the records do not hold the times of the whole network",
                "let the program run longer on the other machine, and give the new records",
            )
        table = replace(table, overhead=overhead, full=full, narrow=narrow)
    done = {(sample.segment, sample.widths) for sample in table.samples}
    wanted = wanted_samples(table.segments, table.channels, table.settings.points)
    fresh = [Sample(*at, known["segment", *at]) for at in wanted if at not in done and ("segment", *at) in known]
    table = replace(table, samples=(*table.samples, *fresh))
    if len(table.samples) < len(wanted):
        return table
    form = table.form(network)
    checks = check_widths(network, table.settings.checks)
    for widths in checks[len(table.checks) :]:
        timing = known.get(("check", None, tuple(widths.values())))
        if timing is None:
            return table
        table = replace(table, checks=(*table.checks, Whole(widths, float(form.at(widths)), timing)))
    return replace(table, complete=True)


def _refuse_refused(timings: Timings, files: Collection[str]) -> None:
    """Raise UnsupportedError for the first of some files that the machine could not run."""
    for timed in timings.files:
        if timed.refused is not None and timed.file in files:
            raise UnsupportedError(
                f"{timings.machine.name} cannot run '{timed.file}', a part of the network ({timed.refused})",
                "install a newer version of its library there",
            )


def _left(parts: LatencyParts, before: LatencyTable | None) -> list[PartFile]:
    """Return the files whose times an unfinished table does not have."""
    if before is None:
        return list(parts.files)
    samples = {(sample.segment, sample.widths) for sample in before.samples}
    checks = {tuple(check.widths.values()) for check in before.checks}

    def is_done(part: PartFile) -> bool:
        if part.what == "segment":
            return (part.segment, part.widths) in samples
        return part.what in WHOLE or part.widths in checks

    return [part for part in parts.files if not is_done(part)]
