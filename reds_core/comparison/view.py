"""What comparisons show on stderr while they run: finished jobs, the current job, and a note."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from reds_core.progress import Verbose, check_verbose, status_console
from reds_core.watcher import LOGGER, ComparisonWatcher

if TYPE_CHECKING:
    from rich.console import Console


class JobsView(ComparisonWatcher):
    """A bar, or lines, of the jobs of a comparison, as a context manager. Everything also goes to the logger "reds".

    The bar appears once the number of jobs is known. Where there is no terminal, only its last state is shown.

    Args:
        pieces: What the jobs are called, such as "solves".
        first: The description before the first job starts.
        counts_down: Whether the bar shows the remaining time. Otherwise it shows the elapsed time.
        verbose: 0 shows nothing, `"auto"` and 1 a bar, 2 a line for each finished job.
        console: The console to write to; None means stderr.

    Raises:
        InputError: If `verbose` has another value.
    """

    def __init__(
        self, pieces: str, first: str, counts_down: bool, verbose: Verbose = "auto", console: Console | None = None
    ) -> None:
        check_verbose(verbose)
        self._pieces, self._idle = pieces, first
        self._running: list[str] = []
        self._shows_lines = verbose == 2
        self._console = None if verbose == 0 else console or status_console()
        self._progress: Any = None
        if self._console is not None and not self._shows_lines:
            self._progress = _bar(self._console, counts_down)
            self._task = self._progress.add_task(first, total=None, note="")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def planned(self, count: int, kept: int) -> None:
        if self._progress is not None:
            self._progress.update(self._task, total=count, completed=kept)
            self._progress.start()
        if kept:
            self._say(f"{kept} of {count} {self._pieces} are done already")

    def reporting(self) -> None:
        LOGGER.info("writing the report")
        self.show("writing the report")

    def show(self, running: str | None = None, note: str | None = None) -> None:
        """Show the current job and the note. None leaves either as it is."""
        if self._progress is not None:
            self._progress.update(self._task, description=running)
            if note is not None:
                self._progress.update(self._task, note=note)

    def begin(self, name: str) -> None:
        """Show that a job has started. May be called from another thread."""
        LOGGER.debug("started %s", name)
        self._running.append(name)
        self._show_running()

    def finish(self, name: str) -> None:
        """Count one more finished job."""
        LOGGER.info("finished %s", name)
        self._running.remove(name)
        if self._progress is not None:
            self._progress.advance(self._task)
        elif self._console is not None:
            self._console.print(f"finished {name}", markup=False, highlight=False, soft_wrap=True)
        self._show_running()

    def _show_running(self) -> None:
        # a copy, since another thread may start a job meanwhile
        first, *more = tuple(self._running) or (self._idle,)
        self.show(f"{first} and {len(more)} more" if more else first)

    def warn(self, text: str) -> None:
        """Print a warning, a clause without a full stop, above the bar."""
        self.complain(text, "warning: ")

    def complain(self, text: str, prefix: str = "") -> None:
        """Print a warning above the bar."""
        LOGGER.warning(text)
        if self._console is not None:
            self._console.print(f"{prefix}{text}", style="yellow", markup=False, highlight=False, soft_wrap=True)

    def _say(self, text: str) -> None:
        LOGGER.info(text)
        if self._console is not None:
            self._console.print(text, highlight=False)


def _bar(console: Console, counts_down: bool) -> Any:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(elapsed_when_finished=True) if counts_down else TimeElapsedColumn(),
        console=console,
    )
