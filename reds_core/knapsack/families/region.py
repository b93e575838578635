"""Regions of options that contain all choices worth at least a target, with bounds on their values.

Exact max-sum at Lagrange multipliers bounds the value of every choice, and of every choice with a given option. Options
whose bound is below the target are dropped (reduced-cost fixing by max-marginals). The multipliers come from cutting
planes, one max-sum sweep for each. Float sums decide only beyond a margin that covers their rounding error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from reds_core.arrays import BoolArray, FloatArray
from reds_core.knapsack.families.limits import TableTooLarge, check_time
from reds_core.knapsack.inference.cutting_planes import CuttingPlanes
from reds_core.knapsack.inference.elimination import Elimination, eliminate, pair_scopes, peak_scopes
from reds_core.knapsack.inference.factors import (
    POSSIBLE,
    Factors,
    build_factors,
    peak_masks,
    possible_options,
    table_bytes,
)
from reds_core.knapsack.inference.maxsum import MaxSum
from reds_core.knapsack.inference.messages import Messages
from reds_core.knapsack.problem import KnapsackProblem

LARGEST_TABLE = 2**24
"""The largest number of entries of a max-sum table, for all weight vectors together; 128 MiB."""

_SWEEPS = 60
_PRECISION = 1e-9
_WORTHWHILE = 0.9
"""Narrowing repeats while a round leaves less than this share of the options."""


@dataclass(frozen=True, eq=False)
class Region:
    """A subset of the options of a problem, with a bound.

    Attributes:
        problem: the problem.
        factors: its terms over the remaining options.
        order: an elimination order for the factors.
        multipliers: the price of one unit of each sum resource, at least 0, float64 (sum resources,).
        bound: a proven upper bound on the value of every feasible choice among the remaining options.
        deadline: `time.perf_counter()` at which work on the region has to stop, or None.
    """

    problem: KnapsackProblem
    factors: Factors
    order: Elimination
    multipliers: FloatArray
    bound: int
    deadline: float | None = None

    @property
    def options(self) -> int:
        """The number of remaining options."""
        return sum(self.factors.sizes)

    def sweeps(self) -> MaxSum:
        """Max-sum over the remaining options."""
        return MaxSum(self.factors, self.order)

    def weights(self, shares: Sequence[float]) -> FloatArray:
        """Weight vectors, float64 (shares + sum resources, 1 + sum resources).

        The first ones weigh the value against the multipliers times each of `shares`; the others negate the usage of
        each resource alone.
        """
        priced = [np.concatenate(([1.0], -share * self.multipliers)) for share in shares]
        alone = -np.eye(self.factors.rows)[1:]
        return np.concatenate([np.array(priced), alone])

    def slacks(self, messages: Messages, target: int) -> FloatArray:
        """By how much the maximum under each weight vector exceeds what a choice worth `target` needs.

        No feasible choice worth `target` lies further below the maximum. The result covers the rounding error of sums
        of losses, one for each group, each of which is a difference between sums of two sweeps.

        Returns:
            float64 (k,).
        """
        weights = messages.weights
        needed = weights[:, 0] * float(target) + weights[:, 1:] @ self.factors.room
        allowance = self.factors.margin(weights) * (2 * len(self.factors.kept) + 2)
        allowance += weights[:, 0] * abs(float(target)) * 2.0**-50
        slacks: FloatArray = messages.best - needed + allowance
        return slacks


def whole(
    problem: KnapsackProblem,
    largest: int = LARGEST_TABLE,
    deadline: float | None = None,
    memory_limit_bytes: float | None = None,
) -> Region | None:
    """The region of all options that a choice within the peak resources can have.

    Args:
        problem: the problem; its floors, ceilings and resources are respected.
        largest: the largest number of entries of a table.
        deadline: `time.perf_counter()` at which work on the region has to stop, or None.
        memory_limit_bytes: the most memory that its tables may take, or None for no limit.

    Returns:
        The region, or None if it is proven that no choice is feasible.

    Raises:
        TableTooLarge: if the group graph is too dense for max-sum, or its tables would exceed the memory limit.
        OutOfTime: if the deadline is past.
    """
    kept = possible_options(problem)
    if kept is None:
        return None
    sizes, pairs, peaks = [len(k) for k in kept], pair_scopes(problem), peak_scopes(problem)
    order = eliminate(sizes, [*pairs, *peaks])
    if max(order.entries) > largest:  # peak steps that fit in no bucket are checked on complete choices
        order = eliminate(sizes, pairs, peaks)
        buckets = [{g, *separator} for g, separator in enumerate(order.separators)]
        peaks = [scope for scope in peaks if any(bucket.issuperset(scope) for bucket in buckets)]
    if max(order.entries) > largest:
        raise TableTooLarge(f"max-sum over its groups takes a table of {max(order.entries):.3g} entries")
    needed = table_bytes(problem, sizes)
    if memory_limit_bytes is not None and needed > memory_limit_bytes:
        raise TableTooLarge(f"its tables take {needed / 2**20:,.0f} MiB, which is above the memory limit")
    masks = peak_masks(problem, kept, largest, peaks)
    factors = build_factors(problem, kept, masks, check_time=partial(check_time, deadline))
    return _bounded(Region(problem, factors, order, np.zeros(factors.rows - 1), problem.magnitude, deadline))


def _bounded(region: Region) -> Region | None:
    """`region` with multipliers that make its bound small; None if it contains no feasible choice."""
    factors, sweeps = region.factors, region.sweeps()
    excess_scales = np.maximum(factors.magnitudes[1:], 1.0)
    planes = CuttingPlanes(max(float(factors.magnitudes[0]), 1.0), excess_scales)
    multipliers, best, lowest = region.multipliers, region.multipliers, math.inf
    for _ in range(_SWEEPS):
        check_time(region.deadline)
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
    """The value of one choice and its usage of each sum resource, float64 (rows,)."""
    total = np.zeros(factors.rows)
    for factor in (*factors.unary, *factors.pairs):
        entry: tuple[slice | int, ...] = (slice(None), *(positions[g] for g in factor.scope))
        total += factor.stack[entry]
    return total


def within(region: Region, allowed: Sequence[BoolArray]) -> Region | None:
    """`region` without options that are not allowed; None if a group has no option left.

    Args:
        region: the region.
        allowed: which options of the problem each group may have, bool (options,).
    """
    return _restricted(region, [mask[k] for k, mask in zip(region.factors.kept, allowed, strict=True)])


def _restricted(region: Region, keep: Sequence[BoolArray]) -> Region | None:
    if not all(k.any() for k in keep):
        return None
    return replace(region, factors=region.factors.restrict(keep))


def narrow(region: Region, target: int) -> Region | None:
    """`region` without options that no feasible choice worth at least `target` has; None if there is no such choice."""
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
    """The number of entries of the table of each bucket, over the remaining options."""
    return region.order.with_sizes(region.factors.sizes).entries
