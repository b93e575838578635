"""What `reds bench` shows: a progress bar on stderr while it works, tables on stdout at its end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from reds_core.bench.history import BenchRun
from reds_core.bench.reader import judged_records, read_records
from reds_core.bench.record import Outcome, SolveRecord
from reds_core.bench.verification import Question
from reds_core.bench.watcher import BenchWatcher
from reds_core.console import print_table
from reds_core.solution import Status

FAILURES = (Outcome.BROKE_CONTRACT, Outcome.RAISED, Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY)


class BenchView(BenchWatcher):
    """A bar with what is done, what runs, what failed and the time left. A context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failures]}", markup=False),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
        )
        self._task = self._progress.add_task("solving", total=None, failures="")
        self._running: list[Question] = []
        self._failures = 0

    def __enter__(self) -> BenchView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def planned(self, solves: int, kept: int) -> None:
        self._progress.update(self._task, total=solves, completed=kept)
        self._progress.start()
        if kept:
            self._console.print(f"{kept} of {solves} solves are done already", highlight=False)

    def warn(self, text: str) -> None:
        self._console.print(f"warning: {text}", style="yellow", markup=False, highlight=False, soft_wrap=True)

    def started(self, question: Question) -> None:
        self._running.append(question)
        self._show()

    def ended(self, question: Question, record: SolveRecord) -> None:
        self._running.remove(question)
        self._failures += record.outcome in FAILURES
        self._progress.advance(self._task)
        self._show()

    def reporting(self) -> None:
        self._progress.update(self._task, description="writing the report")

    def _show(self) -> None:
        failures = f"{self._failures} failed" if self._failures else ""
        self._progress.update(self._task, description=_running_text(self._running), failures=failures)


def _running_text(running: list[Question]) -> str:
    if not running:
        return "solving"
    first = f"{running[0].contender.label} on {running[0].facts.name}"
    return first if len(running) == 1 else f"{first} and {len(running) - 1} more"


def print_bench(run: BenchRun, folder: Path) -> None:
    """How each contender of the run did, who could not take part, and where the files are."""
    records = [r for r in judged_records(read_records(folder)) if _belongs_to(run, r)]
    print_table(
        ["solver", "solves", "proved", "found", "nothing", "refused", "failed"],
        [_row(label, [r for r in records if r.contender.label == label]) for label in run.contenders],
    )
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for each in run.left_out:
        console.print(f"left out: {each.name} is {each.status}: {each.detail}")
    console.print(f"Records and report are in {folder}")


def _belongs_to(run: BenchRun, record: SolveRecord) -> bool:
    """Whether the run asked for the solve, be it that an earlier one did it."""
    asked = (run.time_limit_s, run.memory_limit_bytes, run.threads, run.seed)
    told = (record.time_limit_s, record.memory_limit_bytes, record.threads, record.seed)
    return asked == told and record.problem.name in run.problems and record.repeat < run.repeat


def _row(label: str, records: list[SolveRecord]) -> list[str]:
    counts = Counter(_kind(record) for record in records)
    return [
        label,
        str(len(records)),
        *(str(counts[kind]) for kind in ("proved", "found", "nothing", "refused", "failed")),
    ]


def _kind(record: SolveRecord) -> str:
    if record.outcome is not Outcome.ANSWERED:
        return "refused" if record.outcome is Outcome.REFUSED else "failed"
    if record.status in (Status.OPTIMAL, Status.INFEASIBLE):
        return "proved"
    return "found" if record.value is not None else "nothing"
