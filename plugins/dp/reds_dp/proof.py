"""The search for a proven optimum: scouting on few options, fixing, and label setting at falling thresholds."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NoReturn

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack.inference import Factors, original, table_bytes
from reds_dp.conditioning import conditioned
from reds_dp.dual import STEPS, Dual
from reds_dp.fixing import fixed, neighbours, priced, slacks, with_usage
from reds_dp.labels import LabelSearch
from reds_dp.search import DpSearch, NothingBetter
from reds_dp.terms import ExactTerms

_SCOUT_ENTRIES = 1 << 16
"""Larger tables are first scouted on a subset of the options with at most this many entries."""

_CLIMBED_ENTRIES = 1 << 14
"""Larger tables are searched for a good incumbent by local search before the first run of label setting."""

_SWEEP_ENTRIES = 1 << 22
"""The largest number of table entries, counted for each weight vector, that one sweep processes."""

_SMALL_ENTRIES = 1 << 12
"""Smaller tables are not narrowed further, since label setting takes no longer than another sweep."""

_BEAM = 256
"""The number of labels that the first truncated run keeps at each step."""

_FIRST_SHARE = 1 / 64
_FIRST_RELATIVE = 2.0**-14
_FIRST_STUBBORN = 2.0**-26
"""The first step below the bound: at most this share of the gap, and at most this share of the bound. The last one is
for problems that keep most of their options, where a longer step could keep too many labels."""

_STUBBORN = 0.25
"""A problem that keeps more than this share of its options is stubborn."""

_SURGE = 8
"""If the tables grow by more than this factor, a shorter step is taken."""

_SHRUNK = 0.9
"""Fixing is repeated while it leaves less than this share of the options."""

_CHEAP_LABELS = 16000
"""Runs that keep fewer labels take little time, so steps grow faster after them."""

_MORE_LABELS = 3.0
"""A run should keep this many times the labels of the run before, unless these are few."""

_LEAST_GROWTH = 1.15
_LARGEST_GROWTH = 4.0
"""The range of the factor by which steps grow."""

_SECOND_GROWTH = 6.0
"""The factor from the first step to the second if the first run kept many labels."""

_USUAL_POWER = 2.5
"""The power of the step by which the number of labels rises, until two runs show another one."""

_LAST_SHARE = 0.85
"""A step of more than this share of the gap is extended to the whole gap."""


def prove(search: DpSearch, factors: Factors) -> NoReturn:
    """Search until the incumbent is proven to be close enough to the optimum. This function never returns.

    Raises:
        NothingBetter: when the proof is complete.
        OutOfTime, OutOfMemory: if a limit is reached first.
    """
    search.held_bytes = factors.nbytes
    dual = Dual(search, factors)
    possible = factors.sizes
    if search.entries(factors) > 4 * _SCOUT_ENTRIES:
        _scout(search, dual, factors)
    factors = _narrowed(search, dual, factors, whole=True)
    search.held_bytes = factors.nbytes
    # on small tables a run with a beam finds as much in less time
    large = search.entries(factors) > _CLIMBED_ENTRIES
    # the feasible maximiser may be far below the infeasible one next to the dual optimum
    for start in (dual.outside(), search.near) if large else ():
        if start is not None:
            search.polish(dual.multipliers, start)
    if large and search.is_far():
        factors = conditioned(search, dual, factors)
        factors = _narrowed(search, dual, factors, whole=True)
        search.held_bytes = factors.nbytes
    weights = with_usage(priced(neighbours(dual.multipliers)), factors)
    beam = _BEAM
    spent = label_run(search, factors, weights, search.floor(), beam)
    if search.incumbent is None and factors.magnitudes[0] > 0:
        _feasible(search, factors)
    assert search.bound is not None
    top = search.bound
    search.polish(dual.multipliers)
    stubborn = sum(factors.sizes) > _STUBBORN * sum(possible)
    step = min(search.gap() * _FIRST_SHARE, abs(top) * (_FIRST_STUBBORN if stubborn else _FIRST_RELATIVE))
    growth, entries = 1.0, math.inf
    pace = _Pace()
    while True:
        floor = search.floor()
        threshold, narrowed = _at(search, factors, weights, top, step * growth)
        if narrowed is not None and growth > 2 and search.entries(narrowed) > _SURGE * entries:
            growth = 2.0
            threshold, narrowed = _at(search, factors, weights, top, step * growth)
        step = max(step * growth, 1.0)
        labels = 0
        if narrowed is not None:
            entries = search.entries(narrowed)
            labels = label_run(search, narrowed, weights, threshold)
        if search.incumbent is not None and search.incumbent.value >= threshold:
            # the run has considered every choice worth the threshold, and offered the best one
            search.close()
        if search.floor() > threshold or threshold <= floor:
            raise NothingBetter
        search.limit(threshold - 1)
        if labels > 4 * spent and search.gap() > 0:
            beam *= 4
            spent += label_run(search, factors, weights, search.floor(), beam)
            search.polish(dual.multipliers)
            factors = fixed(search, factors, _fitting(search, factors, weights), search.floor())
        growth = pace.growth(step, labels)


class _Pace:
    """Chooses steps so that each run keeps a small multiple of the labels of the run before.

    The optimum may lie anywhere between the bound and the incumbent, and the first run whose threshold is not above it
    is the last. The number of labels rises by a power of the step, which is estimated from the last two runs.
    """

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None
        self._power = _USUAL_POWER

    def growth(self, step: float, labels: int) -> float:
        """The factor by which to enlarge the step after a run with `step` that kept this many labels."""
        if self._last is None and labels > _CHEAP_LABELS:
            # the bound is far below the one that labels are pruned by, so that a short step costs as much as a long one
            self._last = step, labels
            return _SECOND_GROWTH
        if self._last is not None and self._last[0] < step and self._last[1] >= _CHEAP_LABELS / 8 and labels > 0:
            observed = math.log(max(labels / self._last[1], 1.0)) / math.log(step / self._last[0])
            self._power = min(max(observed, 1.0), 8.0)
        self._last = step, labels
        wanted = max(_MORE_LABELS, _CHEAP_LABELS / max(labels, 1))
        return float(min(max(wanted ** (1 / self._power), _LEAST_GROWTH), _LARGEST_GROWTH))


def _at(search: DpSearch, factors: Factors, weights: FloatArray, top: int, step: float) -> tuple[int, Factors | None]:
    """The threshold `step` below `top`, or the floor if that is near, and the options that it leaves, if any."""
    floor = search.floor()
    depth = top + 1 - floor
    step = min(max(step, 1.0), float(depth))
    threshold = floor if step > _LAST_SHARE * depth else top + 1 - math.floor(step)
    try:
        if len(_fitting(search, factors, weights)) < len(weights):
            factors = fixed(search, factors, weights[:1], threshold)
        before = math.inf
        while sum(factors.sizes) < _SHRUNK * before:
            before = sum(factors.sizes)
            factors = fixed(search, factors, _fitting(search, factors, weights), threshold)
            if search.entries(factors) < _SMALL_ENTRIES:
                break
    except NothingBetter:
        return threshold, None
    return threshold, factors


def _feasible(search: DpSearch, factors: Factors) -> None:
    """Find a first incumbent by the same search with all values set to 0, in which labels compete by usage alone.

    Raises:
        NothingBetter: if it is proven that no choice is within the limits.
    """
    problem = search.problem
    groups = tuple(replace(g, values=np.zeros_like(g.values)) for g in problem.groups)
    pairs = tuple(replace(p, values=None, kernel=None) for p in problem.pairs)
    worthless = replace(problem, groups=groups, pairs=pairs)
    search.limits.check_memory(search.held_bytes + table_bytes(worthless, factors.sizes))
    inner = search.over(worthless, factors.kept)
    try:
        prove(inner, inner.build(factors.masks))
    except NothingBetter:
        pass
    finally:
        search.labels += inner.labels
        search.runs += inner.runs
    if inner.incumbent is None:
        raise NothingBetter
    search.offer(inner.incumbent.choice)


def _scout(search: DpSearch, dual: Dual, factors: Factors) -> None:
    """Find a first incumbent and multipliers on evenly spaced options of each group, which include the last one."""
    distance = 2
    few = factors
    while search.entries(few) > _SCOUT_ENTRIES and distance <= max(factors.sizes):
        few = factors.restrict([np.arange((n - 1) % distance, n, distance) for n in factors.sizes])
        distance *= 2
    try:
        few = _narrowed(search, dual, few, whole=False)
        label_run(search, few, with_usage(priced(neighbours(dual.multipliers)), few), search.floor(), _BEAM)
    except NothingBetter:
        pass  # proven only for the subset


def _narrowed(search: DpSearch, dual: Dual, factors: Factors, whole: bool) -> Factors:
    """Improve the multipliers, and keep only the options that a better choice than the incumbent can use."""
    while True:
        large = search.entries(factors) > _SCOUT_ENTRIES
        reached = dual.minimise(factors, whole, 2 if large and search.incumbent is not None else STEPS)
        before = sum(factors.sizes)
        weights = priced([dual.multipliers])
        factors = fixed(search, factors, weights if large else with_usage(weights, factors), search.floor())
        if sum(factors.sizes) > _SHRUNK * before:
            if not reached:
                dual.minimise(factors, whole)
            return factors


def _fitting(search: DpSearch, factors: Factors, weights: FloatArray) -> FloatArray:
    """As many of `weights` as keep one sweep within `_SWEEP_ENTRIES`, but at least the first."""
    return weights[: max(_SWEEP_ENTRIES // search.entries(factors), 1)]


def label_run(search: DpSearch, factors: Factors, weights: FloatArray, threshold: int, beam: int | None = None) -> int:
    """One run of label setting. Its best choice is offered as incumbent.

    Returns:
        The number of labels that it kept.

    Raises:
        NothingBetter: if `beam` dropped no label, so that no choice is worth the floor of the search.
        OutOfTime, OutOfMemory: if a limit is reached.
    """
    sweeps = search.buckets(factors)
    messages = sweeps.sweep(_fitting(search, factors, weights))
    own = 0 if factors.nbytes == search.held_bytes else factors.nbytes
    tables = search.held_bytes + own + table_bytes(search.problem, factors.sizes)
    search.limits.check_memory(tables)
    terms = ExactTerms(search.problem, factors, sweeps)
    labels = LabelSearch(sweeps, terms, search.room)
    search.runs += 1
    try:
        limits = replace(search.limits, memory=search.limits.memory - tables)
        found = labels.run(messages, slacks(factors, messages, threshold), limits, beam)
    finally:
        search.labels += labels.kept
    if found.positions is not None:
        search.offer(original(factors, found.positions))
    if beam is not None and found.complete:
        raise NothingBetter
    return labels.kept
