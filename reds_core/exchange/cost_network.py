"""Problems as cost function networks (weighted constraint satisfaction problems), which minimise nonnegative costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, IntArray, Table
from reds_core.errors import UnsupportedError
from reds_core.knapsack.integers import largest
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.relaxation.rows import Restriction, rows_of

COST_LIMIT = 51 * 10**16
"""Networks whose costs could add up to more are refused, because toulbar2 refuses bounds above 2^61 / 4.5."""


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
class LinearLimit:
    """A hard constraint: the costs of the values of some variables add up to at most `room`.

    Attributes:
        name: name of the resource.
        variables: indices of the variables, in rising order.
        costs: for each of them, nonnegative int64 (values,).
        room: nonnegative.
    """

    name: str
    variables: tuple[int, ...]
    costs: tuple[IntArray, ...]
    room: int


@dataclass(frozen=True, eq=False)
class CostNetwork:
    """A problem as a cost function network: minimise the sum of the functions subject to the limits.

    There is a variable for each group, and after these one for each pair that has costs in a limit. The values of the
    latter are the pairs of options, row by row. The value of a choice is `constant` minus its cost.

    Attributes:
        sizes: the number of values of each variable.
        products: for each variable of a pair, the indices of its two groups.
        functions: the costs, at most one function for each group and each pair.
        limits: the limits that some choice violates.
        excluded: for each group, whether an option is forbidden, bool (options,).
        top: a number above every cost; the solver looks for costs below it.
        constant: the sum of the largest values of each group and pair.
    """

    sizes: tuple[int, ...]
    products: tuple[tuple[int, int], ...]
    functions: tuple[CostFunction, ...]
    limits: tuple[LinearLimit, ...]
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
    values = [(scope, table) for scope, table in zip(_scopes(problem), _value_tables(problem), strict=True)]
    for scope, table in values:
        if table is not None:
            best = int(table.max())
            constant += best
            if np.any(table != best):
                functions.append(CostFunction(scope, best - table))
    excluded: list[BoolArray] = [
        (np.arange(group.options) < floor) | (np.arange(group.options) > ceiling)
        for group, floor, ceiling in zip(problem.groups, problem.floors, problem.ceilings, strict=True)
    ]
    kept = []
    for restriction in rows_of(problem):
        costs, room = _shifted(problem, restriction)
        if room < 0:  # no choice is within it
            excluded[0] = np.ones_like(excluded[0])
        elif _most(costs) > room:
            kept.append((restriction.name, costs, room))
    top = 1 + _most(functions)
    if max([top, top - constant, *(1 + _most(costs) for _, costs, _ in kept)]) > COST_LIMIT:
        raise UnsupportedError(
            f"problem '{problem.name}' has no cost function network: its costs could pass 5.1e17",
            "scale the values or costs down, or write an MPS file",
        )
    used = {each.scope for _, costs, _ in kept for each in costs}
    products = tuple((p.first, p.second) for p in problem.pairs if (p.first, p.second) in used)
    counts = [group.options for group in problem.groups]
    variables: dict[tuple[int, ...], int] = {(g,): g for g in range(len(counts))}
    variables |= {pair: len(counts) + k for k, pair in enumerate(products)}
    return CostNetwork(
        (*counts, *(counts[a] * counts[b] for a, b in products)),
        products,
        tuple(functions),
        tuple(_linear(name, costs, room, variables) for name, costs, room in kept),
        tuple(excluded),
        top,
        constant,
    )


def _scopes(problem: KnapsackProblem) -> list[tuple[int, ...]]:
    """The groups and then the pairs, as indices of groups."""
    return [*((g,) for g in range(len(problem.groups))), *((p.first, p.second) for p in problem.pairs)]


def _value_tables(problem: KnapsackProblem) -> list[Table]:
    return [*(group.values for group in problem.groups), *(pair.values for pair in problem.pairs)]


def _most(functions: Sequence[CostFunction]) -> int:
    return sum(largest(each.costs) for each in functions)


def _shifted(problem: KnapsackProblem, row: Restriction) -> tuple[list[CostFunction], int]:
    """The costs of a resource row, with the smallest entry of each table shifted to 0, and the room that is left."""
    room = row.limit
    functions = []
    for scope, table in zip(_scopes(problem), (*row.costs, *row.pair_costs), strict=True):
        if table is not None:
            least = int(table.min())
            room -= least
            if np.any(table != least):
                functions.append(CostFunction(scope, table - least))
    return functions, room


def _linear(
    name: str, costs: Sequence[CostFunction], room: int, variables: Mapping[tuple[int, ...], int]
) -> LinearLimit:
    ordered = sorted(costs, key=lambda each: variables[each.scope])
    return LinearLimit(
        name,
        tuple(variables[each.scope] for each in ordered),
        tuple(each.costs.ravel() for each in ordered),
        room,
    )
