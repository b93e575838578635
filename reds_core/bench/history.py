"""bench.json: how the records in the same folder were made, with one entry for each run of the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from reds_core.errors import InputError
from reds_core.system.files import write_text
from reds_core.system.machine import Machine
from reds_core.system.records import LEFT_OUT, from_plain, parse_json, to_json

HISTORY_FILE = "bench.json"
FORMAT = "reds-bench/1"


class Ending(Enum):
    """How a run of the command ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True)
class LeftOut:
    """A requested solver that could not take part.

    Attributes:
        name: name of the plugin, or of its entry point if the plugin is broken.
        status: "unavailable" or "broken".
        detail: what to install, or why the plugin is broken.
    """

    name: str
    status: str
    detail: str


@dataclass(frozen=True)
class BenchRun:
    """One run of the command.

    Attributes:
        started_at: when it began, UTC, ISO 8601.
        ended_at: when it ended, UTC, ISO 8601; None while it runs, or if it was killed.
        ending: how it ended; None while it runs, or if it was killed.
        problems: names of all problems, those of suites included.
        suites: names of the suites that were requested.
        contenders: labels of the contenders.
        left_out: requested solvers that could not take part.
        time_limit_s: time limit of each solve.
        memory_limit_bytes: memory limit of each solve.
        threads: number of threads of each solver; None if it chooses.
        seed: seed of each solver; None if it chooses.
        repeat: how often each solver solves each problem.
        jobs: number of solves that run at the same time.
        backend: "loky" or "dask".
        solves: number of solves that the settings require.
        kept: number of them that were already recorded at the start.
        done: number of solves that this run has added.
        warnings: reasons why the measurements may not be comparable.
        machine: where the command ran; with Dask, solves may have run elsewhere, as their records say.
        versions: versions of reds-core, numpy and the libraries that run the solves.
        gap: proven relative gap at which solvers may stop; left out if none was asked for.
        problem_hashes: the SHA-256 of each of the problems.
        contender_versions: the version of each contender, in their order.
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
    gap: float | None = field(default=None, metadata={LEFT_OUT: True})
    problem_hashes: tuple[str, ...] = field(default=(), metadata={LEFT_OUT: True})
    contender_versions: tuple[str, ...] = field(default=(), metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class BenchHistory:
    """The content of bench.json.

    Attributes:
        runs: the runs of the command, with the latest one last.
    """

    runs: tuple[BenchRun, ...] = ()
    format: str = FORMAT


def read_history(folder: str | Path) -> BenchHistory:
    """Read the history of the comparison in `folder`; it has no runs if bench.json does not exist.

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
    """Write bench.json atomically.

    Raises:
        InputError: if the folder cannot be written.
    """
    write_text(folder / HISTORY_FILE, to_json(history))
