"""The comparison of pruning runs as one call: the runs, their records and the report."""

from __future__ import annotations

from contextlib import nullcontext
from os import PathLike

from reds_core.compare.process import Perform
from reds_core.compare.runner import CompareRun, CompareSettings, run_grid
from reds_core.compare.view import CompareView
from reds_core.compare.watcher import CompareWatcher
from reds_core.comparison.conclusion import Done, conclude, stoppable
from reds_core.progress import Verbose
from reds_core.registry import Registry
from reds_core.system.files import given_path
from reds_core.system.folder_lock import locked_folder

DEFAULT_COMPARE_OUT = "reds-compare"


def run_comparison(
    settings: CompareSettings,
    out: str | PathLike[str] = DEFAULT_COMPARE_OUT,
    watcher: CompareWatcher | None = None,
    registry: Registry | None = None,
    perform: Perform | None = None,
    *,
    verbose: Verbose = "auto",
) -> CompareRun:
    """Compare pruning runs: perform every run that the settings describe, and report the accuracy of the networks.

    This is what `reds compare` does. Runs that the folder already holds are not repeated, so the same call resumes
    where it stopped. Failures of runs become records; only errors of the comparison itself are raised.

    Args:
        settings: The recipes, and the pruners, scorers, solvers and seeds to make each of them with.
        out: The folder for runs, records and report.
        watcher: An object that is told of progress.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"` or 1: a bar; 2: a line for each
            finished job.
        registry: The plugins to choose from. By default they are all that are installed.
        perform: A function that performs one run, which can be pickled if several runs are performed at a time. By
            default each run has a process of its own.

    Returns:
        A `CompareRun`: what was asked for and how far it came. `read_results` reads what came of the runs.

    Raises:
        InputError: If an argument is invalid, or another comparison is writing to the folder.
        UnavailableError: If a plugin that was named, or a library, is not installed.
        RedsError: If a process that watches runs is lost.
        ComparisonInterrupted: On Ctrl-C, after the report of the finished runs is written.

    Example:
        >>> grid = reds_core.Grid((Path("recipe.yaml"),), scorers="taylor,magnitude", seeds=(0, 1, 2))
        >>> reds_core.run_comparison(reds_core.CompareSettings(grid), "compare")
        >>> reds_core.read_results("compare")
    """
    from reds_core.compare.report.writing import write_compare_report

    folder = given_path(out, "out")
    shown = nullcontext(watcher) if watcher is not None else CompareView(verbose)
    with shown as followed, stoppable("run"), locked_folder(folder, "a comparison"):
        run = run_grid(settings, folder, followed, registry or Registry(), perform)
        done = Done(len(run.runs), run.kept + run.done, run.interrupted)
        conclude(done, "run", followed, lambda: write_compare_report(folder))
    return run
