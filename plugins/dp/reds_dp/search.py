"""From a problem to a proven answer: multipliers, fixing, and label setting at falling thresholds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.cutting_planes import CuttingPlanes
from reds_core.elimination import Elimination, eliminate, pair_scopes, peak_scopes
from reds_core.factors import POSSIBLE, Factors, FloatArray, build_factors, peak_masks, possible_options
from reds_core.maxsum import MaxSum, Messages, original, positions
from reds_core.problem import KnapsackProblem
from reds_core.solution import Answer, Limit, Status
from reds_dp.labels import LabelSearch, Limits, OutOfLabels, OutOfTime
from reds_dp.terms import ExactTerms

_COARSE_ENTRIES = 1 << 17
_DUAL_STEPS = 60
_BEAM = 300


class Infeasible(Exception):
    """Proof that no choice is within the limits."""


@dataclass(frozen=True)
class Incumbent:
    """The best choice so far."""

    value: int
    choice: tuple[int, ...]


class Search:
    """One solve.

    Attributes:
        incumbent: the best choice so far, or None.
        bound: a proven limit on the value of every choice, or None before the first.
    """

    def __init__(self, problem: KnapsackProblem, order: Elimination, factors: Factors, limits: Limits) -> None:
        self.problem = problem
        self.limits = limits
        self.incumbent: Incumbent | None = None
        self.bound: int | None = None
        self.labels = 0
        self.runs = 0
        self._order = order
        self._factors = factors
        self._room = tuple(r.capacity - r.base for r in problem.sum_resources)
        self._seen: set[tuple[int, ...]] = set()
        # less than any choice is worth
        self._least = -int(factors.magnitudes[0] * (1 + 1e-9)) - 1

    # --- incumbents and bounds ----------------------------------------------------------------------------------

    def offer(self, choice: tuple[int, ...]) -> bool:
        """Take `choice` as the incumbent if it is feasible and better; whether it is feasible."""
        evaluation = self.problem.evaluate(choice)
        if evaluation.feasible and (self.incumbent is None or evaluation.value > self.incumbent.value):
            self.incumbent = Incumbent(evaluation.value, tuple(choice))
        return evaluation.feasible

    def lower_bound(self, bound: float) -> None:
        """Take up a proven bound, margins included."""
        whole = int(np.floor(bound)) if np.isfinite(bound) else 0
        if self.bound is None or whole < self.bound:
            self.bound = whole

    def closed(self) -> bool:
        """Whether the incumbent meets the bound."""
        return self.incumbent is not None and self.bound is not None and self.bound <= self.incumbent.value

    def floor(self) -> int:
        """The least value that is of interest."""
        return self._least if self.incumbent is None else self.incumbent.value + 1

    def _check_time(self) -> None:
        if time.perf_counter() > self.limits.deadline:
            raise OutOfTime

    # --- the Lagrangian dual ------------------------------------------------------------------------------------

    def minimise(self, factors: Factors, whole: bool, planes: list[tuple[float, FloatArray]]) -> FloatArray:
        """Multipliers near the dual's minimum over `factors`; float64 (resources,).

        Args:
            factors: over the options that are left.
            whole: whether bounds over `factors` hold for every choice better than the incumbent.
            planes: value and excess of choices met; those met here are added.
        """
        sweeps = MaxSum(factors, self._reordered(factors))
        room = factors.room
        scales = np.maximum(np.abs(room), 1e-6 * factors.magnitudes[1:]) + 1.0
        master = CuttingPlanes(max(float(factors.magnitudes[0]), 1.0), scales)
        for plane in planes:
            master.add(*plane)
        best, best_at = np.inf, np.zeros(len(room))
        multipliers = master.lowest()[1] if planes else best_at
        for _ in range(_DUAL_STEPS):
            self._check_time()
            weights = np.concatenate(([1.0], -multipliers))[None]
            messages = sweeps.sweep(weights)
            if messages.best[0] < POSSIBLE:
                if whole:
                    self._nothing_better()
                return best_at
            value = float(messages.best[0] + multipliers @ room)
            margin = float(factors.margin(weights)[0])
            if value < best:
                best, best_at = value, multipliers
                if whole:
                    self._limit(value + margin)
            choice = original(factors, sweeps.decode(messages))
            if choice in self._seen and len(planes) > 0 and value > best:
                pass
            exact = self.problem.evaluate(choice)
            if exact.feasible and (self.incumbent is None or exact.value > self.incumbent.value):
                self.incumbent = Incumbent(exact.value, choice)
            if self.closed():
                return best_at
            excess = np.array([float(exact.usage[r.name] - r.capacity) for r in self.problem.sum_resources])
            planes.append((float(exact.value), excess))
            master.add(float(exact.value), excess)
            level, multipliers = master.lowest()
            while best - level <= max(1e-7 * abs(best), 0.01 + margin):
                if not master.raise_ceiling():
                    return best_at
                level, multipliers = master.lowest()
        return best_at

    def _limit(self, bound: float) -> None:
        if bound < self._least:
            self._nothing_better()
        else:
            floor = bound if self.incumbent is None else max(bound, float(self.incumbent.value))
            self.lower_bound(floor)

    def _nothing_better(self) -> None:
        """No choice is better than the incumbent; without one there is none at all."""
        if self.incumbent is None:
            raise Infeasible
        self.bound = self.incumbent.value

    def _reordered(self, factors: Factors) -> Elimination:
        return Elimination(self._order.processing, self._order.separators, factors.sizes)

    # --- fixing -------------------------------------------------------------------------------------------------

    def weights_of(self, multipliers: Sequence[FloatArray], factors: Factors) -> FloatArray:
        """Weight vectors: value less priced usage for each of `multipliers`, then each resource alone."""
        priced = [np.concatenate(([1.0], -m)) for m in multipliers]
        alone = [-row for row in np.eye(factors.rows)[1:]]
        return np.array([*priced, *alone])

    def slacks(self, factors: Factors, messages: Messages, threshold: int) -> FloatArray:
        """How far the best completion lies above `threshold` (or a resource's least use below its capacity).

        Margins for float error are included generously: every step of a run may add the error of two sweeps.
        """
        weights = messages.weights
        margin = factors.margin(weights) * (4 * len(factors.kept) + 4)
        slacks: FloatArray = messages.best - weights[:, 1:] @ factors.room - weights[:, 0] * threshold + margin
        return slacks

    def fixed(self, factors: Factors, multipliers: Sequence[FloatArray], threshold: int) -> Factors:
        """Only the options that a choice worth `threshold` or more can use; the same object where all can.

        Raises:
            Infeasible: if a group has none left.
        """
        sweeps = MaxSum(factors, self._reordered(factors))
        messages = sweeps.sweep(self.weights_of(multipliers, factors))
        spare = self.slacks(factors, messages, threshold) - messages.best
        keep = [
            ((m + spare[:, None]).min(axis=0) >= 0) & (m.min(axis=0) > POSSIBLE)
            for m in sweeps.marginals(messages).groups
        ]
        if not all(k.any() for k in keep):
            raise Infeasible
        return factors.restrict(keep)

    # --- thresholds ---------------------------------------------------------------------------------------------

    def run(self, factors: Factors, multipliers: Sequence[FloatArray], threshold: int, beam: int | None = None) -> bool:
        """One run of label setting; whether it considered all choices worth `threshold` or more."""
        sweeps = MaxSum(factors, self._reordered(factors))
        messages = sweeps.sweep(self.weights_of(multipliers, factors))
        terms = ExactTerms(self.problem, factors, sweeps)
        search = LabelSearch(sweeps, terms, self._room)
        found = search.run(messages, self.slacks(factors, messages, threshold), self.limits, beam)
        self.labels += found.labels
        self.runs += 1
        if found.positions is not None:
            self.offer(original(factors, found.positions))
        return found.complete


def neighbours(multipliers: FloatArray) -> list[FloatArray]:
    """Multipliers around a dual optimum, itself first: partial choices that use much or little price capacity
    differently."""
    factors = (0.5, 0.7, 0.83, 0.92, 1.08, 1.2, 1.4, 2.0)
    result = [multipliers, *(multipliers * f for f in factors)]
    if len(multipliers) > 1:
        for r in np.flatnonzero(multipliers):
            for f in (0.6, 1.6):
                moved = multipliers.copy()
                moved[r] *= f
                result.append(moved)
    return result if multipliers.any() else result[:1]


def coarse(factors: Factors, entries: int) -> Factors:
    """Every few options of each group, so that the tables hold about `entries`; the last option always stays."""
    total = sum(f.stack[0].size for f in factors.pairs)
    step = int(np.ceil(np.sqrt(total / entries)))
    return factors.restrict([np.arange((n - 1) % step, n, step) for n in factors.sizes])


def plan(problem: KnapsackProblem, table_limit: int) -> tuple[Elimination, list[tuple[int, ...]]]:
    """An elimination order, and the peak scopes that have a place in its buckets."""
    from reds_core.elimination import open_sizes

    sizes, pairs, peaks = open_sizes(problem), pair_scopes(problem), peak_scopes(problem)
    order = eliminate(sizes, [*pairs, *peaks])
    if max(order.entries) <= table_limit:
        return order, peaks
    order = eliminate(sizes, pairs, peaks)
    rank = {g: i for i, g in enumerate(order.processing)}
    held = []
    for scope in peaks:
        last = max(scope, key=rank.__getitem__)
        if set(scope) <= {last, *order.separators[last]}:
            held.append(scope)
    return order, held


def answer(problem: KnapsackProblem, table_limit: int, limits: Limits, hint: tuple[int, ...] | None) -> Answer:
    """Solve `problem`."""
    kept = possible_options(problem)
    if kept is None:
        return Answer(Status.INFEASIBLE, detail=("a peak step is over its capacity with every choice",))
    order, held = plan(problem, table_limit)
    factors = build_factors(problem, kept, peak_masks(problem, kept, table_limit, held))
    search = Search(problem, order, factors, limits)
    if hint is not None:
        search.offer(hint)
    limit: Limit | None = None
    try:
        _solve(search, factors)
    except Infeasible:
        if search.incumbent is None:
            return Answer(Status.INFEASIBLE)
        search.bound = search.incumbent.value
    except OutOfTime:
        limit = Limit.TIME
    except OutOfLabels:
        limit = Limit.MEMORY
    detail = (f"{search.labels} labels in {search.runs} runs",)
    best = search.incumbent
    if best is None:
        return Answer(Status.NO_SOLUTION, bound=search.bound, limit=limit, detail=detail)
    bound = None if search.bound is None else max(search.bound, best.value)
    status = Status.OPTIMAL if bound == best.value else Status.FEASIBLE
    return Answer(status, best.choice, bound, None if status is Status.OPTIMAL else limit, detail=detail)


def _solve(search: Search, factors: Factors) -> None:
    planes: list[tuple[float, FloatArray]] = []
    if sum(f.stack[0].size for f in factors.pairs) > 4 * _COARSE_ENTRIES:
        search.minimise(coarse(factors, _COARSE_ENTRIES), False, planes)
    multipliers = search.minimise(factors, True, planes)
    if search.closed():
        return
    while True:
        before = sum(factors.sizes)
        factors = search.fixed(factors, [multipliers], search.floor())
        after = sum(factors.sizes)
        if search.closed() or after > 0.9 * before:
            break
        multipliers = search.minimise(factors, True, planes)
        if search.closed():
            return
    search.run(factors, [multipliers], search.floor(), beam=_BEAM)
    tests = neighbours(multipliers)
    share = 64.0
    while not search.closed():
        assert search.bound is not None
        floor = search.floor()
        threshold = max(floor, int(search.bound + 1 - (search.bound + 1 - floor) / share))
        top = search.bound
        share = max(share / 2, 1.0)
        try:
            narrowed = search.fixed(factors, tests, threshold)
            narrowed = search.fixed(narrowed, tests, threshold)
            search.run(narrowed, tests, threshold)
        except Infeasible:
            pass
        best = search.incumbent
        if best is not None and best.value >= threshold:
            search.bound = best.value
        elif threshold <= floor:
            search._nothing_better()
        else:
            search.bound = min(top, threshold - 1)


__all__ = ["Search", "answer", "plan", "positions"]
