"""Fixing: the options that a choice worth a threshold can use, and the initial slacks of label setting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack.inference import POSSIBLE, Factors, Messages, table_bytes
from reds_dp.search import DpSearch, NothingBetter

_AROUND = (0.92, 1.08, 0.7, 1.4, 0.0, 0.97, 1.03, 0.83, 1.2, 0.5, 2.0)
_ASIDE = (0.6, 1.6)


def neighbours(multipliers: FloatArray) -> list[FloatArray]:
    """A dual optimum and multipliers around it.

    Partial choices that have used much or little of a capacity are bounded best by higher or lower multipliers.
    """
    if not multipliers.any():
        return [multipliers]
    result = [multipliers, *(multipliers * f for f in _AROUND)]
    if len(multipliers) > 1:
        for r in np.flatnonzero(multipliers):
            for f in _ASIDE:
                moved = multipliers.copy()
                moved[r] *= f
                result.append(moved)
    return result


def priced(multipliers: Sequence[FloatArray]) -> FloatArray:
    """The weight vectors of value minus priced usage, float64 (multipliers, rows)."""
    return np.array([np.concatenate(([1.0], -m)) for m in multipliers])


def with_usage(weights: FloatArray, factors: Factors) -> FloatArray:
    """`weights`, then weights of the usage of each resource alone, and of all resources relative to their room."""
    alone = -np.eye(factors.rows)[1:]
    if len(alone) > 1:
        alone = np.concatenate((alone, (alone / np.maximum(np.abs(factors.room), 1.0)[:, None]).sum(axis=0)[None]))
    return np.concatenate((weights, alone))


def slacks(factors: Factors, messages: Messages, threshold: int) -> FloatArray:
    """How far the best choice lies above `threshold`, or the least usage below its capacity, float64 (k,).

    The margin for rounding errors is generous, because each step of label setting may add the error of two sweeps.
    """
    weights = messages.weights
    margin = factors.margin(weights) * (4 * len(factors.kept) + 4)
    result: FloatArray = messages.best - weights[:, 1:] @ factors.room - weights[:, 0] * float(threshold) + margin
    return result


def fixed(search: DpSearch, factors: Factors, weights: FloatArray, threshold: int) -> Factors:
    """Keep only the options that a choice worth at least `threshold` can use.

    Returns:
        The smaller factors, or the same object if all options stay.

    Raises:
        NothingBetter: if no choice is worth `threshold`. This proves the incumbent optimal only if `threshold` is at
            most the floor of the search.
        OutOfMemory: if the remaining tables would exceed the memory limit.
    """
    search.limits.check_time()
    sweeps = search.buckets(factors)
    messages = sweeps.sweep(weights)
    spare = slacks(factors, messages, threshold)
    if spare.min() < 0 or messages.best.min() < POSSIBLE:
        raise NothingBetter
    keep = sweeps.within(messages, spare - messages.best)
    if keep is None:
        raise NothingBetter
    if not all(stays.all() for stays in keep):
        left = table_bytes(search.problem, [int(stays.sum()) for stays in keep])
        search.limits.check_memory(search.held_bytes + left)
    return factors.restrict(keep)
