"""The progress bar that comparisons show on stderr: finished jobs, the current job, and a note."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn

from reds_core.commands.console import StatusConsole
from reds_core.watcher import ComparisonWatcher


class ComparisonBar(ComparisonWatcher):
    """A progress bar as a context manager. It appears once the number of jobs is known.

    Args:
        pieces: What the jobs are called, such as "solves".
        first: The description before the first job starts.
        clock: The column that shows the time.
        console: The console to write to; None means stderr.
    """

    def __init__(self, pieces: str, first: str, clock: ProgressColumn, console: Console | None) -> None:
        self._pieces, self._idle = pieces, first
        self._running: list[str] = []
        self._console = console or StatusConsole()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            clock,
            console=self._console,
        )
        self._task = self._progress.add_task(first, total=None, note="")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def planned(self, count: int, kept: int) -> None:
        self._progress.update(self._task, total=count, completed=kept)
        self._progress.start()
        if kept:
            self._console.print(f"{kept} of {count} {self._pieces} are done already", highlight=False)

    def reporting(self) -> None:
        self.show("writing the report")

    def show(self, running: str | None = None, note: str | None = None) -> None:
        """Show the current job and the note. None leaves either as it is."""
        self._progress.update(self._task, description=running)
        if note is not None:
            self._progress.update(self._task, note=note)

    def begin(self, name: str) -> None:
        """Show that a job has started. May be called from another thread."""
        self._running.append(name)
        self._show_running()

    def finish(self, name: str) -> None:
        """Count one more finished job."""
        self._running.remove(name)
        self._progress.advance(self._task)
        self._show_running()

    def _show_running(self) -> None:
        # a copy, since another thread may start a job meanwhile
        first, *more = tuple(self._running) or (self._idle,)
        self.show(f"{first} and {len(more)} more" if more else first)

    def warn(self, text: str) -> None:
        """Print a warning, a clause without a full stop, above the bar."""
        self.complain(f"warning: {text}")

    def complain(self, text: str) -> None:
        """Print a warning above the bar."""
        self._console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)
