"""Exact local search: repair of a choice that exceeds capacities, then ascent by changes of one or two groups.

For every option of every group, the search keeps the value and usage that the option would have while all other groups
stay. The options of all groups lie side by side in one array, so that one pass over it rates every change of a single
group. Changing a group takes time linear in the options of its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.knapsack.inference.peak_steps import PeakSteps
from reds_core.knapsack.problem import KnapsackProblem

_CANDIDATES = 32
_ROUNDS = 40
_PAIRS = 1 << 20
"""The largest number of joint changes of two groups that one round rates."""

_CHUNK = 1 << 17
_TRIALS = 2000
"""The largest number of promising joint changes that one round checks exactly, best first."""

_BATCH = 0.5
"""Changes of at least this share of the best rate are made in the same pass."""


class _Stopped(Exception):
    """The caller's check of the time asked the search to stop."""


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
        self._check = check_time
        self._resources = problem.sum_resources
        self._terms = problem.pair_terms
        self._turned = [tuple(None if t is None else t.turned for t in terms) for terms in problem.pair_terms]
        self._room = np.array([r.capacity - r.base for r in self._resources], dtype=np.int64)
        self._scales = np.maximum(np.abs(self._room.astype(np.float64)), 1.0)
        count = len(problem.groups)
        self._pairs: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self._joined = np.zeros((count, count), np.bool_)
        for k, pair in enumerate(problem.pairs):
            self._pairs[pair.first].append((k, pair.second))
            self._pairs[pair.second].append((k, pair.first))
            self._joined[pair.first, pair.second] = self._joined[pair.second, pair.first] = True
        self._sizes = np.array([len(k) for k in kept], dtype=np.int64)
        self._ends = np.cumsum(self._sizes)
        self._starts = self._ends - self._sizes
        self._group = np.repeat(np.arange(count), self._sizes)
        self._spans = [slice(int(low), int(high)) for low, high in zip(self._starts, self._ends, strict=True)]
        self._own = np.zeros((1 + len(self._resources), int(self._sizes.sum())), np.int64)
        for g, group in enumerate(problem.groups):
            for row, table in enumerate((group.values, *(r.costs[g] for r in self._resources))):
                if table is not None:
                    self._own[row, self._spans[g]] = table[kept[g]]
        self._peaks = PeakSteps(problem, kept, self._starts)

    def _check_time(self) -> None:
        try:
            self._check()
        except Exception as reason:
            raise _Stopped from reason

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
        self._x = np.array([int(p) for p in positions], dtype=np.int64)
        self._beside = self._own.copy()
        for g, neighbours in enumerate(self._pairs):
            for k, other in neighbours:
                self._beside[:, self._spans[other]] += self._across(k, g, int(self._x[g]))
        evaluation = self._problem.evaluate(self._choice())
        self._usage = np.array([evaluation.usage[r.name] - r.base for r in self._resources], dtype=np.int64)

    def _choice(self) -> tuple[int, ...]:
        return tuple(int(kept[p]) for kept, p in zip(self._kept, self._x, strict=True))

    def _move(self, g: int, to: int) -> None:
        before = int(self._x[g])
        beside = self._beside[:, self._spans[g]]
        self._usage += beside[1:, to] - beside[1:, before]
        for k, other in self._pairs[g]:
            self._beside[:, self._spans[other]] += self._across(k, g, to) - self._across(k, g, before)
        self._x[g] = to

    def _changes(self, g: int | None = None) -> IntArray:
        """The change of value and usage with each option of `g`, or of every group; int64 (rows, options)."""
        if g is None:
            present = self._beside[:, self._starts + self._x]
            all_changes: IntArray = self._beside - np.repeat(present, self._sizes, axis=1)
            return all_changes
        beside = self._beside[:, self._spans[g]]
        changes: IntArray = beside - beside[:, self._x[g], None]
        return changes

    def _fits(self, changes: IntArray, g: int | None = None) -> BoolArray:
        """Which of `changes` keep all usage within the capacities, bool (options,)."""
        fits = np.ones(changes.shape[1], np.bool_)
        for change, usage, room in zip(changes[1:], self._usage, self._room, strict=True):
            fits &= change + usage <= room
        self._peaks.exclude(self._x, fits, g)
        return fits

    def _excess(self, changes: IntArray | None = None) -> FloatArray:
        """The relative usage above the capacities, of the present choice or with each of `changes` of all groups."""
        total = np.zeros(1 if changes is None else changes.shape[1])
        for r, (usage, room) in enumerate(zip(self._usage, self._room, strict=True)):
            used = np.array([usage]) if changes is None else changes[1 + r] + usage
            total += np.maximum(used - room, 0) / self._scales[r]
        return total + self._peaks.excess(self._x, None if changes is None else changes.shape[1])

    # --- search ---------------------------------------------------------------------------------------------------

    def improve(self, positions: Sequence[int] | IntArray, multipliers: FloatArray) -> tuple[int, ...] | None:
        """A feasible choice near `positions`, as option indices; None if repair fails.

        The choice is locally optimal, unless `check_time` raises an exception. The search then ends at once with the
        feasible choice that it has, or with None if it has none. The exception is not passed on.

        Args:
            positions: the start, as one position among the kept options of each group.
            multipliers: prices of the sum resources, float64 (sum resources,), which rank the options when two groups
                change together.
        """
        self._start(positions)
        try:
            if not self._repair():
                return None
        except _Stopped:
            return None
        try:
            self._fill()
            for _ in range(_ROUNDS):
                if not (self._single() | self._double(multipliers)):
                    break
        except _Stopped:
            pass
        return self._choice()

    def _repair(self) -> bool:
        for _ in range(20 * len(self._x)):
            present = float(self._excess()[0])
            if present == 0.0:
                return True
            self._check_time()
            changes = self._changes()
            removed = present - self._excess(changes)
            better = np.flatnonzero(removed > 1e-12 * present)
            if len(better) == 0:
                return False
            lost = -changes[0, better].astype(np.float64)
            # changes that lose no value come first, then the least loss per excess removed
            rate = np.where(lost > 0, -lost / removed[better], removed[better])
            self._move_to(int(better[rate.argmax()]))
        return False

    def _move_to(self, option: int) -> None:
        """Make the change at this index among the options of all groups."""
        g = int(self._group[option])
        self._move(g, option - int(self._starts[g]))

    def _fill(self) -> None:
        """Spend what is left of the capacities where it brings the most value for its usage."""
        for _ in range(len(self._x)):
            self._check_time()
            changes = self._changes()
            gaining = np.flatnonzero((changes[0] > 0) & self._fits(changes))
            if len(gaining) == 0:
                return
            used = np.zeros(len(gaining))
            for change, scale in zip(changes[1:, gaining], self._scales, strict=True):
                used += np.maximum(change, 0) / scale
            rate = changes[0, gaining] / np.maximum(used, 1e-9)
            first = True
            for i in np.argsort(-rate, kind="stable"):
                if rate[i] < _BATCH * rate.max():
                    break
                if first or self._gains(int(gaining[i])):
                    self._move_to(int(gaining[i]))
                first = False

    def _gains(self, option: int) -> bool:
        """Whether a change of one group raises the value of the present choice within all capacities."""
        g = int(self._group[option])
        at = option - int(self._starts[g])
        change = self._beside[:, option] - self._beside[:, int(self._starts[g] + self._x[g])]
        if change[0] <= 0 or (self._usage + change[1:] > self._room).any():
            return False
        return self._peaks.allow(self._x, {g: at})

    def _single(self) -> bool:
        """Change single groups while that increases the value. Returns whether any group changed."""
        moved, again = False, True
        while again:
            again = False
            self._check_time()
            for g in range(len(self._x)):
                changes = self._changes(g)
                if not (changes[0] > 0).any():
                    continue
                gain = np.where(self._fits(changes, g), changes[0], 0)
                to = int(gain.argmax())
                if gain[to] > 0:
                    self._move(g, to)
                    moved = again = True
        return moved

    def _double(self, multipliers: FloatArray) -> bool:
        """Change two groups at a time. Returns whether any changed."""
        joined = self._double_joined(multipliers)
        return self._double_apart(multipliers) | joined

    def _double_joined(self, multipliers: FloatArray) -> bool:
        """Change the two groups of a pair, among the options of best priced value. Returns whether any changed."""
        moved = False
        candidates: dict[int, IntArray] = {}
        for k, pair in enumerate(self._problem.pairs):
            self._check_time()
            a, b = pair.first, pair.second
            rows = candidates.setdefault(a, self._candidates(a, multipliers))
            columns = candidates.setdefault(b, self._candidates(b, multipliers))
            changes = self._changes(a)[:, rows, None] + self._changes(b)[:, None, columns]
            at_a, at_b = self._x[a : a + 1], self._x[b : b + 1]
            changes = changes + self._block(k, rows, columns) + self._block(k, at_a, at_b)
            changes -= self._block(k, rows, at_b) + self._block(k, at_a, columns)
            fits = changes[0] > 0
            if not fits.any():
                continue
            fits &= (self._usage[:, None, None] + changes[1:] <= self._room[:, None, None]).all(axis=0)
            gains = np.where(fits, changes[0], 0).ravel()
            for at in np.argsort(-gains, kind="stable")[:_TRIALS] if fits.any() else ():
                if gains[at] <= 0:
                    break
                row, column = int(rows[at // len(columns)]), int(columns[at % len(columns)])
                if self._peaks.allow(self._x, {a: row, b: column}):
                    self._move(a, row)
                    self._move(b, column)
                    candidates.clear()
                    moved = True
                    break
        return moved

    def _double_apart(self, multipliers: FloatArray) -> bool:
        """Change two groups that form no pair. Returns whether any changed.

        A joint change that gains value and fits gains more in priced value than minus the price of the unused room.
        """
        changes = self._changes()
        rated = changes[0].astype(np.float64)
        for multiplier, change in zip(multipliers, changes[1:], strict=True):
            rated -= multiplier * change
        rated[self._starts + self._x] = -np.inf
        spare = float(multipliers @ (self._room - self._usage).astype(np.float64))
        least = -spare - 1e-9 * (spare + float(np.abs(changes[0]).max()))
        order = np.flatnonzero(rated + rated.max() >= least)
        order = order[np.argsort(-rated[order], kind="stable")]
        found: list[tuple[IntArray, IntArray, IntArray]] = []
        for first, second in _joint(rated[order], least):
            self._check_time()
            a, b = order[first], order[second]
            gain = changes[0, a] + changes[0, b]
            fits = (gain > 0) & ~self._joined[self._group[a], self._group[b]] & (self._group[a] != self._group[b])
            for change, usage, room in zip(changes[1:], self._usage, self._room, strict=True):
                fits &= change[a] + change[b] + usage <= room
            found.append((gain[fits], a[fits], b[fits]))
        if not found:
            return False
        gains, a, b = (np.concatenate(part) for part in zip(*found, strict=True))
        moved = False
        for i in np.argsort(-gains, kind="stable")[:_TRIALS]:
            moved |= self._exchange(int(a[i]), int(b[i]))
        return moved

    def _exchange(self, first: int, second: int) -> bool:
        """Change two groups that form no pair if that raises the value within all capacities. Returns whether."""
        options = np.array((first, second))
        groups = self._group[options]
        change = (self._beside[:, options] - self._beside[:, self._starts[groups] + self._x[groups]]).sum(axis=1)
        if change[0] <= 0 or (self._usage + change[1:] > self._room).any():
            return False
        to = options - self._starts[groups]
        if not self._peaks.allow(self._x, {int(g): int(at) for g, at in zip(groups, to, strict=True)}):
            return False
        self._move_to(first)
        self._move_to(second)
        return True

    def _candidates(self, g: int, multipliers: FloatArray) -> IntArray:
        changes = self._changes(g)
        rated = changes[0] - multipliers @ changes[1:]
        count = min(_CANDIDATES, len(rated))
        return np.sort(np.argpartition(-rated, count - 1)[:count])


def _joint(rated: FloatArray, least: float) -> Iterator[tuple[IntArray, IntArray]]:
    """Chunks of the pairs (i, j), i < j, with rated[i] + rated[j] >= `least`, for falling `rated`.

    If there are more than `_PAIRS`, only those among the first entries.
    """
    places = np.arange(len(rated))
    # for each i, the number of j that reach `least` with it
    reach = np.searchsorted(-rated, rated - least, side="right")
    partners = np.maximum(reach - places - 1, 0)
    if int(partners.sum()) > _PAIRS:
        partners = np.minimum(partners, np.maximum(int((2 * _PAIRS) ** 0.5) - places - 1, 0))
    ends = np.cumsum(partners)
    start = 0
    while start < len(rated) and partners[start:].any():
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + _CHUNK, side="right")), start + 1)
        part = partners[start:stop]
        first = np.repeat(places[start:stop], part)
        second = first + 1 + np.arange(len(first)) - np.repeat(ends[start:stop] - part - before, part)
        yield first, second
        start = stop
