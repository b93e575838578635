"""Errors a user can meet. Each says what is wrong and how to mend it, and carries its exit status."""

from __future__ import annotations

from typing import ClassVar

__all__ = [
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
]


class RedsError(Exception):
    """Base of every error that reds raises on purpose.

    Args:
        what: what is wrong, one clause without a full stop.
        mend: what the user can do about it, one clause without a full stop.
    """

    exit_status: ClassVar[int] = 2

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what, mend)
        self.what = " ".join(what.split())
        self.mend = " ".join(mend.split())

    def __str__(self) -> str:
        return f"{self.what}; {self.mend}"


class InputError(RedsError):
    """Bad usage or bad input: a file, an option, a model or data that cannot be used."""


class NoSpaceError(InputError):
    """A disk is full, or a file may not grow any larger."""


class OutputError(InputError):
    """What a command prints cannot be written where it goes."""


class UnsupportedError(RedsError):
    """The input is well formed, but holds something that reds or the chosen plugin cannot handle."""


class UnavailableError(RedsError):
    """Something exists but cannot run here, for want of a library or of memory."""


class InfeasibleError(RedsError):
    """No subnetwork meets the budget."""

    exit_status = 3


class NoChoiceError(RedsError):
    """A solver stopped at a limit before it found any choice."""

    exit_status = 4


class ContractViolation(RedsError):
    """A plugin broke the contract of its base class. A bug of the plugin."""

    exit_status = 1


class PluginFailure(RedsError):
    """A plugin raised an error of its own. A bug of the plugin."""

    exit_status = 1
