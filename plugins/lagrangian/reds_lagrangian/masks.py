"""Pairwise masks: the joint options of two groups that the steps of peak resources allow."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from reds_core.arrays import BoolArray, IntArray
from reds_core.knapsack import KnapsackProblem
from reds_core.knapsack.inference import Factors, Mask, Scope

_NEW_EDGE = 1 << 22


def pair_masks(problem: KnapsackProblem, kept: tuple[IntArray, ...]) -> tuple[Mask, ...]:
    """For each two groups of a step, the joint options that fit if all other groups use the least.

    Steps over two groups are covered exactly, larger ones in part. Two groups that do not form a pair get a mask only
    if it has at most `_NEW_EDGE` entries.
    """
    joined = {tuple(sorted((p.first, p.second))) for p in problem.pairs}
    found: dict[Scope, BoolArray] = {}
    for resource in problem.peak_resources:
        for step in resource.steps:
            costs = {
                g: np.zeros(len(kept[g]), np.int64) if c is None else c[kept[g]]
                for g, c in zip(step.groups, step.costs, strict=True)
            }
            spare = resource.capacity - step.base - sum(int(c.min()) for c in costs.values())
            for a, b in combinations(sorted(costs), 2):
                left, right = costs[a] - costs[a].min(), costs[b] - costs[b].min()
                if int(left.max()) + int(right.max()) <= spare:
                    continue
                if (a, b) not in joined and len(left) * len(right) > _NEW_EDGE:
                    continue
                allowed = np.add.outer(left, right) <= spare
                found[a, b] = found[a, b] & allowed if (a, b) in found else allowed
    return tuple(Mask(scope, allowed) for scope, allowed in found.items())


def supported(factors: Factors) -> Factors | None:
    """Drop options that a mask allows with no option of the other group. Returns None if a group has none left."""
    while True:
        keep = [np.ones(n, np.bool_) for n in factors.sizes]
        for mask in factors.masks:
            a, b = mask.scope
            keep[a] &= mask.allowed.any(axis=1)
            keep[b] &= mask.allowed.any(axis=0)
        if not all(k.any() for k in keep):
            return None
        if all(k.all() for k in keep):
            return factors
        factors = factors.restrict(keep)
