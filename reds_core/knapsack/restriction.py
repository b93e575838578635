"""Problems in which each group keeps only some of its options."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reds_core.arrays import IntArray, Table
from reds_core.knapsack.integers import largest
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, Resource, SumResource


def restricted(problem: KnapsackProblem, options: Sequence[IntArray]) -> KnapsackProblem:
    """The problem in which each group has only the given options.

    Option i of a group in the result is option `options[group][i]` in `problem`. The result has no floors and ceilings.

    Args:
        problem: the problem.
        options: for each group, the indices of the options that it keeps, int64 (kept,), rising and at least one, all
            of them between its floor and its ceiling.

    Raises:
        InputError: if a group keeps no option, or its options do not rise.
    """

    def own(group: int, table: Table) -> Table:
        return None if table is None else table[options[group]]

    def joint(pair: Pair, table: Table) -> Table:
        return None if table is None else table[np.ix_(options[pair.first], options[pair.second])]

    groups = tuple(
        Group(g.name, g.widths[kept], g.values[kept]) for g, kept in zip(problem.groups, options, strict=True)
    )
    pairs = tuple(
        Pair(
            pair.first,
            pair.second,
            joint(pair, pair.values),
            None
            if pair.kernel is None
            else pair.kernel[: largest(groups[pair.first].widths), : largest(groups[pair.second].widths)],
        )
        for pair in problem.pairs
    )
    resources: list[Resource] = []
    for resource in problem.resources:
        if isinstance(resource, SumResource):
            costs = tuple(own(g, table) for g, table in enumerate(resource.costs))
            pair_costs = tuple(joint(p, table) for p, table in zip(problem.pairs, resource.pair_costs, strict=True))
            resources.append(
                SumResource(resource.name, resource.capacity, resource.base, costs, resource.bilinear, pair_costs)
            )
        else:
            steps = tuple(
                PeakStep(s.base, s.groups, tuple(own(g, c) for g, c in zip(s.groups, s.costs, strict=True)))
                for s in resource.steps
            )
            resources.append(PeakResource(resource.name, resource.capacity, steps))
    return KnapsackProblem(problem.name, groups, pairs, tuple(resources))
