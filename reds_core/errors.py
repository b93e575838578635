"""Errors that users may see. Each states what is wrong and how to fix it, and carries an exit status.

Messages name arguments by `argument` and commands by `command`, so that a caller in Python reads `mode="resume"` where
a user of the command line reads `--resume`.
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Any, ClassVar

__all__ = [
    "Caller",
    "ContractViolation",
    "InfeasibleError",
    "InputError",
    "NoChoiceError",
    "NoSpaceError",
    "OutputError",
    "PluginFailure",
    "RedsError",
    "UnavailableError",
    "UnsupportedError",
    "argument",
    "command",
    "speaking_to",
]


class RedsError(Exception):
    """Base class of all errors that reds raises on purpose.

    Args:
        what: what is wrong, as one clause without a full stop.
        fix: how the user can fix it, as one clause without a full stop.

    Attributes:
        exit_status: exit status of a command that ends with this error.
    """

    exit_status: ClassVar[int] = 2

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.what = " ".join(what.split())
        self.fix = " ".join(fix.split())

    def __str__(self) -> str:
        return f"{self.what}; {self.fix}"


class InputError(RedsError):
    """Invalid usage or input: a file, an option, a model or data that cannot be used."""


class NoSpaceError(InputError):
    """A disk is full, or a file has reached its maximum size."""


class OutputError(InputError):
    """The output of a command cannot be written to its destination."""


class UnsupportedError(RedsError):
    """The input is valid, but contains something that reds or the chosen plugin does not support."""


class UnavailableError(RedsError):
    """A feature cannot be used on this machine because a library is missing or there is not enough memory."""


class InfeasibleError(RedsError):
    """No subnetwork satisfies the budget."""

    exit_status = 3


class NoChoiceError(RedsError):
    """A solver reached a limit before it found any feasible choice."""

    exit_status = 4


class ContractViolation(RedsError):
    """A plugin violated the contract of its base class, which is a bug in the plugin."""

    exit_status = 1


class PluginFailure(RedsError):
    """A plugin raised an unexpected exception, which is a bug in the plugin."""

    exit_status = 1


# --- the words of messages -------------------------------------------------------------------------------------------


class Caller(Enum):
    """Who reads messages: a caller in Python, or a user of the command line."""

    PYTHON = "python"
    COMMAND_LINE = "command line"


_CALLER: ContextVar[Caller] = ContextVar("caller", default=Caller.PYTHON)
_FLAGS = {
    name: f"--{name.removesuffix('s')}"
    for name in ("budgets", "governors", "imports", "metrics", "options", "suites", "targets", "transforms")
} | {"step_s": "--step"}
"""Options whose names are not those of the arguments."""
_CALLS = {
    "audit": "run_audit",
    "bench": "run_bench",
    "compare": "run_comparison",
    "formulate": "formulate_model",
    "latency": "measure_latency",
    "report": "write_report",
    "thresholds": "choose_thresholds",
}
"""Calls whose names are not those of the commands."""
_NOT_GIVEN: Any = object()


@contextmanager
def speaking_to(caller: Caller) -> Iterator[None]:
    """Context manager in which messages are worded for `caller`. Outside of it they are worded for Python."""
    token = _CALLER.set(caller)
    try:
        yield
    finally:
        _CALLER.reset(token)


def argument(name: str, value: Any = _NOT_GIVEN) -> str:
    """Name an argument in a message, in the words of the caller.

    Args:
        name: The name of the argument in Python. That of the option follows from it.
        value: The value to give. By default the argument is only named.

    Returns:
        For example `holdout` or `--holdout`, `mode="resume"` or `--resume`, `int8=False` or `--no-int8`.
    """
    if _CALLER.get() is Caller.PYTHON:
        return name if value is _NOT_GIVEN else f"{name}={_in_python(value)}"
    if name == "mode" and value is not _NOT_GIVEN:
        return f"--{value}"
    flag = _FLAGS.get(name, "--" + name.replace("_", "-"))
    if value is _NOT_GIVEN or value is True:
        return flag
    if value is False:
        return f"--no-{flag.removeprefix('--')}"
    return " ".join(f"{flag} {each}" for each in _typed(value))


def command(name: str) -> str:
    """Name a command in a message, in the words of the caller: `reds inspect` or `reds_core.inspect`, in backticks."""
    return f"`reds_core.{_CALLS.get(name, name)}`" if _CALLER.get() is Caller.PYTHON else f"`reds {name}`"


def suggestion(word: str, names: Iterable[str]) -> str:
    """The beginning of a fix that asks whether the most similar name was meant; empty if none is similar."""
    close = difflib.get_close_matches(word, sorted(names), n=1)
    return f"did you mean '{close[0]}'? " if close else ""


def _in_python(value: Any) -> str:
    """A value as Python reads it, with double quotes around texts."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_in_python(key)}: {_in_python(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_in_python, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _typed(value: Any) -> list[str]:
    """The values of an option as they are typed in a shell, one for each time that it is given."""
    if isinstance(value, Mapping):
        pairs = [
            f"{key}.{inner}={each}" if isinstance(entry, Mapping) else f"{key}={entry}"
            for key, entry in value.items()
            for inner, each in (entry.items() if isinstance(entry, Mapping) else [("", "")])
        ]
        return [shlex.quote(pair) if " " in pair else pair for pair in pairs]
    return [shlex.quote(str(each)) for each in (value if isinstance(value, list | tuple) else [value])]
