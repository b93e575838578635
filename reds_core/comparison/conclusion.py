"""How comparisons of solvers and of pruning runs are interrupted and concluded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reds_core.errors import RedsError
from reds_core.watcher import ComparisonWatcher

_RESUME = "run the same command again to resume"


class ComparisonInterrupted(RedsError):
    """The user interrupted the comparison. Results so far are kept."""

    exit_status = 130


@dataclass(frozen=True)
class Done:
    """How far a comparison has come.

    Attributes:
        asked: The number of jobs that were asked for.
        there: How many of them are finished, including those of earlier calls.
        interrupted: Whether the user interrupted the comparison.
    """

    asked: int
    there: int
    interrupted: bool


@contextmanager
def stoppable(piece: str) -> Iterator[None]:
    """Turn Ctrl-C inside the block, where no job is running, into an error that says how to resume.

    Args:
        piece: What a job is called, such as "solve".

    Raises:
        ComparisonInterrupted: If the user pressed Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise ComparisonInterrupted(f"interrupted outside of a {piece}", _RESUME) from None


def conclude(done: Done, piece: str, watcher: ComparisonWatcher, write_report: Callable[[], None]) -> None:
    """Write the report on the results so far.

    Args:
        done: How far the comparison has come.
        piece: What a job is called, such as "solve".
        watcher: Notified before the report is written.
        write_report: Writes the report. It is not called if there are no results.

    Raises:
        ComparisonInterrupted: After the report is written, if the user interrupted the comparison.
    """
    if done.there:
        watcher.reporting()
        write_report()
    if done.interrupted:
        raise ComparisonInterrupted(f"interrupted after {done.there} of {done.asked} {piece}s", _RESUME)
