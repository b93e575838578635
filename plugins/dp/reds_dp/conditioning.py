"""Bounds with one option of a group fixed, each from multipliers of its own.

The dual has one vector of multipliers for all choices. If a group is joined with many others, the choices that are best
with one of its options may need other multipliers than those with another option, and the dual optimum lies far above
every choice. The bound with an option fixed is the largest priced value of any choice with it, minimised over
multipliers. The largest of these bounds over the options of one group bounds all choices.
"""

from __future__ import annotations

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack.inference import POSSIBLE, Factors
from reds_dp.dual import Dual
from reds_dp.fixing import priced, slacks
from reds_dp.search import DpSearch, NothingBetter

_POINTS = 16
"""The largest number of options whose multipliers are computed."""

_PROGRESS = 0.1
"""The share of the gap that the options of one group must close before the next group is taken."""


def conditioned(search: DpSearch, dual: Dual, factors: Factors) -> Factors:
    """Drop options by bounds that are minimised with one option fixed, and offer the choices met on the way.

    Groups are taken in turn, those with the largest tables first, as long as that brings the bound down.

    Args:
        search: receives bounds and choices.
        dual: the dual over `factors`, at its minimum.
        factors: the terms over the options that a choice worth the floor can use.

    Raises:
        NothingBetter: if it is proven that no choice is worth the floor of the search.
        OutOfTime: if the deadline has passed.
    """
    bounds = [np.full(n, np.inf) for n in factors.sizes]
    factors = _bounded(search, factors, dual, bounds)
    hubs = sorted(range(len(bounds)), key=lambda g: -_entries(factors, g))
    points = 0
    for hub in hubs:
        before, fixed = float(bounds[hub].max()), set[int]()
        while len(bounds[hub]) > 1 and points < _POINTS:
            at = int(bounds[hub].argmax())
            option = int(factors.kept[hub][at])
            if option in fixed:
                break
            fixed.add(option)
            points += 1
            part = factors.restrict([np.array([at]) if g == hub else np.arange(n) for g, n in enumerate(factors.sizes)])
            inner = Dual(search, part, dual.multipliers)
            inner.minimise(part, whole=False)
            outside = inner.outside()
            if outside is not None:
                search.polish(inner.multipliers, outside)
            factors = _bounded(search, factors, inner, bounds)
        if before - float(bounds[hub].max()) < _PROGRESS * search.gap() or points >= _POINTS:
            break
    return factors


def _bounded(search: DpSearch, factors: Factors, dual: Dual, bounds: list[FloatArray]) -> Factors:
    """Lower `bounds` with the multipliers of `dual`, and drop the options whose bound is below the floor."""
    sweeps = search.buckets(factors)
    messages = sweeps.sweep(priced([dual.multipliers]))
    if messages.best.min() < POSSIBLE:
        raise NothingBetter
    above = slacks(factors, messages, 0) - messages.best
    keep = []
    for g, marginal in enumerate(sweeps.marginals(messages).groups):
        bounds[g] = np.minimum(bounds[g], marginal[0] + above[0])
        keep.append(bounds[g] >= search.floor())
    search.limit(min(float(bound.max()) for bound in bounds))
    for g, stays in enumerate(keep):
        bounds[g] = bounds[g][stays]
    return factors.restrict(keep)


def _entries(factors: Factors, g: int) -> int:
    """The number of entries of the tables of all pairs with group `g`."""
    return sum(f.stack[0].size for f in factors.pairs if g in f.scope)
