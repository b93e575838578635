"""Runs the cells of a study one after the other, resumes after it was stopped, and keeps a record of each.

A cell is one network that is made smaller in one way, with one seed. It may keep what it needs to resume in
OUT/runs/NAME, which is removed once the cell is recorded. Each study defines its cells, what is measured of one, and
its page.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from reds_core.errors import RedsError
from reds_core.system import RECORDS_FILE, RecordKind, make_folder


class Named(Protocol):
    """What has the name of a cell: a cell, or its record."""

    @property
    def name(self) -> str:
        """The name, by which the cell can be chosen on the command line."""
        ...


C = TypeVar("C", bound=Named)
R = TypeVar("R", bound=Named)


@dataclass(frozen=True)
class CellRuns(Generic[C, R]):
    """A study whose cells run one after the other.

    Attributes:
        records: How its records are read and written.
        cells: The cells that can run, in their order, given the records so far and the epochs of training; None for
            the epochs of the study.
        perform: Runs a cell, or resumes it, in the folder of the study, and returns its record.
        write: Writes the page at a path, from records and from the folder of what else was kept.
        page: Where the page goes.
        kept: The folder of the repository that keeps what was measured.
        out: The folder of the runs.
        takes_epochs: Whether another number of epochs can be asked for on trial.
    """

    records: RecordKind[R]
    cells: Callable[[Sequence[R], int | None], Sequence[C]]
    perform: Callable[[C, Path], R]
    write: Callable[[Sequence[R], Path, Path], None]
    page: Path
    kept: Path
    out: Path
    takes_epochs: bool = True

    def wanted(self, records: Sequence[R], patterns: Sequence[str] = ("*",), epochs: int | None = None) -> list[C]:
        """The cells whose names match a shell pattern."""
        return [c for c in self.cells(records, epochs) if any(fnmatchcase(c.name, pattern) for pattern in patterns)]

    def run(self, out: Path, patterns: Sequence[str] = ("*",), epochs: int | None = None) -> None:
        """Run the cells that are not recorded yet. Those that are refused are named and left for later."""
        make_folder(out)
        with self.records.opened(out) as file:
            records, refused = list(file.before), set[str]()
            while True:
                known = {record.name for record in records} | refused
                left = [cell for cell in self.wanted(records, patterns, epochs) if cell.name not in known]
                if not left:
                    return
                try:
                    record = self.perform(left[0], out)
                except RedsError as error:
                    refused.add(left[0].name)
                    _say(f"{left[0].name}: left for later, {error}")
                else:
                    records.append(record)
                    file.append(record)
                    _say(f"{len(left) - 1} left: {record}")
                shutil.rmtree(out / "runs" / left[0].name, ignore_errors=True)

    def keep(self, out: Path) -> None:
        """Copy records and predictions to the repository."""
        make_folder(self.kept)
        for path in (*out.glob("*.jsonl"), *out.glob("*.npz")):
            shutil.copyfile(path, self.kept / path.name)

    def main(self, about: str | None, arguments: Sequence[str] | None = None) -> None:
        """Run the study from the command line."""
        parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--cells", default="*", help="names of cells, as shell patterns joined by commas")
        parser.add_argument("--out", type=Path, default=self.out, help="folder of the runs")
        parser.add_argument("--page", type=Path, default=self.page, help="where the page goes")
        if self.takes_epochs:
            parser.add_argument("--epochs", type=int, help="of training, in place of those of the study; not kept")
        parser.add_argument("--plan", action="store_true", help="only list the cells in their order")
        parser.add_argument("--from-records", action="store_true", help="write the page from kept records")
        given = parser.parse_args(arguments)
        patterns, out, epochs = tuple(given.cells.split(",")), given.out.resolve(), vars(given).get("epochs")
        before = self.records.read(out) if out.joinpath(RECORDS_FILE).exists() else ()
        cells = self.wanted(before, patterns, epochs)
        if not cells:
            raise SystemExit(f"no cell matches {given.cells!r}; --plan lists them")
        if given.plan:
            sys.stdout.write("".join(f"{cell.name}\n" for cell in cells))
            return
        folder = self.kept
        if not given.from_records:
            folder = out
            try:
                self.run(out, patterns, epochs)
            finally:
                if epochs is None:
                    self.keep(out)
        self.write(self.records.read(folder), folder, given.page)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
