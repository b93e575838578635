"""The truth about small problems, by means that share nothing with the solvers or with `KnapsackProblem.evaluate`.

Products of widths are deliberately computed again here, rather than by `KnapsackProblem.pair_terms`: an error in the
one place that every solver asks would otherwise be an error of the truth as well, and no test would show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import IntArray
from reds_core.knapsack.levels import WIDTH, Nesting
from reds_core.knapsack.problem import KnapsackProblem, PeakResource, SumResource

__all__ = [
    "Truth",
    "all_choices",
    "brute_force",
    "chain_optimum",
    "is_nested",
    "usages_of",
    "values_of",
]

CHOICES_LIMIT = 2_000_000
"""Brute force refuses problems with more choices than this."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of a problem.

    Attributes:
        value: the optimum; None where no choice is feasible.
        optima: every optimal choice, int64 (optima, groups).
        feasible: how many choices are feasible.
    """

    value: int | None
    optima: IntArray
    feasible: int


def all_choices(problem: KnapsackProblem) -> IntArray:
    """Every choice within floors and ceilings, int64 (choices, groups).

    Raises:
        ValueError: if there are more than `CHOICES_LIMIT`.
    """
    ranges = [np.arange(low, high + 1) for low, high in zip(problem.floors, problem.ceilings, strict=True)]
    count = 1
    for options in ranges:
        count *= len(options)
    if count > CHOICES_LIMIT:
        raise ValueError(f"{count} choices are too many for brute force")
    grid = np.meshgrid(*ranges, indexing="ij")
    return np.stack([axis.ravel() for axis in grid], axis=1).astype(np.int64)


def values_of(problem: KnapsackProblem, choices: IntArray) -> IntArray:
    """V of each row of `choices`, int64 (choices,)."""
    total = np.zeros(len(choices), np.int64)
    for g, group in enumerate(problem.groups):
        total += group.values[choices[:, g]]
    for pair in problem.pairs:
        if pair.values is not None:
            total += pair.values[choices[:, pair.first], choices[:, pair.second]]
    return total


def _sum_usage(problem: KnapsackProblem, resource: SumResource, choices: IntArray) -> IntArray:
    total = np.full(len(choices), resource.base, np.int64)
    for g, costs in enumerate(resource.costs):
        if costs is not None:
            total += costs[choices[:, g]]
    for k, pair in enumerate(problem.pairs):
        total += _pair_usage(problem, resource, k, choices[:, pair.first], choices[:, pair.second])
    return total


def _pair_usage(problem: KnapsackProblem, resource: SumResource, k: int, first: IntArray, second: IntArray) -> IntArray:
    """What pair `k` uses at joint options given one by one, int64 (n,)."""
    pair, table = problem.pairs[k], resource.pair_costs[k]
    widths = problem.groups[pair.first].widths[first], problem.groups[pair.second].widths[second]
    product: IntArray = resource.bilinear[k] * widths[0] * widths[1]
    return product if table is None else product + table[first, second]


def _peak_usage(resource: PeakResource, choices: IntArray) -> IntArray:
    totals = []
    for step in resource.steps:
        total = np.full(len(choices), step.base, np.int64)
        for g, costs in zip(step.groups, step.costs, strict=True):
            if costs is not None:
                total += costs[choices[:, g]]
        totals.append(total)
    return np.max(totals, axis=0) if totals else np.zeros(len(choices), np.int64)


def usages_of(problem: KnapsackProblem, choices: IntArray) -> dict[str, IntArray]:
    """Use of each resource by each row of `choices`, int64 (choices,), by resource name."""
    return {
        r.name: _sum_usage(problem, r, choices) if isinstance(r, SumResource) else _peak_usage(r, choices)
        for r in problem.resources
    }


def brute_force(problem: KnapsackProblem) -> Truth:
    """The truth by trying every choice.

    Raises:
        ValueError: if there are more than `CHOICES_LIMIT`.
    """
    choices = all_choices(problem)
    usages = usages_of(problem, choices)
    fits = np.ones(len(choices), bool)
    for resource in problem.resources:
        fits &= usages[resource.name] <= resource.capacity
    choices = choices[fits]
    if not len(choices):
        return Truth(None, choices, 0)
    values = values_of(problem, choices)
    return Truth(int(values.max()), choices[values == values.max()], len(choices))


def is_nested(problem: KnapsackProblem, smaller: Sequence[int], larger: Sequence[int]) -> bool:
    """Whether a member with the choice `smaller` may lie within a member with the choice `larger`."""
    for group, i, j in zip(problem.groups, smaller, larger, strict=True):
        if group.levels is None:
            if i > j:
                return False
            continue
        for column, dimension in enumerate(group.dimensions):
            below, above = int(group.levels[i, column]), int(group.levels[j, column])
            nesting = problem.nesting.get(dimension.what, Nesting.RISING if dimension.what == WIDTH else None)
            if (nesting is Nesting.RISING and below > above) or (nesting is Nesting.EQUAL and below != above):
                return False
    return True


def chain_optimum(problem: KnapsackProblem) -> int | None:
    """The optimum of a chain with one sum resource and no negative costs, by a table over every unit of capacity.

    For problems too large for brute force: time and memory grow with the capacity (Bellman's recursion, state: units
    used so far and option of the last group).

    Raises:
        ValueError: if the problem is of another shape.
    """
    resource = problem.resources[0] if len(problem.resources) == 1 else None
    joined = [(p.first, p.second) for p in problem.pairs]
    if not isinstance(resource, SumResource):
        raise ValueError("not one sum resource")
    if joined not in ([], [(g, g + 1) for g in range(len(problem.groups) - 1)]):
        raise ValueError("no chain")
    room = resource.capacity - resource.base
    if room < 0:
        return None
    nothing = np.iinfo(np.int64).min // 2
    best = np.full((1, room + 1), nothing)  # (options of the group before, units used)
    best[0, 0] = 0
    for g, group in enumerate(problem.groups):
        costs = resource.costs[g]
        following = np.full((group.options, room + 1), nothing)
        for k in range(problem.floors[g], problem.ceilings[g] + 1):
            for before in range(len(best)):
                cost, value = 0 if costs is None else int(costs[k]), int(group.values[k])
                if g and problem.pairs:
                    pair_values = problem.pairs[g - 1].values
                    cost += int(_pair_usage(problem, resource, g - 1, np.array([before]), np.array([k]))[0])
                    value += 0 if pair_values is None else int(pair_values[before, k])
                if cost < 0:
                    raise ValueError("a negative cost")
                if cost <= room:
                    np.maximum(following[k, cost:], best[before, : room + 1 - cost] + value, out=following[k, cost:])
        best = following
    optimum = int(best.max())
    return None if optimum < nothing // 2 else optimum
