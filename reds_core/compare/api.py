"""The comparison of pruning runs as one call: runs, records and report."""

from __future__ import annotations

from pathlib import Path

from reds_core.compare.process import Perform, perform_in_process
from reds_core.compare.runner import CompareRun, CompareSettings, run_grid
from reds_core.compare.watcher import CompareWatcher
from reds_core.errors import RedsError
from reds_core.registry import Registry

DEFAULT_OUT = "reds-compare"
_GO_ON = "the same command goes on where it stopped"


class CompareInterrupted(RedsError):
    """The user stopped the comparison; what was done is kept."""

    exit_status = 130


def run_comparison(
    settings: CompareSettings,
    out: str | Path = DEFAULT_OUT,
    watcher: CompareWatcher | None = None,
    registry: Registry | None = None,
    perform: Perform = perform_in_process,
) -> CompareRun:
    """Make every run that the settings stand for and `out` does not hold yet; write records and report to `out`.

    Whatever runs do becomes a record; only what concerns the comparison itself is raised.

    Raises:
        InputError, UnavailableError: if something asked for cannot be used.
        CompareInterrupted: on Ctrl-C, after the report of what is done was written.
    """
    from reds_core.report.compare import write_compare_report

    watcher = watcher or CompareWatcher()
    folder = Path(out)
    try:
        run = run_grid(settings, folder, watcher, registry or Registry(), perform)
        there = run.kept + run.done
        if there:
            watcher.reporting()
            write_compare_report(folder)
    except KeyboardInterrupt:
        raise CompareInterrupted("interrupted outside of a run", _GO_ON) from None
    if run.interrupted:
        raise CompareInterrupted(f"interrupted after {there} of {len(run.runs)} runs", _GO_ON)
    return run
