"""What calls show of their progress: bars in terminals and notebooks, lines elsewhere, and records of a logger.

rich is imported inside functions, so that calls that show nothing do without it.
"""

from __future__ import annotations

import importlib.util
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from numbers import Integral
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from reds_core.errors import InputError
from reds_core.framework.finetuning import EpochProgress
from reds_core.report import units
from reds_core.report.facts import Metric, metric_of
from reds_core.system.output import write_nowhere
from reds_core.watcher import LOGGER, Watcher

if TYPE_CHECKING:
    from rich.console import Console

_REDRAW_S = 0.25

Verbose = Literal["auto", 0, 1, 2]
"""0: nothing is shown. `"auto"` and 1: bars in a terminal or a notebook, lines elsewhere. 2: lines."""


@contextmanager
def following(verbose: Verbose, watcher: Watcher | None = None, metric: Any = None) -> Iterator[Watcher]:
    """Context manager for the watcher of one call, which also writes to the logger "reds".

    Args:
        verbose: What is shown if no watcher is given.
        watcher: The watcher that the caller gave. It replaces what would be shown.
        metric: The name of the metric, or an object, for what is shown.

    Raises:
        InputError: If `verbose` is invalid, or `watcher` is not a watcher.
    """
    check_verbose(verbose)
    _check_watcher(watcher)
    shown = Watcher() if verbose == 0 else ConsoleWatcher(metric, verbose)
    shown = shown if watcher is None else watcher
    logged = _Logged(shown, metric_of({"metric": metric}))
    if isinstance(shown, ConsoleWatcher):
        with shown:
            yield logged
    else:
        yield logged


@contextmanager
def showing_count(verbose: Verbose, what: str) -> Iterator[Callable[[int, int], None]]:
    """Context manager that shows how many pieces of some work are done.

    Args:
        verbose: What is shown. Lines are shown at the beginning only.
        what: What is being done.

    Yields:
        A function that takes the number of finished pieces and the number of all.
    """
    check_verbose(verbose)
    LOGGER.info(what)
    if verbose == 0:
        yield lambda done, of: None
        return
    if not _shows_bars(verbose):
        _Lines(Metric()).stage(what)
        yield lambda done, of: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    console = status_console()
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        auto_refresh=not console.is_jupyter,
    ) as progress:
        task, redraw = progress.add_task(what, total=None), _Redraw(console)

        def show(done: int, of: int) -> None:
            progress.update(task, total=of, completed=done, refresh=redraw.is_due(done == of))

        yield show


class ConsoleWatcher(Watcher):
    """Shows the progress of a call on stderr: its stages, and each training with its loss, metric and remaining time.

    It is a context manager, which takes the bars away at the end. Calls that get one as `watcher` do that themselves.

    Args:
        metric: The name of the metric of trainings. None means accuracy.
        verbose: `"auto"` or 1 for bars in a terminal or a notebook and lines elsewhere, or 2 for lines.

    Raises:
        InputError: If `verbose` has another value.
    """

    def __init__(self, metric: str | None = None, verbose: Verbose = "auto") -> None:
        check_verbose(verbose)
        found = metric_of({"metric": metric})
        self._shown: _Bars | _Lines = _Bars(found) if _shows_bars(verbose) else _Lines(found)

    def __enter__(self) -> ConsoleWatcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.close(finished=kind is None)

    def stage(self, text: str) -> None:
        self._shown.stage(text)

    def epoch(self, progress: EpochProgress) -> None:
        self._shown.epoch(progress)

    def note(self, text: str) -> None:
        self._shown.note(text)

    def warn(self, text: str) -> None:
        self._shown.warn(text)


class _Lines(Watcher):
    """One line for each stage, epoch, result and warning."""

    def __init__(self, metric: Metric) -> None:
        self._metric, self._has_stage = metric, False

    def stage(self, text: str) -> None:
        self._has_stage = True
        self.note(text)

    def epoch(self, progress: EpochProgress) -> None:
        if not self._has_stage:
            self.stage("training")
        if progress.batch == progress.batches:
            self.note("  " + _figures(progress, self._metric))

    def note(self, text: str) -> None:
        if sys.stderr is None:  # a program without a console
            return
        try:
            print(text, file=sys.stderr, flush=True)
        except OSError:  # nobody reads it any more
            write_nowhere(sys.stderr)

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")

    def close(self, finished: bool) -> None:
        """Nothing is left to take away."""


