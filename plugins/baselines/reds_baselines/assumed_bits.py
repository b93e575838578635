"""What choices of widths would cost if all layers had an assumed number of bits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from reds_baselines.bits import counterparts, offered_bits
from reds_core.arrays import Table
from reds_core.knapsack import IntArray, KnapsackProblem, Resource, SumResource

FINEST = 1000
"""The largest denominator of an assumed number of bits."""


def at_mean_bits(problem: KnapsackProblem, bits: float) -> KnapsackProblem:
    """The problem in which each option costs what its width costs at an assumed number of bits, whatever its levels.

    Costs are interpolated between those of the most and the fewest bits, so that parts that no bits change, such as
    biases, are counted in full. Below the fewest bits they are extrapolated. Costs and capacities of the result are
    multiples of those of `problem`, so that nothing is rounded.

    Args:
        problem: A problem in which bits are decided.
        bits: The assumed bits of all layers with a choice of bits.
    """
    offered = offered_bits(problem)
    most, fewest = max(offered), min(offered)
    share = Fraction(0) if most == fewest else (most - Fraction(bits).limit_denominator(FINEST)) / (most - fewest)
    high = [counterparts(group, most=True) for group in problem.groups]
    low = [counterparts(group, most=False) for group in problem.groups]

    def own(group: int, table: Table) -> Table:
        return None if table is None else _between(table[high[group]], table[low[group]], share)

    def joint(index: int, table: Table) -> Table:
        if table is None:
            return None
        first, second = problem.pairs[index].first, problem.pairs[index].second
        return _between(table[np.ix_(high[first], high[second])], table[np.ix_(low[first], low[second])], share)

    resources: list[Resource] = []
    for resource in problem.resources:
        if isinstance(resource, SumResource):
            costs = tuple(own(group, table) for group, table in enumerate(resource.costs))
            pairs = tuple(joint(index, problem.pair_cost(resource, index)) for index in range(len(problem.pairs)))
            factor = share.denominator
            scaled = SumResource(resource.name, resource.capacity * factor, resource.base * factor, costs, (), pairs)
            resources.append(scaled)
        else:
            resources.append(resource)
    return replace(problem, resources=tuple(resources))


def _between(high: IntArray, low: IntArray, share: Fraction) -> IntArray:
    """`share.denominator` times what lies between `high` and `low`, at that share of the way from `high`."""
    mixed: IntArray = high * share.denominator - (high - low) * share.numerator
    return mixed
