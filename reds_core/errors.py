"""Errors that users may see. Each states what is wrong and how to fix it, and carries an exit status."""

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
