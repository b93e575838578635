"""Where the choices of a problem that are worth a target can be, and how much they can be worth.

Exact max-sum at Lagrange multipliers bounds the value of every choice, and of every choice that holds a given option;
options whose bound is below the target go ("reduced-cost fixing" by max-marginals). Multipliers come from cutting
planes, one max-sum sweep each. Float sums are trusted only beyond the margin that covers their error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reds_core.arrays import BoolArray, FloatArray
from reds_core.knapsack.inference.cutting_planes import CuttingPlanes
from reds_core.knapsack.inference.elimination import Elimination, eliminate, pair_scopes, peak_scopes
from reds_core.knapsack.inference.factors import POSSIBLE, Factors, build_factors, peak_masks, possible_options
from reds_core.knapsack.inference.maxsum import MaxSum, Messages
from reds_core.knapsack.problem import KnapsackProblem

LARGEST_TABLE = 2**24
"""Most entries of a table of max-sum, all weight vectors together; 128 MiB."""

_SWEEPS = 60
_PRECISION = 1e-9
_WORTHWHILE = 0.9
"""Another round of narrowing follows while one leaves less than this share of the options."""


class TableTooLarge(Exception):
    """Max-sum over a problem takes tables beyond the limit; the text says which."""


@dataclass(frozen=True, eq=False)
class Region:
    """Some of the options of a problem.

    Attributes:
        problem: whose choices are sought.
        factors: its terms over the options that are left.
        order: an elimination order that fits the factors.
        multipliers: a price of one unit of each sum resource, at least 0, float64 (sum resources,).
        bound: proven limit on the value of every feasible choice among the options that are left.
    """

    problem: KnapsackProblem
    factors: Factors
    order: Elimination
    multipliers: FloatArray
    bound: int

    @property
    def options(self) -> int:
        """How many options are left."""
        return sum(self.factors.sizes)

    def sweeps(self) -> MaxSum:
        """Max-sum over what is left."""
        return MaxSum(self.factors, self.order)

    def weights(self, shares: Sequence[float]) -> FloatArray:
        """Weight vectors, float64 (shares + sum resources, 1 + sum resources).

        First the value with the multipliers times each of `shares`, then the use of each resource alone, negated.
        """
        priced = [np.concatenate(([1.0], -share * self.multipliers)) for share in shares]
        alone = -np.eye(self.factors.rows)[1:]
        return np.concatenate([np.array(priced), alone])

    def slacks(self, messages: Messages, target: int) -> FloatArray:
        """By how much the best of each weight vector exceeds what it must be for a choice worth `target`.

        No feasible choice worth `target` loses more than that of a weight vector's best. The float error of sums of
        losses, one a group and each a difference of two sweeps' sums, is covered.

        Returns:
            float64 (k,).
        """
        weights = messages.weights
        needed = weights[:, 0] * float(target) + weights[:, 1:] @ self.factors.room
        allowance = self.factors.margin(weights) * (2 * len(self.factors.kept) + 2)
        allowance += weights[:, 0] * abs(float(target)) * 2.0**-50
        slacks: FloatArray = messages.best - needed + allowance
        return slacks


def whole(problem: KnapsackProblem, largest: int = LARGEST_TABLE) -> Region | None:
    """All options of `problem` that a choice within its peak resources can have, and the bound of its dual.

    Args:
        problem: floors, ceilings and resources are respected.
        largest: most entries of a table.

    Returns:
        None where no choice is feasible.

    Raises:
        TableTooLarge: if the groups are joined too densely for max-sum.
    """
    kept = possible_options(problem)
    if kept is None:
        return None
    sizes, pairs, peaks = [len(k) for k in kept], pair_scopes(problem), peak_scopes(problem)
    order = eliminate(sizes, [*pairs, *peaks])
    if max(order.entries) > largest:  # peaks are then checked at the end, but for those that fit in a bucket
        order = eliminate(sizes, pairs, peaks)
        buckets = [{g, *separator} for g, separator in enumerate(order.separators)]
        peaks = [scope for scope in peaks if any(bucket.issuperset(scope) for bucket in buckets)]
    if max(order.entries) > largest:
        raise TableTooLarge(f"max-sum over its groups takes a table of {max(order.entries):.3g} entries")
    factors = build_factors(problem, kept, peak_masks(problem, kept, largest, peaks))
    return _bounded(Region(problem, factors, order, np.zeros(factors.rows - 1), problem.magnitude))


def _bounded(region: Region) -> Region | None:
    """`region` with multipliers that make its bound small; None where it holds no feasible choice."""
    factors, sweeps = region.factors, region.sweeps()
    excess_scales = np.maximum(factors.magnitudes[1:], 1.0)
    planes = CuttingPlanes(max(float(factors.magnitudes[0]), 1.0), excess_scales)
    multipliers, best, lowest = region.multipliers, region.multipliers, math.inf
    for _ in range(_SWEEPS):
        weights = np.concatenate(([1.0], -multipliers))[None]
        messages = sweeps.sweep(weights)
        if messages.best[0] < POSSIBLE:
            return None
        bound = float(messages.best[0] + multipliers @ factors.room + factors.margin(weights)[0])
        if bound < lowest:
            best, lowest = multipliers, bound
        if not len(multipliers):
            break
        terms = _at(factors, sweeps.decode(messages))
        planes.add(float(terms[0]), terms[1:] - factors.room)
        predicted, multipliers = planes.lowest()
        if lowest - predicted <= max(0.25, _PRECISION * abs(lowest)) and not planes.raise_ceiling():
            break
    return replace(region, multipliers=best, bound=min(region.bound, math.floor(lowest)))


def _at(factors: Factors, positions: Sequence[int]) -> FloatArray:
    """Value and use of each sum resource of one choice, in floats, (rows,)."""
    total = np.zeros(factors.rows)
    for factor in (*factors.unary, *factors.pairs):
        entry: tuple[slice | int, ...] = (slice(None), *(positions[g] for g in factor.scope))
        total += factor.stack[entry]
    return total


def within(region: Region, low: Sequence[int], high: Sequence[int]) -> Region | None:
    """`region` without options below `low` or above `high`, one option index a group each; None if a group has none."""
    keep: list[BoolArray] = [
        np.logical_and(k >= a, k <= b) for k, a, b in zip(region.factors.kept, low, high, strict=True)
    ]
    return _restricted(region, keep)


def _restricted(region: Region, keep: Sequence[BoolArray]) -> Region | None:
    if not all(k.any() for k in keep):
        return None
    return replace(region, factors=region.factors.restrict(keep))


def narrow(region: Region, target: int) -> Region | None:
    """`region` without options that no feasible choice worth `target` or more has; None if there is no such choice."""
    while True:
        before = region.options
        bounded = _bounded(region)
        if bounded is None or bounded.bound < target:
            return None
        sweeps = bounded.sweeps()
        weights = bounded.weights([1.0])
        if max(sweeps_entries(bounded)) * len(weights) > LARGEST_TABLE:
            weights = weights[:1]
        messages = sweeps.sweep(weights)
        slacks = bounded.slacks(messages, target)
        marginals = sweeps.marginals(messages).groups
        keep = [np.all(messages.best[:, None] - m <= slacks[:, None], axis=0) for m in marginals]
        restricted = _restricted(bounded, keep)
        if restricted is None:
            return None
        if restricted.options > _WORTHWHILE * before:
            return restricted
        region = restricted


def sweeps_entries(region: Region) -> tuple[int, ...]:
    """Entries of the table of each bucket over the options that are left."""
    return replace(region.order, sizes=region.factors.sizes).entries
