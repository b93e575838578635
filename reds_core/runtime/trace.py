"""Traces: the harvested power, the deadline, the temperature and the requests over time, from files."""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.errors import InputError

COLUMNS = ("time_s", "harvest_mW", "deadline_ms", "temperature_C")
REQUESTS = "requests"
"""A column that may be left out: one request arrives in each step without it."""
_LARGEST = {"time_s": 1e11, "harvest_mW": 1e9, "deadline_ms": 1e9, "temperature_C": 1000.0, REQUESTS: 1e6}
_TOLERANCE = 1e-3
"""The share of a step by which times may differ from equal steps, for the digits that a file leaves out."""


@dataclass(frozen=True, eq=False)
class Trace:
    """What happens to a device, in steps of equal length.

    Attributes:
        name: What it is called in reports.
        step_s: The length of a step in seconds.
        start_s: The time of the first step in seconds.
        harvest_mW: The harvested power during each step, in milliwatts, float64 (steps,).
        deadline_ms: The time that requests of each step may take, in milliseconds, float64 (steps,).
        temperature_C: The temperature during each step, in degrees Celsius, float64 (steps,).
        requests: The number of requests that arrive at the beginning of each step, int64 (steps,).
        about: How it was made, in a sentence.
    """

    name: str
    step_s: float
    harvest_mW: FloatArray
    deadline_ms: FloatArray
    temperature_C: FloatArray
    requests: IntArray
    start_s: float = 0.0
    about: str = ""

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.harvest_mW)

    @property
    def duration_s(self) -> float:
        """The length of the trace in seconds."""
        return self.steps * self.step_s

    def part(self, first: int, last: int) -> Trace:
        """The steps from `first` up to, but without, `last`."""
        where = slice(first, last)
        return Trace(
            self.name,
            self.step_s,
            self.harvest_mW[where],
            self.deadline_ms[where],
            self.temperature_C[where],
            self.requests[where],
            self.start_s + first * self.step_s,
            self.about,
        )


def read_trace(path: Path) -> Trace:
    """Read a trace from a CSV file with the columns `time_s,harvest_mW,deadline_ms,temperature_C`, in any order.

    A column `requests` may hold the number of requests that arrive in each step. Other columns are ignored. The last
    step is as long as the others.

    Args:
        path: The file.

    Raises:
        InputError: If it cannot be read, a column is missing, it has fewer than two rows, a field is not a number of
            its range, or times do not rise in equal steps.
    """
    header, above = _header(path)
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(f"trace '{path}' has no column {' and no column '.join(missing)}", f"give {_FORM}")
    twice = [name for name in (*COLUMNS, REQUESTS) if header.count(name) > 1]
    if twice:
        raise InputError(f"trace '{path}' has two columns {twice[0]}", "remove one of them")
    columns = _columns(path, header, above, [name for name in (*COLUMNS, REQUESTS) if name in header])
    if len(columns["time_s"]) < 2:
        found = ("no row", "one row only")[len(columns["time_s"])]
        raise InputError(f"trace '{path}' has {found}", "give at least 2, from which the step follows")
    step = _step(path, columns["time_s"])
    requests = columns.get(REQUESTS, np.ones(len(columns["time_s"])))
    if (requests != np.floor(requests)).any():
        row = int(np.flatnonzero(requests != np.floor(requests))[0])
        found = f"{requests[row]:g} requests in row {_row(path, row)}"
        raise InputError(f"trace '{path}' has {found}", "give whole numbers")
    return Trace(
        path.stem,
        step,
        columns["harvest_mW"],
        columns["deadline_ms"],
        columns["temperature_C"],
        requests.astype(np.int64),
        float(columns["time_s"][0]),
        f"the file {path.name}",
    )


_FORM = f"a CSV file with the columns {','.join(COLUMNS)}"


def _header(path: Path) -> tuple[list[str], int]:
    """The names in the first row that is not empty, and the number of lines to its end."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            first = next((row for row in rows if row), [])
            before = rows.line_num
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"trace '{path}' cannot be read ({type(error).__name__})", f"give {_FORM}") from error
    if not any(field.strip() for field in first):
        raise InputError(f"trace '{path}' is empty", f"give {_FORM}")
    return [name.strip() for name in first], before


def _columns(path: Path, header: list[str], above: int, names: list[str]) -> dict[str, FloatArray]:
    """The columns of these names, by name.

    Raises:
        InputError: If the file cannot be read, or a field is missing, not a number, or out of its range.
    """
    places = [header.index(name) for name in names]
    try:
        with path.open(encoding="utf-8-sig") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file without rows, which is refused later
            read: FloatArray = np.loadtxt(file, delimiter=",", skiprows=above, usecols=places, ndmin=2, comments=None)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"trace '{path}' cannot be read ({type(error).__name__})", f"give {_FORM}") from error
    except ValueError:  # reads again, more slowly, for the field that is wrong
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row][1:]  # as NumPy, which leaves out empty lines
        found = {name: _slow_column(path, rows, place, name) for name, place in zip(names, places, strict=True)}
    else:
        found = {name: np.ascontiguousarray(read[:, place]) for place, name in enumerate(names)}
    for name, column in found.items():
        lowest = {"time_s": -_LARGEST["time_s"], "temperature_C": -273.15}.get(name, 0.0)
        wrong = np.flatnonzero(~((column >= lowest) & (column <= _LARGEST[name])))
        if wrong.size:
            raise InputError(
                f"trace '{path}' has {column[wrong[0]]:g} as {name} in row {_row(path, int(wrong[0]))}",
                f"give a number from {lowest:g} to {_LARGEST[name]:g} in every row",
            )
    return found


def _row(path: Path, index: int) -> int:
    """The number of the line of a row, given its place below the header among the rows that are not empty."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        lines = [rows.line_num for row in rows if row]
    return lines[index + 1]


def _slow_column(path: Path, rows: list[list[str]], place: int, name: str) -> FloatArray:
    """One column, with a message for the first field that is not a number."""
    found = np.empty(len(rows))
    for index, row in enumerate(rows):
        text = row[place].strip() if place < len(row) else ""
        try:
            found[index] = float(text)
        except ValueError:
            raise InputError(
                f"trace '{path}' has {repr(text) if text else 'nothing'} as {name} in row {_row(path, index)}",
                "give a number in every row, for instance the mean of its neighbours",
            ) from None
    return found


def _step(path: Path, times: FloatArray) -> float:
    """The length of the steps.

    Raises:
        InputError: If times do not rise, or steps are not equal.
    """
    lengths = np.diff(times)
    falling = np.flatnonzero(lengths <= 0)
    if falling.size:
        row = int(falling[0])
        raise InputError(
            f"trace '{path}' goes from {times[row]:g} s to {times[row + 1]:g} s in row {_row(path, row + 1)}",
            "give rows in the order of time_s, one of each time",
        )
    step = float(np.quantile(lengths, 0.5, method="lower"))  # a median that is one of the lengths
    uneven = np.flatnonzero(np.abs(lengths - step) > _TOLERANCE * step + 1e-6)
    if uneven.size:
        row = int(uneven[0])
        kind = "a gap" if lengths[row] > step else "a shorter step"
        raise InputError(
            f"trace '{path}' has {kind} of {lengths[row]:g} s before row {_row(path, row + 1)}, where other steps take "
            f"{step:g} s",
            "give equal steps, by resampling it",
        )
    return float((times[-1] - times[0]) / (len(times) - 1))
