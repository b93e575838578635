"""The solver comparison as one call: solves, records and report."""

from __future__ import annotations

from pathlib import Path

from reds_core.bench.history import BenchRun, Ending
from reds_core.bench.runner import BenchSettings, run_solves
from reds_core.bench.watcher import BenchWatcher
from reds_core.errors import RedsError
from reds_core.registry import Registry

DEFAULT_OUT = "reds-bench"
_GO_ON = "the same command goes on where it stopped"


class BenchInterrupted(RedsError):
    """The user stopped the comparison; what was done is kept."""

    exit_status = 130


def run_bench(
    settings: BenchSettings,
    out: str | Path = DEFAULT_OUT,
    watcher: BenchWatcher | None = None,
    registry: Registry | None = None,
) -> BenchRun:
    """Have every solver solve every problem, each solve in a process of its own; write records and report to `out`.

    Solves of the same settings that `out` holds already are not done again; those of others stay beside them.
    Whatever solvers do becomes a record; only what concerns the comparison itself is raised.

    Raises:
        InputError, UnavailableError: if something asked for cannot be used.
        BenchInterrupted: on Ctrl-C, after the report of what is done was written.
    """
    from reds_core.report.bench import write_bench_report

    watcher = watcher or BenchWatcher()
    folder = Path(out)
    try:
        run = run_solves(settings, folder, watcher, registry or Registry())
        there = run.kept + run.done
        if there:
            watcher.reporting()
            write_bench_report(folder)
    except KeyboardInterrupt:
        raise BenchInterrupted("interrupted outside of a solve", _GO_ON) from None
    if run.ending is Ending.INTERRUPTED:
        raise BenchInterrupted(f"interrupted after {there} of {run.solves} solves", _GO_ON)
    return run
