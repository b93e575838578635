"""The files of a network and its segments that another machine times: the file format `reds-latency-parts/1`.

They are in a folder beside the latency table, which is removed when the table is complete.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from reds_core.cost.latency_sampling import Segment, narrow_widths, rounds, wanted_samples
from reds_core.cost.latency_table import LatencyTable
from reds_core.errors import InputError
from reds_core.framework.family import member_kept
from reds_core.framework.framework import Framework
from reds_core.framework.probe import LatencyProbe
from reds_core.framework.timings import hash_of
from reds_core.network.description import Network
from reds_core.runs.latency_resuming import check_widths
from reds_core.system.files import is_file_name, make_folder, write_bytes, write_text
from reds_core.system.machine_faults import reason_of, shown
from reds_core.system.records import from_plain, parse_json, to_json

PARTS_FORMAT = "reds-latency-parts/1"
PARTS_FILE = "parts.json"

PartKind = Literal["overhead", "full", "narrow", "segment", "check"]
WHOLE: tuple[PartKind, ...] = ("overhead", "full", "narrow")
"""What a table needs before it holds any sample."""


@dataclass(frozen=True)
class PartFile:
    """One file to be timed.

    Attributes:
        file: its name in the folder.
        sha256: its hexadecimal SHA-256 digest.
        what: an empty model, the whole network at full width or at a quarter of the widths, a segment, or a whole
            subnetwork that checks predictions.
        segment: index of the segment; None for other files.
        widths: widths of the groups of the segment, or of all groups of a subnetwork; empty for other files.

    Raises:
        ValueError: if the name is a path.
    """

    file: str
    sha256: str
    what: PartKind
    segment: int | None = None
    widths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not is_file_name(self.file):
            raise ValueError(f"'{self.file}' is not the name of a file")

    @property
    def key(self) -> tuple[PartKind, int | None, tuple[int, ...]]:
        """What the file is."""
        return self.what, self.segment, self.widths


@dataclass(frozen=True)
class LatencyParts:
    """The files of one network.

    Attributes:
        table: the table without any times, or with those of an earlier measurement, whose machine is not used.
        files: the files, in the order in which they are timed.
        format: name and version of the file format.
    """

    table: LatencyTable
    files: tuple[PartFile, ...] = ()
    format: str = field(default=PARTS_FORMAT, kw_only=True)


def folder_of(table: Path) -> Path:
    """The folder of the files for a latency table."""
    return table.with_name(f"{table.stem}-parts")


def load_parts(folder: Path, started: LatencyTable) -> LatencyParts | None:
    """Read what was exported for a table; None if nothing was.

    Args:
        folder: the folder.
        started: a table of the same model and settings, without times.

    Raises:
        InputError: if the folder holds something else.
    """
    path = folder / PARTS_FILE
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("format") != PARTS_FORMAT:
            raise ValueError(f"it is not of format {PARTS_FORMAT}")
        parts: LatencyParts = from_plain(LatencyParts, content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read ({reason_of(error)})", "remove its folder") from error
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"{shown(path)} cannot be read ({error})", "remove its folder") from error
    if replace(parts.table, machine=started.machine) != started:
        raise InputError(
            f"'{folder}' holds files of another model, or for other settings",
            "remove it, or choose another file for the table",
        )
    return parts


@dataclass(frozen=True)
class PartExporter:
    """Exports a network and its segments.

    Attributes:
        framework: the framework of the model.
        probe: exports models.
        model: the model.
        network: its description.
        folder: the folder of the files.
    """

    framework: Framework
    probe: LatencyProbe
    model: Any
    network: Network
    folder: Path

    def exported(self, started: LatencyTable, told: Callable[[int, int], None]) -> LatencyParts:
        """Export what is not exported yet. The list of files is written after every round.

        Args:
            started: the table without times.
            told: called after every round with the number of files that exist, and of all.

        Raises:
            InputError: if the folder holds files of something else, or cannot be written.
            UnsupportedError: if a segment cannot be exported, or the probe exports none.
        """
        parts = load_parts(self.folder, started) or LatencyParts(started)
        kept = tuple(file for file in parts.files if self._is_there(file))
        parts, made = replace(parts, files=kept), {file.key for file in kept}
        wanted = wanted_samples(started.segments, started.channels, started.settings.points)
        checks = check_widths(self.network, started.settings.checks)
        count = len(WHOLE) + len(wanted) + len(checks)
        make_folder(self.folder)
        for each in self._missing(started.segments, wanted, checks, made):
            parts = replace(parts, files=(*parts.files, *each))
            write_text(self.folder / PARTS_FILE, to_json(parts))
            told(len(parts.files), count)
        rank = {"segment": 1, "check": 2}
        return replace(parts, files=tuple(sorted(parts.files, key=lambda file: rank.get(file.what, 0))))

    def _missing(
        self,
        segments: tuple[Segment, ...],
        wanted: list[tuple[int, tuple[int, ...]]],
        checks: Any,
        made: set[tuple[PartKind, int | None, tuple[int, ...]]],
    ) -> Iterator[list[PartFile]]:
        """Write the files that are not made yet, and yield them in rounds."""
        for what in WHOLE:
            if (what, None, ()) not in made:
                yield [self._written(what, self._whole(what), what)]
        left = [point for point in wanted if ("segment", *point) not in made]
        for widths, points in rounds(segments, left, self.network.channels):
            contents = self.probe.part_files(self._at(widths), [segment for segment, _ in points])
            yield [
                self._written(f"segment-{index}-{'x'.join(map(str, own)) or 'fixed'}", content, "segment", index, own)
                for (index, own), content in zip(points, contents, strict=True)
            ]
        for number, widths in enumerate(checks, 1):
            own = tuple(widths.values())
            if ("check", None, own) not in made:
                content = self.probe.whole_file(self._at(widths))
                yield [self._written(f"check-{number}", content, "check", None, own)]

    def _whole(self, what: PartKind) -> bytes:
        if what == "overhead":
            return self.probe.overhead_file()
        model = self.model if what == "full" else self._at(narrow_widths(self.network.channels))
        return self.probe.whole_file(model)

    def _at(self, widths: Mapping[str, int]) -> Any:
        return self.framework.extract(self.model, self.network, member_kept(widths))

    def _written(
        self, stem: str, content: bytes, what: PartKind, segment: int | None = None, widths: tuple[int, ...] = ()
    ) -> PartFile:
        name = f"{stem}{self.probe.suffix}"
        write_bytes(self.folder / name, content)
        return PartFile(name, hash_of(content), what, segment, widths)

    def _is_there(self, file: PartFile) -> bool:
        try:
            return hash_of((self.folder / file.file).read_bytes()) == file.sha256
        except OSError:
            return False


def remove_parts(folder: Path, parts: LatencyParts) -> None:
    """Remove the files that were exported, and their folder if it holds nothing else."""
    with contextlib.suppress(OSError):
        for name in (*(file.file for file in parts.files), PARTS_FILE):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
