"""Bits first, for the full widths, and then the best widths with these bits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from reds_baselines.bits import best, containing, resources_of_bits, with_bits_of, with_rest_of
from reds_baselines.widths_and_bits import WidthsAndBitsPruner
from reds_core.knapsack import KnapsackProblem, Solution, least_usage
from reds_core.pruning import Tools

MACS = "macs"
FIX = "raise the budget, or choose pruner nested, which chooses bits and widths together"


class BitsThenPrunePruner(WidthsAndBitsPruner):
    """Chooses the bits of each layer of the full network, and then the widths with these bits under all budgets.

    When bits are chosen, the budget of what bits change, such as the bytes of weights, is divided by the share of MACs
    that the budget keeps, because pruning to a share of the MACs leaves about that share of the weights. If no bits
    meet that, it is raised to the least that bits can reach, and pruning has to do the rest.
    """

    name = "bits-then-prune"

    def chosen(self, problem: KnapsackProblem, smaller: Sequence[int] | None, tools: Tools) -> Solution:
        lowered = self._lowered(problem, smaller, tools)
        assert lowered.choice is not None
        allowed = [
            mask & with_bits_of(group, option)
            for mask, group, option in zip(containing(problem, smaller), problem.groups, lowered.choice, strict=True)
        ]
        failure = "bits-then-prune is infeasible: no widths meet the budget with the bits chosen for the full widths"
        found = best(problem, allowed, tools, failure, FIX)
        return replace(found, wall_s=lowered.wall_s + found.wall_s)

    def _lowered(self, problem: KnapsackProblem, smaller: Sequence[int] | None, tools: Tools) -> Solution:
        """The best bits of the full network."""
        allowed = [
            mask & with_rest_of(group, group.options - 1)
            for mask, group in zip(containing(problem, smaller), problem.groups, strict=True)
        ]
        least = least_usage(problem.restricted([np.flatnonzero(mask) for mask in allowed]).problem)
        full = problem.evaluate([group.options - 1 for group in problem.groups]).usage
        by_bits, share = resources_of_bits(problem), _share_of_macs(problem, full)
        reachable = {
            r.name: max(least[r.name], min(math.floor(r.capacity / share), full[r.name]))
            if r.name in by_bits
            else full[r.name]
            for r in problem.resources
        }
        failure = "bits-then-prune is infeasible: no bits meet the budget at the full widths"
        return best(problem.with_capacities(reachable), allowed, tools, failure, FIX, exact=True)


def _share_of_macs(problem: KnapsackProblem, full: Mapping[str, int]) -> Fraction:
    """The share of the MACs of the full network that the budget keeps, above 0; 1 without a budget of MACs."""
    capacity = next((r.capacity for r in problem.resources if r.name == MACS), 0)
    return Fraction(capacity, full[MACS]) if 0 < capacity < full.get(MACS, 0) else Fraction(1)
