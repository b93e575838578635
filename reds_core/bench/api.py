"""The comparison of solvers as one call: the solves, their records and the report."""

from __future__ import annotations

from pathlib import Path

from reds_core.bench.history import BenchRun, Ending
from reds_core.bench.runner import BenchSettings, run_solves
from reds_core.bench.watcher import BenchWatcher
from reds_core.comparison import Done, conclude, stoppable
from reds_core.registry import Registry
from reds_core.system.files import given_path
from reds_core.system.folder_lock import locked_folder

DEFAULT_BENCH_OUT = "reds-bench"


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
    from reds_core.bench.report.writing import write_bench_report

    watcher = watcher or BenchWatcher()
    folder = given_path(out, "out")
    with stoppable("solve"), locked_folder(folder, "a comparison"):
        run = run_solves(settings, folder, watcher, registry or Registry())
        done = Done(run.solves, run.kept + run.done, run.ending is Ending.INTERRUPTED)
        conclude(done, "solve", watcher, lambda: write_bench_report(folder))
    return run
