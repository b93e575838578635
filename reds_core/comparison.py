"""The comparisons, of solvers and of pruning runs, as one call each: the work, its records and its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reds_core.bench.history import BenchRun, Ending
from reds_core.bench.runner import BenchSettings, run_solves
from reds_core.bench.watcher import BenchWatcher
from reds_core.compare.process import Perform, perform_in_process
from reds_core.compare.runner import CompareRun, CompareSettings, run_grid
from reds_core.compare.watcher import CompareWatcher
from reds_core.errors import RedsError
from reds_core.files import given_path
from reds_core.folder_lock import locked_folder
from reds_core.registry import Registry
from reds_core.watcher import ComparisonWatcher

DEFAULT_BENCH_OUT = "reds-bench"
DEFAULT_COMPARE_OUT = "reds-compare"
_GO_ON = "the same command goes on where it stopped"


class ComparisonInterrupted(RedsError):
    """The user stopped the comparison; what was done is kept."""

    exit_status = 130


def run_bench(
    settings: BenchSettings,
    out: str | Path = DEFAULT_BENCH_OUT,
    watcher: BenchWatcher | None = None,
    registry: Registry | None = None,
) -> BenchRun:
    """Have every solver solve every problem, each solve in a process of its own; write records and report to `out`.

    Solves of the same settings that `out` holds already are not done again; those of others stay beside them.
    Whatever solvers do becomes a record; only what concerns the comparison itself is raised.

    Raises:
        InputError, UnavailableError: if something asked for cannot be used, or another comparison is writing to `out`.
        ComparisonInterrupted: on Ctrl-C, after the report of what is done was written.
    """
    from reds_core.report.bench import write_bench_report

    watcher = watcher or BenchWatcher()
    folder = given_path(out, "out")
    with _stoppable("solve"), locked_folder(folder, "a comparison"):
        run = run_solves(settings, folder, watcher, registry or Registry())
        done = _Done(run.solves, run.kept + run.done, run.ending is Ending.INTERRUPTED)
        _conclude(done, "solve", watcher, lambda: write_bench_report(folder))
    return run


def run_comparison(
    settings: CompareSettings,
    out: str | Path = DEFAULT_COMPARE_OUT,
    watcher: CompareWatcher | None = None,
    registry: Registry | None = None,
    perform: Perform = perform_in_process,
) -> CompareRun:
    """Make every run that the settings stand for and `out` does not hold yet; write records and report to `out`.

    Whatever runs do becomes a record; only what concerns the comparison itself is raised.

    Args:
        perform: brings one run to its end.

    Raises:
        InputError, UnavailableError: if something asked for cannot be used, or another comparison is writing to `out`.
        ComparisonInterrupted: on Ctrl-C, after the report of what is done was written.
    """
    from reds_core.report.compare import write_compare_report

    watcher = watcher or CompareWatcher()
    folder = given_path(out, "out")
    with _stoppable("run"), locked_folder(folder, "a comparison"):
        run = run_grid(settings, folder, watcher, registry or Registry(), perform)
        done = _Done(len(run.runs), run.kept + run.done, run.interrupted)
        _conclude(done, "run", watcher, lambda: write_compare_report(folder))
    return run


@dataclass(frozen=True)
class _Done:
    """How far a comparison has come.

    Attributes:
        asked: pieces of work that the call stands for.
        there: how many of them are done, be it by an earlier call.
        interrupted: whether the user stopped it.
    """

    asked: int
    there: int
    interrupted: bool


@contextmanager
def _stoppable(piece: str) -> Iterator[None]:
    """Ctrl-C inside the block, where no piece of work is under way, as an error that tells of it."""
    try:
        yield
    except KeyboardInterrupt:
        raise ComparisonInterrupted(f"interrupted outside of a {piece}", _GO_ON) from None


def _conclude(done: _Done, piece: str, watcher: ComparisonWatcher, write_report: Callable[[], None]) -> None:
    """Report what is there.

    Raises:
        ComparisonInterrupted: then, if the user stopped the comparison.
    """
    if done.there:
        watcher.reporting()
        write_report()
    if done.interrupted:
        raise ComparisonInterrupted(f"interrupted after {done.there} of {done.asked} {piece}s", _GO_ON)
