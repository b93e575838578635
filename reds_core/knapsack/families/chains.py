"""Joins enumerated choices of all budgets into the best chain of nested choices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reds_core.arrays import IntArray
from reds_core.knapsack.families.enumeration import NearOptimal
from reds_core.knapsack.families.order import FamilyOrder

_JOIN_BLOCK = 2**22
"""The number of pairs of group options that are compared at a time."""


def best_chain(lists: Sequence[NearOptimal], weights: Sequence[int], goal: int, order: FamilyOrder) -> list[int] | None:
    """The nested chain of the largest weighted value.

    Args:
        lists: the choices of each budget, smallest budget first.
        weights: weights of the values.
        goal: the smallest weighted value of interest.
        order: the order of the options of each group.

    Returns:
        One index into each list, or None if no chain is worth at least `goal`.
    """
    totals = weights[0] * lists[0].values
    members = np.arange(len(totals))
    trail: list[tuple[IntArray, IntArray]] = [(members, members)]
    for b in range(1, len(lists)):
        rest = sum(w * int(x.values[0]) for w, x in zip(weights[b + 1 :], lists[b + 1 :], strict=True))
        gains = weights[b] * lists[b].values
        smaller = _smaller(lists[b - 1].choices[members], totals, lists[b].choices, gains, goal - rest, order)
        members = np.flatnonzero(smaller >= 0)
        smaller = smaller[members]
        totals = totals[smaller] + gains[members]
        trail.append((members, smaller))
    if not len(totals) or int(totals.max()) < goal:
        return None
    at, chain = int(totals.argmax()), []
    for members, smaller in reversed(trail):
        chain.append(int(members[at]))
        at = int(smaller[at])
    return chain[::-1]


def _smaller(
    inner: IntArray, totals: IntArray, outer: IntArray, gains: IntArray, needed: int, options: FamilyOrder
) -> IntArray:
    """For each `outer` choice, the index of the `inner` choice of the largest total that is nested in it.

    Returns:
        int64 (outer,); -1 if no nested choice has a total that reaches `needed` together with the gain.
    """
    order = np.argsort(-totals, kind="stable")
    found = np.full(len(outer), -1)
    open_ = np.arange(len(outer))
    step = max(_JOIN_BLOCK // max(outer.size, 1), 1)
    for start in range(0, len(order), step):
        block = order[start : start + step]
        open_ = open_[totals[block[0]] + gains[open_] >= needed]
        if not len(open_):
            break
        fits = options.nested(inner[block], outer[open_])
        hit = fits.any(axis=1)
        found[open_[hit]] = block[fits[hit].argmax(axis=1)]
        open_ = open_[~hit]
    return found
