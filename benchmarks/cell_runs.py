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

from kept_records import keep_records

from reds_core.errors import InputError, NoSpaceError, UnsupportedError
from reds_core.system import RECORDS_FILE, RecordKind, locked_folder, make_folder


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
        """Run the cells that are not recorded yet. Those that are refused are named and left for later.

        Other errors, such as a full disk, end the study, and the cell resumes when it is started again.

        Raises:
            InputError: If another process runs the study in the folder.
        """
        make_folder(out)
        with locked_folder(out, "a study"), self.records.opened(out) as file:
            records, refused = list(file.before), set[str]()
            while True:
                known = {record.name for record in records} | refused
                left = [cell for cell in self.wanted(records, patterns, epochs) if cell.name not in known]
                if not left:
                    return
                try:
                    record = self.perform(left[0], out)
                except NoSpaceError:
                    raise
                except (UnsupportedError, InputError) as error:
                    refused.add(left[0].name)
                    _say(f"{left[0].name}: left for later, {error}")
                else:
                    records.append(record)
                    file.append(record)
                    _say(f"{len(left) - 1} left: {record}")
                    shutil.rmtree(out / "runs" / left[0].name, ignore_errors=True)

    def keep(self, out: Path) -> None:
        """Copy records and predictions to the repository, where records of other cells stay."""
        keep_records(self.records, out, self.kept, lambda record: record.name)
        for path in out.glob("*.npz"):
            shutil.copyfile(path, self.kept / path.name)

    def main(self, about: str | None, arguments: Sequence[str] | None = None) -> None:
        """Run the study from the command line."""
        parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--cells", default="*", help="names of cells, as shell patterns joined by commas")
        parser.add_argument("--out", type=Path, help=f"folder of the runs; by default {self.out}")
        parser.add_argument("--page", type=Path, help="where the page goes; by default to the documentation")
        if self.takes_epochs:
            parser.add_argument(
                "--epochs",
                type=int,
                help="of training, on trial: nothing is kept, and by default the folder is another one, with the page",
            )
        parser.add_argument("--plan", action="store_true", help="only list the cells in their order")
        parser.add_argument("--from-records", action="store_true", help="write the page from kept records")
        given = parser.parse_args(arguments)
        if given.from_records and (given.cells != "*" or vars(given).get("epochs") is not None):
            parser.error("--from-records writes the page from all kept records; leave out --cells and --epochs")
        patterns, epochs = tuple(given.cells.split(",")), vars(given).get("epochs")
        out = (given.out or (self.out if epochs is None else Path(f"{self.out}-epochs{epochs}"))).resolve()
        page = given.page or (self.page if epochs is None else out / self.page.name)
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
        records = self.records.read(folder)
        if not records:
            raise SystemExit(f"there are no records in {folder}, so no page is written")
        self.write(records, folder, page)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
