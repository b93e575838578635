"""The comparison of solvers as one call: the solves, their records and the report."""

from __future__ import annotations

from contextlib import nullcontext
from os import PathLike

from reds_core.bench.history import BenchRun, Ending
from reds_core.bench.runner import BenchSettings, run_solves
from reds_core.bench.view import BenchView
from reds_core.bench.watcher import BenchWatcher
from reds_core.comparison.conclusion import Done, conclude, stoppable
from reds_core.progress import Verbose
from reds_core.registry import Registry
from reds_core.system.files import given_path
from reds_core.system.folder_lock import locked_folder

DEFAULT_BENCH_OUT = "reds-bench"


def run_bench(
    settings: BenchSettings,
    out: str | PathLike[str] = DEFAULT_BENCH_OUT,
    watcher: BenchWatcher | None = None,
    registry: Registry | None = None,
    *,
    verbose: Verbose = "auto",
) -> BenchRun:
    """Compare solvers: have each of them solve each problem, every solve in a process of its own.

    This is what `reds bench` does. Solves of the same settings that the folder already holds are not repeated, so the
    same call continues where it stopped. Solves of other settings are kept. Whatever a solver does becomes a
    record; only faults of the comparison itself are raised.

    Args:
        settings: The problems, the solvers and the limits.
        out: The folder for records and report.
        watcher: An object that is told of progress and warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"` or 1: a bar; 2: a line for each
            finished job.
        registry: The plugins to choose from. By default they are all that are installed.

    Returns:
        A `BenchRun`: what was asked for and how far it came. `read_records` reads the solves.

    Raises:
        InputError: If an argument is invalid, or another comparison is writing to the folder.
        UnavailableError: If a solver that was named, or a library, is not installed.
        ComparisonInterrupted: On Ctrl-C, after the report of the finished solves is written.

    Example:
        >>> settings = reds_core.BenchSettings(suites=("tiny",), solvers=("dp,greedy",))
        >>> reds_core.run_bench(settings, "bench")
        >>> reds_core.read_records("bench")
    """
    from reds_core.bench.report.writing import write_bench_report

    folder = given_path(out, "out")
    shown = nullcontext(watcher) if watcher is not None else BenchView(verbose)
    with shown as followed, stoppable("solve"), locked_folder(folder, "a comparison"):
        run = run_solves(settings, folder, followed, registry or Registry())
        done = Done(run.solves, run.kept + run.done, run.ending is Ending.INTERRUPTED)
        conclude(done, "solve", followed, lambda: write_bench_report(folder))
    return run
