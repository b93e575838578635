"""Greedy construction and local search on one choice, with all candidate moves evaluated at once.

Sum resources and the steps of peak resources are both rows: linear constraints with a capacity. For every option, the
search keeps the value and the cost that the option would have while all other groups stay, so that the effect of a move
is one subtraction. While a row exceeds its capacity, the search removes violation at the least loss of value. After
that, it takes the best value for its cost, where scarce resources cost more (Toyoda 1975, doi:10.1287/mnsc.21.12.1417).
If no single move helps, it changes two groups at once. If that does not help either and rows are still violated, their
weights are doubled (breakout, Morris 1993, AAAI-93).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.knapsack import KnapsackProblem, PairTerm, PeakStep

REACH = 16
"""Moves go up to this many strides up or down; strides halve from the coarsest, which spans all options, to 1."""

BREAKOUTS = 64
"""The number of times that the weights of violated rows are doubled before the search is given up."""


class GreedySearch:
    """Local search from one start.

    Args:
        problem: the problem.
        start: option indices to start from; they need not be feasible.
        deadline: `time.perf_counter()` at which to stop; infinite for no time limit.

    Attributes:
        choice: the option index of each group, int64 (groups,).
        value: V(choice).
    """

    def __init__(self, problem: KnapsackProblem, start: Sequence[int], deadline: float) -> None:
        counts = np.array([g.options for g in problem.groups])
        self.deadline = deadline
        self.floors, self.ceilings = np.array(problem.floors), np.array(problem.ceilings)
        self.choice: IntArray = np.clip(np.array(start, np.int64), self.floors, self.ceilings)
        self.first: IntArray = np.cumsum(counts) - counts  # column of each group's option 0
        self.group: IntArray = np.repeat(np.arange(len(counts)), counts)  # group of each column
        levels = max(int(np.ceil(np.log2(max(counts.max() - 1, 1) / REACH))), 0)
        self.strides = [2**level for level in range(levels, -1, -1)]
        self._lay_rows(problem)
        self._join(problem)
        self.common: dict[tuple[int, int], tuple[IntArray, IntArray, IntArray]] = {}
        spread = np.zeros(len(self.capacity))
        for g in range(len(counts)):
            np.add.at(spread, self.rows[:, g], np.ptp(self.cost[:, self._block(g)].astype(np.float64), axis=1))
        self.weight: FloatArray = 1 / np.maximum(spread, 1)

    def _lay_rows(self, problem: KnapsackProblem) -> None:
        """Set up rows, costs and values without pair terms, and the usage of each row.

        The rows of each group, `rows` (rows of a group, groups), begin with the sum resources in order. Groups in fewer
        rows than others are padded with an idle row, which is the last one.
        """
        sums = problem.sum_resources
        steps = [(r.capacity, s) for r in problem.peak_resources for s in r.steps or (PeakStep(0),)]
        idle = len(sums) + len(steps)
        self.capacity: IntArray = np.array([*(r.capacity for r in sums), *(c for c, _ in steps), 0], np.int64)
        self.usage: IntArray = np.array([*(r.base for r in sums), *(s.base for _, s in steps), 0], np.int64)
        of_group = [[(row, r.costs[g]) for row, r in enumerate(sums)] for g in range(len(problem.groups))]
        for row, (_, step) in enumerate(steps, len(sums)):
            for g, costs in zip(step.groups, step.costs, strict=True):
                of_group[g].append((row, costs))
        depth = max(len(entries) for entries in of_group)
        self.rows: IntArray = np.full((depth, len(of_group)), idle, np.int64)
        self.cost: IntArray = np.zeros((depth, len(self.group)), np.int64)
        self.values: IntArray = np.concatenate([g.values for g in problem.groups])
        for g, entries in enumerate(of_group):
            for i, (row, costs) in enumerate(entries):
                self.rows[i, g] = row
                self.cost[i, self._block(g)] = 0 if costs is None else costs
                self.usage[row] += self.cost[i, self.first[g] + self.choice[g]]
        self.value = int(self.values[self.first + self.choice].sum())

    def _join(self, problem: KnapsackProblem) -> None:
        """Add the pair terms, each as value or cost of an option given the present option of the other group."""
        self.joined: dict[tuple[int, int], list[tuple[int | None, PairTerm]]] = {}
        self.neighbours: list[list[int]] = [[] for _ in problem.groups]
        for k, pair in enumerate(problem.pairs):
            a, b = pair.first, pair.second
            added = enumerate(problem.pair_terms[k])
            terms = [(row - 1 if row else None, term) for row, term in added if term is not None]
            self.joined[a, b] = terms
            self.joined[b, a] = [(row, term.turned) for row, term in terms]
            self.neighbours[a].append(b)
            self.neighbours[b].append(a)
            for row, term in terms:
                i, j = int(self.choice[a]), int(self.choice[b])
                self._target(row)[self._block(a)] += term.turned.row(j)
                self._target(row)[self._block(b)] += term.row(i)
                if row is None:
                    self.value += int(term.row(i)[j])
                else:
                    self.usage[row] += term.row(i)[j]

    def _block(self, g: int) -> slice:
        end = self.first[g + 1] if g + 1 < len(self.first) else len(self.group)
        return slice(int(self.first[g]), int(end))

    def _target(self, row: int | None) -> IntArray:
        return self.values if row is None else self.cost[row]

    @property
    def feasible(self) -> bool:
        """Whether every row is within its capacity."""
        return bool(np.all(self.usage <= self.capacity))

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return time.perf_counter() >= self.deadline

    def run(self) -> None:
        """Improve the choice until no move or exchange helps, or the deadline has passed."""
        for _ in range(BREAKOUTS):
            while self._climb() and not self.late:
                pass
            if self.feasible or self.late:
                return
            self.weight[self.usage > self.capacity] *= 2

    def _climb(self) -> bool:
        """Make single moves while they help, then one round of exchanges. Returns whether an exchange helped."""
        for stride in self.strides:
            while not self.late and self._move_one(stride):
                pass
        exchanged = False
        for stride in self.strides:
            for a, b in combinations(range(len(self.choice)), 2):
                if self.late:
                    return False
                exchanged |= self._exchange(a, b, stride)
        return exchanged

    def _move_one(self, stride: int) -> bool:
        """Make the best move of one group. Returns False if no move helps."""
        options = self.choice[:, None] + stride * np.arange(-REACH, REACH + 1)
        inside = (options >= self.floors[:, None]) & (options <= self.ceilings[:, None])
        columns = (self.first[:, None] + options)[inside]
        groups = self.group[columns]
        now = (self.first + self.choice)[groups]
        gain = self.values[columns] - self.values[now]
        merit = self._merit(gain, self.rows[:, groups], self.cost[:, columns] - self.cost[:, now], for_cost=True)
        best = int(merit.argmax())
        if merit[best] == -np.inf:
            return False
        self._move(int(groups[best]), int(columns[best] - self.first[groups[best]]))
        return True

    def _exchange(self, a: int, b: int, stride: int) -> bool:
        """Make the best joint move of two groups. Returns False if no move helps."""
        near_a, near_b = self._near(a, stride), self._near(b, stride)
        i, j = int(self.choice[a]), int(self.choice[b])
        at_a, at_b = self.first[a], self.first[b]
        value_a, value_b = self.values[self._block(a)][near_a], self.values[self._block(b)][near_b]
        gain = (value_a - self.values[at_a + i])[:, None] + (value_b - self.values[at_b + j])
        rows, place_a, place_b = self._common(a, b)
        delta = np.zeros((len(rows), *gain.shape), np.int64)
        delta[place_a] += (self.cost[:, self._block(a)][:, near_a] - self.cost[:, at_a + i, None])[:, :, None]
        delta[place_b] += (self.cost[:, self._block(b)][:, near_b] - self.cost[:, at_b + j, None])[:, None, :]
        for row, term in self.joined.get((a, b), ()):
            target = gain if row is None else delta[row]
            beside_a, beside_b = term.turned.row(j), term.row(i)
            target += term.block(near_a, near_b) - beside_a[near_a, None] - beside_b[near_b] + beside_b[j]
        merit = self._merit(gain, rows[:, None, None], delta, for_cost=False)
        best = int(merit.argmax())
        if merit.flat[best] == -np.inf:
            return False
        step_a, step_b = divmod(best, gain.shape[1])
        self._move(a, near_a.start + stride * step_a)
        self._move(b, near_b.start + stride * step_b)
        return True

    def _common(self, a: int, b: int) -> tuple[IntArray, IntArray, IntArray]:
        """The rows of two groups, and the places of the rows of each group among them."""
        if (a, b) not in self.common:
            both = np.concatenate((self.rows[:, a], self.rows[:, b]))
            rows, place = np.unique(both, return_inverse=True)
            self.common[a, b] = rows, place[: len(self.rows)], place[len(self.rows) :]
        return self.common[a, b]

    def _near(self, g: int, stride: int) -> slice:
        """The options of one group within reach."""
        now, low, high = int(self.choice[g]), int(self.floors[g]), int(self.ceilings[g])
        down, up = min(REACH, (now - low) // stride), min(REACH, (high - now) // stride)
        return slice(now - down * stride, now + up * stride + 1, stride)

    def _merit(self, gain: IntArray, rows: IntArray, delta: IntArray, for_cost: bool) -> FloatArray:
        """The merit of each candidate move; -inf if it is no improvement.

        Args:
            gain: the change of value, int64 (candidates...).
            rows: the affected rows, int64 (rows, candidates... or 1).
            delta: the change of their usage, int64 (rows, candidates...).
            for_cost: whether to divide a gain by the share of the room that it uses.
        """
        room = (self.capacity - self.usage)[rows]
        if not self.feasible:
            before, after = np.maximum(-room, 0), np.maximum(delta - room, 0)
            removed = (self.weight[rows] * (before - after)).sum(axis=0)
            helps = removed > 0
            rate = np.where(gain < 0, gain / np.where(helps, removed, 1), removed)
            return np.where(helps, rate, -np.inf)
        helps = (gain > 0) & np.all(delta <= room, axis=0)
        rate = gain.astype(np.float64)
        if for_cost:
            rate /= np.maximum((delta / (room + 1.0)).sum(axis=0), 1e-9)
        return np.where(helps, rate, -np.inf)

    def _move(self, g: int, option: int) -> None:
        """Choose another option for one group and update everything that depends on it."""
        old, self.choice[g] = int(self.choice[g]), option
        at = int(self.first[g])
        self.value += int(self.values[at + option] - self.values[at + old])
        self.usage[self.rows[:, g]] += self.cost[:, at + option] - self.cost[:, at + old]
        for other in self.neighbours[g]:
            for row, term in self.joined[g, other]:
                self._target(row)[self._block(other)] += term.row(option) - term.row(old)
