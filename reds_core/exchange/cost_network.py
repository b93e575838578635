"""Problems as cost function networks (weighted constraint satisfaction problems), which minimise nonnegative costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, IntArray, Table
from reds_core.errors import UnsupportedError
from reds_core.knapsack.integers import largest
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.relaxation.rows import Restriction, rows_of

COST_LIMIT = 2**60
"""Networks whose costs could add up to this are refused, because toulbar2 keeps costs below 2^61."""


@dataclass(frozen=True, eq=False)
class CostFunction:
    """A table of costs.

    Attributes:
        scope: indices of the variables.
        costs: nonnegative int64, one axis for each variable of the scope.
    """

    scope: tuple[int, ...]
    costs: IntArray


@dataclass(frozen=True, eq=False)
class SumLimit:
    """A hard constraint: the costs of all functions add up to at most `room`.

    Attributes:
        name: name of the resource.
        functions: functions of one variable, and of two if the resource has pair costs.
        room: nonnegative.
    """

    name: str
    functions: tuple[CostFunction, ...]
    room: int

    @property
    def is_linear(self) -> bool:
        """Whether all functions have one variable."""
        return all(len(each.scope) == 1 for each in self.functions)

    @property
    def scope(self) -> tuple[int, ...]:
        """Indices of the variables of all functions, in rising order."""
        return tuple(sorted({v for each in self.functions for v in each.scope}))


@dataclass(frozen=True, eq=False)
class CostNetwork:
    """A problem as a cost function network: minimise the sum of the functions subject to the limits.

    The value of a choice is `constant` minus its cost.

    Attributes:
        functions: the costs, at most one function for each group and each pair.
        limits: the limits that some choice violates.
        excluded: for each group, the options that are forbidden, bool (options,).
        top: a number above every cost; the solver looks for costs below it.
        constant: the sum of the largest values of each group and pair.
    """

    functions: tuple[CostFunction, ...]
    limits: tuple[SumLimit, ...]
    excluded: tuple[BoolArray, ...]
    top: int
    constant: int


def cost_network(problem: KnapsackProblem) -> CostNetwork:
    """`problem` as a cost function network.

    Raises:
        UnsupportedError: if its costs could add up to `COST_LIMIT`.
    """
    functions = []
    constant = 0
    ends = [(p.first, p.second) for p in problem.pairs]
    tables: list[tuple[tuple[int, ...], Table]] = [((g,), group.values) for g, group in enumerate(problem.groups)]
    tables += [(scope, pair.values) for scope, pair in zip(ends, problem.pairs, strict=True)]
    for scope, table in tables:
        if table is not None:
            best = int(table.max())
            constant += best
            if np.any(table != best):
                functions.append(CostFunction(scope, best - table))
    excluded: list[BoolArray] = [
        (np.arange(group.options) < floor) | (np.arange(group.options) > ceiling)
        for group, floor, ceiling in zip(problem.groups, problem.floors, problem.ceilings, strict=True)
    ]
    limits = []
    for restriction in rows_of(problem):
        limit = _sum_limit(problem, restriction)
        if limit.room < 0:  # no choice is within it
            excluded[0] = np.ones_like(excluded[0])
        elif _most(limit.functions) > limit.room:
            limits.append(limit)
    top = 1 + _most(functions)
    if max([top, *(1 + _most(each.functions) for each in limits)]) > COST_LIMIT:
        raise UnsupportedError(
            f"problem '{problem.name}' has no cost function network: its costs could add up to 2^60",
            "scale the values or costs down, or write an MPS file",
        )
    return CostNetwork(tuple(functions), tuple(limits), tuple(excluded), top, constant)


def _most(functions: list[CostFunction] | tuple[CostFunction, ...]) -> int:
    return sum(largest(each.costs) for each in functions)


def _sum_limit(problem: KnapsackProblem, row: Restriction) -> SumLimit:
    """A resource row with each table shifted so that its smallest entry is 0."""
    room = row.limit
    functions = []
    scopes: list[tuple[int, ...]] = [(g,) for g in range(len(problem.groups))]
    scopes += [(p.first, p.second) for p in problem.pairs]
    for scope, table in zip(scopes, (*row.costs, *row.pair_costs), strict=True):
        if table is not None:
            least = int(table.min())
            room -= least
            if np.any(table != least):
                functions.append(CostFunction(scope, table - least))
    return SumLimit(row.name, tuple(functions), room)
