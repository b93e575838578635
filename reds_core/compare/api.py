"""The comparison of pruning runs as one call: the runs, their records and the report."""

from __future__ import annotations

from pathlib import Path

from reds_core.compare.process import Perform, perform_in_process
from reds_core.compare.runner import CompareRun, CompareSettings, run_grid
from reds_core.compare.watcher import CompareWatcher
from reds_core.comparison import Done, conclude, stoppable
from reds_core.registry import Registry
from reds_core.system.files import given_path
from reds_core.system.folder_lock import locked_folder

DEFAULT_COMPARE_OUT = "reds-compare"


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
    from reds_core.compare.report.writing import write_compare_report

    watcher = watcher or CompareWatcher()
    folder = given_path(out, "out")
    with stoppable("run"), locked_folder(folder, "a comparison"):
        run = run_grid(settings, folder, watcher, registry or Registry(), perform)
        done = Done(len(run.runs), run.kept + run.done, run.interrupted)
        conclude(done, "run", watcher, lambda: write_compare_report(folder))
    return run