class _Bars(Watcher):
    """A bar for the present stage, which moves with the batches of a training."""

    def __init__(self, metric: Metric) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

        is_main = threading.current_thread() is threading.main_thread()  # rich replaces the streams of the process
        self._metric = metric
        self._console = status_console()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=10),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
            auto_refresh=not self._console.is_jupyter,
            redirect_stdout=is_main,
            redirect_stderr=is_main,
        )
        self._redraw = _Redraw(self._console)
        self._task: Any = None

    def stage(self, text: str) -> None:
        self._end(finished=True)
        self._progress.start()
        self._task = self._progress.add_task(text, total=None, figures="")

    def epoch(self, progress: EpochProgress) -> None:
        if self._task is None:
            self.stage("training")
        done = progress.epoch * progress.batches + progress.batch
        total, figures = progress.epochs * progress.batches, _figures(progress, self._metric)
        due = self._redraw.is_due(done == total)
        self._progress.update(self._task, total=total, completed=done, figures=figures, refresh=due)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        self._console.print(f"warning: {text}", style="yellow", markup=False, highlight=False, soft_wrap=True)

    def close(self, finished: bool) -> None:
        """Take the bars away. The bar of a stage that is finished is full."""
        self._end(finished)
        self._progress.stop()

    def _end(self, finished: bool) -> None:
        if self._task is not None and finished:
            task = self._progress.tasks[self._progress.task_ids.index(self._task)]
            total = task.total or 1
            self._progress.update(self._task, total=total, completed=total)
        self._task = None


class _Redraw:
    """When bars in a notebook are drawn anew.

    In a terminal, a thread of rich draws them. In a notebook, that thread and the cell would both redirect the output
    of the cell to the widget of the bars, and whichever ends first would end the redirection of the other.
    """

    def __init__(self, console: Console) -> None:
        self._is_needed, self._last_s = console.is_jupyter, -math.inf

    def is_due(self, is_last: bool) -> bool:
        """Whether to draw now: several times a second, and at the end."""
        now_s = time.monotonic()
        due = self._is_needed and (is_last or now_s - self._last_s >= _REDRAW_S)
        if due:
            self._last_s = now_s
        return due


class _Logged(Watcher):
    """Writes everything to the logger "reds", and passes it on."""

    def __init__(self, watcher: Watcher, metric: Metric) -> None:
        self._watcher, self._metric = watcher, metric

    def stage(self, text: str) -> None:
        LOGGER.info(text)
        self._watcher.stage(text)

    def epoch(self, progress: EpochProgress) -> None:
        if progress.batch == progress.batches:
            LOGGER.debug(_figures(progress, self._metric))
        self._watcher.epoch(progress)

    def note(self, text: str) -> None:
        LOGGER.info(text)
        self._watcher.note(text)

    def warn(self, text: str) -> None:
        LOGGER.warning(text)
        self._watcher.warn(text)


def status_console(quiet: bool = False) -> Console:
    """A console for progress on stderr. If stderr is closed by its reader, it falls silent and the work continues."""
    from rich.console import Console

    class StatusConsole(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            with suppress(OSError, ValueError):
                write_nowhere(sys.stderr)

    return StatusConsole(stderr=True, quiet=quiet)


def _figures(progress: EpochProgress, metric: Metric) -> str:
    figures = f"epoch {progress.epoch + 1}/{progress.epochs}, loss {progress.loss:.3f}"
    return f"{figures}, {metric.name} {units.on_terminal(metric.text(progress.accuracy))}"


def _shows_bars(verbose: Verbose) -> bool:
    """Whether bars can be shown: in a terminal, or in a notebook that has the widgets for them."""
    if verbose not in ("auto", 1) or importlib.util.find_spec("rich") is None or sys.stderr is None:
        return False
    console = status_console()
    if console.is_jupyter:
        return importlib.util.find_spec("ipywidgets") is not None
    return console.is_terminal


def check_verbose(verbose: Any) -> None:
    """Refuse an invalid value of `verbose`.

    Raises:
        InputError: If it is not one of its values.
    """
    if not isinstance(verbose, str | Integral) or verbose not in ("auto", 0, 1, 2):
        raise InputError(f"verbose {verbose!r} is not a level", 'give "auto", 0, 1 or 2')


def _check_watcher(watcher: Any) -> None:
    if watcher is not None and not isinstance(watcher, Watcher):
        raise InputError(
            f"watcher of type {type(watcher).__name__} is not a watcher", "give an object of a subclass of `Watcher`"
        )
