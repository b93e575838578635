"""The answer of a solver plugin (`Answer`), and the checked solution that callers receive (`Solution`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """What a solver found."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    NO_SOLUTION = "no_solution"


class Limit(Enum):
    """Why a solver stopped early."""

    TIME = "time"
    NODES = "nodes"
    MEMORY = "memory"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Answer:
    """The answer of a solver plugin.

    Attributes:
        status: what was found.
        choice: one option index for each group, in the order of the problem; None unless OPTIMAL or FEASIBLE.
        bound: a proven integer upper bound on the value of every feasible choice, or None.
        limit: why the solver stopped early, or None if it finished.
        backend_s: seconds spent in the library behind the solver, or None if there is none.
        detail: remarks for the user, one clause each.
    """

    status: Status
    choice: tuple[int, ...] | None = None
    bound: int | None = None
    limit: Limit | None = None
    backend_s: float | None = None
    detail: tuple[str, ...] = ()


@dataclass(frozen=True)
class Solution:
    """A checked and completed answer. Values that do not exist are None.

    Attributes:
        value: value of the choice, recomputed from the problem.
        gap: (bound - value) / |value|; 0 if they are equal; None without a bound or if the value is 0.
        widths: number of channels that each group keeps, by group name.
        usage: usage of each resource, by resource name.
        wall_s: measured seconds of the call.
    """

    status: Status
    limit: Limit | None
    choice: tuple[int, ...] | None
    value: int | None
    bound: int | None
    gap: float | None
    widths: Mapping[str, int] | None
    usage: Mapping[str, int] | None
    wall_s: float
    backend_s: float | None
    solver: str
    version: str
    detail: tuple[str, ...] = ()


def relative_gap(value: int | None, bound: int | None) -> float | None:
    """(bound - value) / |value|; 0.0 if they are equal; None without a bound or a value, or if the value is 0."""
    if value is None or bound is None:
        return None
    if bound == value:
        return 0.0
    return (bound - value) / abs(value) if value else None
