"""What a solver may say (`Answer`) and what users get (`Solution`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """What was found."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    NO_SOLUTION = "no_solution"


class Limit(Enum):
    """Why a solver stopped before it was done."""

    TIME = "time"
    NODES = "nodes"
    MEMORY = "memory"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Answer:
    """All that a solver plugin may say.

    Attributes:
        status: what was found.
        choice: one option index a group in the problem's order; None unless OPTIMAL or FEASIBLE.
        bound: a proven integer upper limit on the value of every choice, or None.
        limit: why the solver stopped early, or None.
        backend_s: seconds inside the back end, or None where there is none.
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
    """An answer, checked and completed by the host. Figures that do not exist are None.

    Attributes:
        value: V(choice), recomputed by the host.
        gap: (bound - value) / |value|; 0 where equal; None without a bound or at value 0.
        widths: channels kept, by group name.
        usage: use of each resource, by name.
        wall_s: seconds of the solve call as the host measured them.
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
    """(bound - value) / |value|; 0.0 where equal; None without a bound or a value, or at value 0."""
    if value is None or bound is None:
        return None
    if bound == value:
        return 0.0
    return (bound - value) / abs(value) if value else None
