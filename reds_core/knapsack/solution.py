"""The answer of a solver plugin (`Answer`), and the checked solution that callers receive (`Solution`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from reds_core.knapsack.integers import counted
from reds_core.knapsack.levels import LevelSettings
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
    GAP = "gap"


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


_SHOWN = 12
"""The most groups that a solution shows as text."""


@dataclass(frozen=True, repr=False)
class Solution:
    """A checked and completed answer. Values that do not exist are None.

    Attributes:
        value: value of the choice, recomputed from the problem.
        gap: (bound - value) / |value|; 0 if they are equal; None without a bound or if the value is 0.
        limit: why the search stopped early. GAP means that the proven gap was as small as the caller had asked for.
        widths: number of channels that each group with widths keeps, by group name.
        usage: usage of each resource, by resource name.
        wall_s: measured seconds of the call.
        alignment: whether widths are multiples of a number, if a run decided that by what it costs.
        settings: the chosen levels of everything besides widths; empty if nothing else was decided.
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
    settings: LevelSettings = field(default_factory=LevelSettings, metadata={LEFT_OUT: True})

    def __repr__(self) -> str:
        found = "no choice" if self.value is None else f"value {self.value}"
        used = "".join(f", {name} {amount}" for name, amount in list((self.usage or {}).items())[:_SHOWN])
        return f"<Solution {_status_text(self)}: {found}, bound {self.bound}{used}, by {self.solver!r}>"

    def __str__(self) -> str:
        """The solution in lines, with the widths of the first groups."""
        return solution_text(self, _SHOWN)


def solution_text(solution: Solution, groups: int | None = None) -> str:
    """The status, solver, value, bound, usage, widths and levels of a solution, in two columns, one line each.

    Args:
        solution: the solution.
        groups: the most groups whose widths are shown, and the most sites whose levels are shown, or None for all.
    """
    rows = [("status", _status_text(solution))]
    rows.append(("solver", f"{solution.solver} {solution.version}, {solution.wall_s:.3f} s"))
    if solution.value is not None:
        rows.append(("value", f"{solution.value:,}"))
    if solution.bound is not None:
        gap = "" if solution.gap is None else f" (gap {100 * solution.gap:.3g} %)"
        rows.append(("bound", f"{solution.bound:,}{gap}"))
    rows += [(name, f"{amount:,}") for name, amount in (solution.usage or {}).items()]
    widths = list((solution.widths or {}).items())
    rows += [(f"  {group}", str(width)) for group, width in widths[:groups]]
    if groups is not None and len(widths) > groups:
        rows.append(("  ...", f"and {counted(len(widths) - groups, 'more group')}"))
    settings = [(f"  {site}", levels) for site, levels in solution.settings.texts()]
    rows += settings[:groups]
    if groups is not None and len(settings) > groups:
        rows.append(("  ...", f"and levels of {counted(len(settings) - groups, 'more site')}"))
    rows += [("note", note) for note in solution.detail]
    indent = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{indent}}  {content}" for name, content in rows)


def _status_text(solution: Solution) -> str:
    """The status, and what ended the search early."""
    if solution.limit is Limit.GAP and solution.gap is not None:
        return f"{solution.status.value} (within {100 * solution.gap:.3g} % of the optimum, as asked for)"
    return solution.status.value + (f" ({solution.limit.value} limit)" if solution.limit else "")


def relative_gap(value: int | None, bound: int | None) -> float | None:
    """(bound - value) / |value|; 0.0 if they are equal; None without a bound or a value, or if the value is 0."""
    if value is None or bound is None:
        return None
    if bound == value:
        return 0.0
    return (bound - value) / abs(value) if value else None
