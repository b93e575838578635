"""Limits of the search for a better family, and the exceptions that report that one was reached."""

from __future__ import annotations

import time
from dataclasses import dataclass

from reds_core.knapsack.solution import Limit

GAP_REACHED = "the gap that was asked for is reached"


@dataclass(frozen=True)
class FamilyLimits:
    """Limits of the search for a better family.

    Attributes:
        choices: the largest number of choices that may be enumerated for one budget.
        partial: the largest number of partial choices at one step of an enumeration.
        solves: the largest number of problems solved in branching, which follows an enumeration that was given up.
        time_limit_s: seconds of wall time, or None. It is checked between solves, sweeps and blocks of choices. The
            other limits are meant to be reached first, so that the result does not depend on the speed of the machine.
        gap: the proven relative gap, (bound - value) / |value|, at which the search may stop; 0 asks for a proof.
        memory_limit_bytes: the most memory that the tables of all budgets may take together; None for no limit.
    """

    choices: int = 20_000
    partial: int = 400_000
    solves: int = 200
    time_limit_s: float | None = 60.0
    gap: float = 0.0
    memory_limit_bytes: float | None = None

    def deadline(self) -> float | None:
        """`time.perf_counter()` at which a search that begins now has to stop, or None."""
        return None if self.time_limit_s is None else time.perf_counter() + self.time_limit_s


class GivenUp(Exception):
    """A limit was reached. The message says which, as a clause.

    Attributes:
        limit: the kind of the limit.
    """

    limit = Limit.NODES


class OutOfTime(GivenUp):
    """The time limit was reached."""

    limit = Limit.TIME

    def __init__(self) -> None:
        super().__init__("the time limit was reached")


class TableTooLarge(GivenUp):
    """Max-sum over a problem would need more memory than is allowed. The message says how much."""

    limit = Limit.MEMORY


def check_time(deadline: float | None) -> None:
    """Check whether there is time left.

    Raises:
        OutOfTime: if `time.perf_counter()` is past the deadline.
    """
    if deadline is not None and time.perf_counter() > deadline:
        raise OutOfTime
