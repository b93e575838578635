"""What the comparison of solvers and that of pruning runs share: how they are stopped and concluded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reds_core.errors import RedsError
from reds_core.watcher import ComparisonWatcher

_GO_ON = "the same command goes on where it stopped"


class ComparisonInterrupted(RedsError):
    """The user stopped the comparison; what was done is kept."""

    exit_status = 130


@dataclass(frozen=True)
class Done:
    """How far a comparison has come.

    Attributes:
        asked: pieces of work that the call stands for.
        there: how many of them are done, be it by an earlier call.
        interrupted: whether the user stopped it.
    """

    asked: int
    there: int
    interrupted: bool


@contextmanager
def stoppable(piece: str) -> Iterator[None]:
    """Ctrl-C inside the block, where no piece of work is under way, as an error that tells of it."""
    try:
        yield
    except KeyboardInterrupt:
        raise ComparisonInterrupted(f"interrupted outside of a {piece}", _GO_ON) from None


def conclude(done: Done, piece: str, watcher: ComparisonWatcher, write_report: Callable[[], None]) -> None:
    """Report what is there.

    Raises:
        ComparisonInterrupted: then, if the user stopped the comparison.
    """
    if done.there:
        watcher.reporting()
        write_report()
    if done.interrupted:
        raise ComparisonInterrupted(f"interrupted after {done.there} of {done.asked} {piece}s", _GO_ON)
