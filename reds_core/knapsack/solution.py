"""The answer of a solver plugin (`Answer`), and the checked solution that callers receive (`Solution`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from reds_core.system.records import LEFT_OUT


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
class Alignment:
    """Whether the widths of a choice are multiples of a number, where that was decided by what it costs.

    Attributes:
        multiple: every width is a multiple of this number or the full width; 1 if any width was allowed.
        price: the most by which the value could be higher with all widths than with multiples, as a share of the
            value with multiples. None if no choice of multiples was found, or if its value is 0.
    """

    multiple: int
    price: float | None

    def with_earlier(self, earlier: Alignment | None) -> Alignment:
        """The same alignment with the larger of both prices, where an earlier search has decided some of the widths."""
        prices = [each.price for each in (self, earlier) if each is not None and each.price is not None]
        return replace(self, price=max(prices, default=None))


@dataclass(frozen=True)
class Solution:
    """A checked and completed answer. Values that do not exist are None.

    Attributes:
        value: value of the choice, recomputed from the problem.
        gap: (bound - value) / |value|; 0 if they are equal; None without a bound or if the value is 0.
        widths: number of channels that each group keeps, by group name.
        usage: usage of each resource, by resource name.
        wall_s: measured seconds of the call.
        alignment: whether widths are multiples of a number, if a run decided that by what it costs.
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
    alignment: Alignment | None = field(default=None, metadata={LEFT_OUT: True})


def relative_gap(value: int | None, bound: int | None) -> float | None:
    """(bound - value) / |value|; 0.0 if they are equal; None without a bound or a value, or if the value is 0."""
    if value is None or bound is None:
        return None
    if bound == value:
        return 0.0
    return (bound - value) / abs(value) if value else None
