"""The options -q/--quiet and -v/--verbose, which every command takes, before or after its name."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reds_core.errors import InputError
from reds_core.system.output import write_nowhere
from reds_core.watcher import LOGGER

if TYPE_CHECKING:
    from reds_core.progress import Verbose


class Verbosity(Enum):
    """How much a command shows on stderr besides errors."""

    QUIET = "quiet"
    NORMAL = "normal"
    DETAILED = "detailed"


_CHOSEN: ContextVar[Verbosity] = ContextVar("verbosity", default=Verbosity.NORMAL)


@contextmanager
def choosable_verbosity() -> Iterator[None]:
    """Context manager for one command, in which `choose` takes effect."""
    token, handler = _CHOSEN.set(Verbosity.NORMAL), _TimedLines()
    LOGGER.addHandler(handler)
    level, propagates = LOGGER.level, LOGGER.propagate
    LOGGER.propagate = False  # libraries may give the root logger a handler, which would print warnings again
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        LOGGER.propagate = propagates
        _CHOSEN.reset(token)


def choose(verbosity: Verbosity) -> None:
    """Choose how much the present command shows.

    Raises:
        InputError: If both options are given.
    """
    if {verbosity, _CHOSEN.get()} == {Verbosity.QUIET, Verbosity.DETAILED}:
        raise InputError("--quiet and --verbose cannot be combined", "give one of them")
    _CHOSEN.set(verbosity)
    if verbosity is Verbosity.DETAILED:
        LOGGER.setLevel(logging.DEBUG)


def chosen_verbose() -> Verbose:
    """The argument `verbose` of the call that the command makes. Details are shown by the logger instead."""
    return "auto" if _CHOSEN.get() is Verbosity.NORMAL else 0


class _TimedLines(logging.Handler):
    """Prints records of the logger with their times on stderr if details are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        if _CHOSEN.get() is not Verbosity.DETAILED:
            return
        text = self.format(record)
        if record.levelno >= logging.WARNING:
            time, _, message = text.partition(" ")
            text = f"{time} warning: {message}"
        try:
            print(text, file=sys.stderr, flush=True)
        except OSError:  # nobody reads it any more
            write_nowhere(sys.stderr)


def _chooses(verbosity: Verbosity) -> Callable[[bool], bool]:
    def chosen(is_given: bool) -> bool:
        if is_given:
            choose(verbosity)
        return is_given

    return chosen


Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only results and errors.", callback=_chooses(Verbosity.QUIET))
]
Detailed = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Print every step with its time, and more details.",
        callback=_chooses(Verbosity.DETAILED),
    ),
]


def with_verbosity(command: Callable[..., None]) -> Callable[..., None]:
    """A command that also takes the two options, whose callbacks do all that they need."""

    @functools.wraps(command)
    def taking_both(*given: Any, quiet: bool, verbose: bool, **named: Any) -> None:
        command(*given, **named)

    signature = inspect.signature(command, eval_str=True)
    both = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in (("quiet", Quiet), ("verbose", Detailed))
    ]
    taking_both.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), *both]
    )
    taking_both.__annotations__ = {p.name: p.annotation for p in taking_both.__signature__.parameters.values()}  # type: ignore[attr-defined]
    return taking_both
