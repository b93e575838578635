"""Exact local search: repair of a choice that exceeds capacities, then ascent by changes of one or two groups.

For every option of every group, the search keeps the value and usage that the option would have while all other groups
stay. They are updated when a group changes. Examining a group therefore takes time linear in its options, and changing
it takes time linear in the options of its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.knapsack.problem import KnapsackProblem

_CANDIDATES = 32
_ROUNDS = 40


@dataclass(frozen=True, eq=False)
class _Step:
    """One step of a peak resource: the usage of each option by group, and what it may add up to."""

    costs: dict[int, IntArray]
    spare: int
    scale: float


class Ascent:
    """Local search on one problem.

    Args:
        problem: the problem.
        kept: for each group, the option indices that may be used, int64 (positions,).
        check_time: called regularly; may raise an exception to stop the search.
    """

    def __init__(self, problem: KnapsackProblem, kept: Sequence[IntArray], check_time: Callable[[], None]) -> None:
        self._problem = problem
        self._kept = kept
        self._check_time = check_time
        self._resources = problem.sum_resources
        self._terms = problem.pair_terms
        self._turned = [tuple(None if t is None else t.turned for t in terms) for terms in problem.pair_terms]
        self._room = np.array([r.capacity - r.base for r in self._resources], dtype=np.int64)
        self._scales = np.maximum(np.abs(self._room.astype(np.float64)), 1.0)
        count = len(problem.groups)
        self._pairs: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self._joined: dict[tuple[int, int], int] = {}
        for k, pair in enumerate(problem.pairs):
            self._pairs[pair.first].append((k, pair.second))
            self._pairs[pair.second].append((k, pair.first))
            self._joined[pair.first, pair.second] = k
        self._own = []
        for g, group in enumerate(problem.groups):
            tables = (group.values, *(r.costs[g] for r in self._resources))
            rows = [np.zeros(len(kept[g]), np.int64) if t is None else t[kept[g]] for t in tables]
            self._own.append(np.array(rows))
        self._steps: list[_Step] = []
        self._steps_of: list[list[int]] = [[] for _ in range(count)]
        for resource in problem.peak_resources:
            for step in resource.steps:
                costs = {g: c[kept[g]] for g, c in zip(step.groups, step.costs, strict=True) if c is not None}
                spare = resource.capacity - step.base
                if sum(int(c.max()) for c in costs.values()) > spare:
                    for g in costs:
                        self._steps_of[g].append(len(self._steps))
                    self._steps.append(_Step(costs, spare, max(float(abs(resource.capacity)), 1.0)))

    # --- terms ----------------------------------------------------------------------------------------------------

    def _across(self, k: int, g: int, at: int) -> IntArray:
        """The terms of pair `k` for each option of its other group, with `g` at `at`; int64 (rows, options)."""
        pair = self._problem.pairs[k]
        forward = pair.first == g
        option, options = int(self._kept[g][at]), self._kept[pair.second if forward else pair.first]
        terms = self._terms[k] if forward else self._turned[k]
        result = np.zeros((len(terms), len(options)), np.int64)
        for row, term in enumerate(terms):
            if term is not None:
                result[row] = term.row(option, options)
        return result

    def _block(self, k: int, rows: IntArray, columns: IntArray) -> IntArray:
        """The terms of pair `k` at some positions of its groups, int64 (rows, first, second)."""
        pair = self._problem.pairs[k]
        first, second = self._kept[pair.first][rows], self._kept[pair.second][columns]
        result = np.zeros((len(self._terms[k]), len(rows), len(columns)), np.int64)
        for row, term in enumerate(self._terms[k]):
            if term is not None:
                result[row] = term.block(first, second)
        return result

    # --- the present choice -----------------------------------------------------------------------------------------

    def _start(self, positions: Sequence[int] | IntArray) -> None:
        self._x = [int(p) for p in positions]
        self._beside = [own.copy() for own in self._own]
        for g, neighbours in enumerate(self._pairs):
            for k, other in neighbours:
                self._beside[other] += self._across(k, g, self._x[g])
        choice = [int(kept[p]) for kept, p in zip(self._kept, self._x, strict=True)]
        evaluation = self._problem.evaluate(choice)
        self._usage = np.array([evaluation.usage[r.name] - r.base for r in self._resources], dtype=np.int64)
        self._held = [sum(int(c[self._x[g]]) for g, c in s.costs.items()) for s in self._steps]

    def _move(self, g: int, to: int) -> None:
        before = self._x[g]
        self._usage += self._beside[g][1:, to] - self._beside[g][1:, before]
        for k, other in self._pairs[g]:
            self._beside[other] += self._across(k, g, to) - self._across(k, g, before)
        for s in self._steps_of[g]:
            cost = self._steps[s].costs[g]
            self._held[s] += int(cost[to]) - int(cost[before])
        self._x[g] = to

    def _changes(self, g: int) -> IntArray:
        """The change of value and usage with each option of `g`, int64 (rows, options)."""
        changes: IntArray = self._beside[g] - self._beside[g][:, self._x[g], None]
        return changes

    def _fits(self, g: int, changes: IntArray) -> BoolArray:
        """Which options of `g` keep all usage within the capacities, bool (options,)."""
        fits: BoolArray = np.all(self._usage[:, None] + changes[1:] <= self._room[:, None], axis=0)
        for s in self._steps_of[g]:
            cost = self._steps[s].costs[g]
            fits &= cost <= self._steps[s].spare - self._held[s] + int(cost[self._x[g]])
        return fits

    def _excess(self, g: int | None = None, changes: IntArray | None = None) -> FloatArray:
        """The relative usage above the capacities, of the present choice or with each option of `g`."""
        usage = self._usage[:, None] if changes is None else self._usage[:, None] + changes[1:]
        total: FloatArray = (np.maximum(usage - self._room[:, None], 0) / self._scales[:, None]).sum(axis=0)
        for s, step in enumerate(self._steps):
            held: IntArray | int = self._held[s]
            if g is not None and g in step.costs:
                held = held + step.costs[g] - int(step.costs[g][self._x[g]])
            total = total + np.maximum(held - step.spare, 0) / step.scale
        return total

    # --- search ---------------------------------------------------------------------------------------------------

    def improve(self, positions: Sequence[int] | IntArray, multipliers: FloatArray) -> tuple[int, ...] | None:
        """A locally optimal feasible choice near `positions`, as option indices; None if repair fails.

        Args:
            positions: the start, as one position among the kept options of each group.
            multipliers: prices of the sum resources, float64 (sum resources,), which rank the options when two groups
                change together.
        """
        self._start(positions)
        if not self._repair():
            return None
        for _ in range(_ROUNDS):
            if not (self._single() | self._double(multipliers)):
                break
        return tuple(int(kept[p]) for kept, p in zip(self._kept, self._x, strict=True))

    def _repair(self) -> bool:
        for _ in range(20 * len(self._x)):
            self._check_time()
            present = float(self._excess()[0])
            if present == 0.0:
                return True
            best: tuple[float, int, int] | None = None
            for g in range(len(self._x)):
                changes = self._changes(g)
                removed = present - self._excess(g, changes)
                better = removed > 1e-12 * present
                if not better.any():
                    continue
                lost = np.maximum(-changes[0].astype(np.float64), 0.0)
                # changes that lose no value come first, then the least loss per excess removed
                rate = np.where(better, np.where(lost > 0, -lost / np.where(better, removed, 1.0), removed), -np.inf)
                to = int(rate.argmax())
                if best is None or rate[to] > best[0]:
                    best = float(rate[to]), g, to
            if best is None:
                return False
            self._move(best[1], best[2])
        return False

    def _single(self) -> bool:
        """Change single groups while that increases the value. Returns whether any group changed."""
        moved, again = False, True
        while again:
            again = False
            self._check_time()
            for g in range(len(self._x)):
                changes = self._changes(g)
                gain = np.where(self._fits(g, changes), changes[0], 0)
                to = int(gain.argmax())
                if gain[to] > 0:
                    self._move(g, to)
                    moved = again = True
        return moved

    def _double(self, multipliers: FloatArray) -> bool:
        """Change two groups at a time, among the options of best priced value. Returns whether any changed."""
        moved = False
        candidates = [self._candidates(g, multipliers) for g in range(len(self._x))]
        for a, b in combinations(range(len(self._x)), 2):
            if (b, a) in self._joined:
                a, b = b, a
            self._check_time()
            rows, columns = candidates[a], candidates[b]
            changes = self._changes(a)[:, rows, None] + self._changes(b)[:, None, columns]
            k = self._joined.get((a, b))
            if k is not None:
                at_a, at_b = np.array([self._x[a]]), np.array([self._x[b]])
                changes = changes + self._block(k, rows, columns) + self._block(k, at_a, at_b)
                changes -= self._block(k, rows, at_b) + self._block(k, at_a, columns)
            fits = changes[0] > 0
            if not fits.any():
                continue
            fits &= (self._usage[:, None, None] + changes[1:] <= self._room[:, None, None]).all(axis=0)
            for s in {*self._steps_of[a], *self._steps_of[b]} if fits.any() else ():
                step = self._steps[s]
                held = np.full((len(rows), len(columns)), self._held[s])
                if a in step.costs:
                    held += (step.costs[a][rows] - int(step.costs[a][self._x[a]]))[:, None]
                if b in step.costs:
                    held += step.costs[b][columns] - int(step.costs[b][self._x[b]])
                fits &= held <= step.spare
            if fits.any():
                at = int(np.where(fits, changes[0], 0).argmax())
                self._move(a, int(rows[at // len(columns)]))
                self._move(b, int(columns[at % len(columns)]))
                candidates[a], candidates[b] = self._candidates(a, multipliers), self._candidates(b, multipliers)
                moved = True
        return moved

    def _candidates(self, g: int, multipliers: FloatArray) -> IntArray:
        changes = self._changes(g)
        rated = changes[0] - multipliers @ changes[1:]
        count = min(_CANDIDATES, len(rated))
        return np.sort(np.argpartition(-rated, count - 1)[:count])
