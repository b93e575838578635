"""DIR/bench.json: how the records beside it were made, one entry for each time the command ran in the folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from reds_core.errors import InputError
from reds_core.system.files import write_text
from reds_core.system.machine import Machine
from reds_core.system.records import from_plain, parse_json, to_json

HISTORY_FILE = "bench.json"
FORMAT = "reds-bench/1"


class Ending(Enum):
    """How a run of the command ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True)
class LeftOut:
    """A solver that was wanted and could not take part.

    Attributes:
        name: of the plugin; of its entry point where it is broken.
        status: unavailable or broken.
        detail: what to install, or why it is broken.
    """

    name: str
    status: str
    detail: str


@dataclass(frozen=True)
class BenchRun:
    """One time that the command ran.

    Attributes:
        started_at, ended_at: UTC, ISO 8601; `ended_at` and `ending` are None while it runs, or where it was killed.
        problems: names, suites spelt out.
        suites: names of the suites that they came from.
        contenders: labels.
        left_out: solvers that were wanted and could not take part.
        time_limit_s, memory_limit_bytes, threads, seed, repeat, jobs: what was asked for each solve.
        backend: loky or dask.
        solves: how many the command stands for.
        kept: how many of them were there when it started.
        done: how many it has added.
        warnings: what speaks against comparing its figures.
        machine: where the command ran; with Dask solves may have run elsewhere, as their records say.
        versions: of reds-core, numpy and what runs the solves.
    """

    started_at: str
    ended_at: str | None
    ending: Ending | None
    problems: tuple[str, ...]
    suites: tuple[str, ...]
    contenders: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    time_limit_s: float
    memory_limit_bytes: int | None
    threads: int | None
    seed: int | None
    repeat: int
    jobs: int
    backend: str
    solves: int
    kept: int
    done: int
    warnings: tuple[str, ...]
    machine: Machine
    versions: Mapping[str, str]


@dataclass(frozen=True)
class BenchHistory:
    """The content of bench.json, the latest run last."""

    runs: tuple[BenchRun, ...] = ()
    format: str = FORMAT


def read_history(folder: str | Path) -> BenchHistory:
    """The history of the comparison in `folder`; without runs where none is written.

    Raises:
        InputError: if bench.json cannot be read.
    """
    path = Path(folder, HISTORY_FILE)
    try:
        history: BenchHistory = from_plain(BenchHistory, parse_json(path.read_bytes()))
        if history.format != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
    except FileNotFoundError:
        return BenchHistory()
    except (OSError, TypeError, ValueError, KeyError, RecursionError) as error:
        raise InputError(f"'{path}' cannot be read ({error})", "remove it; the records do not depend on it") from None
    return history


def write_history(folder: Path, history: BenchHistory) -> None:
    """Write bench.json whole or not at all.

    Raises:
        InputError: if the folder cannot be written.
    """
    write_text(folder / HISTORY_FILE, to_json(history))
