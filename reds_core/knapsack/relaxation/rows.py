"""Resources as linear rows: sum over groups of costs + sum over pairs of pair costs <= limit."""

from __future__ import annotations

from dataclasses import dataclass

from reds_core.arrays import Table
from reds_core.knapsack.problem import KnapsackProblem, Resource, SumResource


@dataclass(frozen=True, eq=False)
class Restriction:
    """One linear restriction of a choice.

    Attributes:
        name: name of the resource that it belongs to.
        limit: capacity - base.
        costs: for each group, int64 (options,) or None for zeros.
        pair_costs: for each pair, int64 (options of first, options of second) or None for zeros.
    """

    name: str
    limit: int
    costs: tuple[Table, ...]
    pair_costs: tuple[Table, ...]


def rows_of(problem: KnapsackProblem) -> tuple[Restriction, ...]:
    """The rows that are equivalent to all resources: one for each sum resource and each step of a peak resource."""
    return tuple(row for resource in problem.resources for row in _rows(problem, resource))


def _rows(problem: KnapsackProblem, resource: Resource) -> list[Restriction]:
    no_pairs = (None,) * len(problem.pairs)
    if isinstance(resource, SumResource):
        tables = tuple(problem.pair_cost(resource, k) for k in range(len(problem.pairs)))
        return [Restriction(resource.name, resource.capacity - resource.base, resource.costs, tables)]
    no_costs: tuple[Table, ...] = (None,) * len(problem.groups)
    if not resource.steps:  # its usage is 0
        return [Restriction(resource.name, resource.capacity, no_costs, no_pairs)]
    rows = []
    for step in resource.steps:
        costs = list(no_costs)
        for group, table in zip(step.groups, step.costs, strict=True):
            costs[group] = table
        rows.append(Restriction(resource.name, resource.capacity - step.base, tuple(costs), no_pairs))
    return rows
