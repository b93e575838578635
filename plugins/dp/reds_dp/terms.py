"""The terms of a problem in exact integers by bucket, and the rows of the tables of a bucket in given states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.knapsack import KnapsackProblem
from reds_core.knapsack.compiled import address
from reds_core.knapsack.inference import Factors, MaxSum, Messages

Columns = Mapping[int, IntArray]
"""For each open group, the position of its option in each state, int64 (states,)."""


class ExactTerms:
    """Value and usage in int64: for each bucket, what an option of its group adds.

    Args:
        problem: the problem.
        factors: the remaining options, and the masks of peak steps; steps without a mask are checked here.
        sweeps: the sweeps that define the buckets.
    """

    def __init__(self, problem: KnapsackProblem, factors: Factors, sweeps: MaxSum) -> None:
        kept = factors.kept
        rank = {g: i for i, g in enumerate(sweeps.processing)}
        resources = problem.sum_resources
        self.rows = 1 + len(resources)
        self._rank = rank
        self._unary: list[IntArray] = []
        self._stacks: list[IntArray] = []
        self._pairs: list[list[tuple[int, IntArray]]] = [[] for _ in kept]
        for g, group in enumerate(problem.groups):
            stack = np.zeros((self.rows, len(kept[g])), np.int64)
            for row, table in enumerate([group.values, *(r.costs[g] for r in resources)]):
                if table is not None:
                    stack[row] = table[kept[g]]
            self._unary.append(stack)
        for k, pair in enumerate(problem.pairs):
            a, b = pair.first, pair.second
            stack = np.zeros((self.rows, len(kept[a]), len(kept[b])), np.int64)
            for row, term in enumerate(problem.pair_terms[k]):
                if term is not None:
                    stack[row] = term.block(kept[a], kept[b])
            if rank[a] > rank[b]:
                a, b, stack = b, a, stack.transpose(0, 2, 1)
            self._pairs[b].append((a, stack))
            self._stacks.append(stack)
        self._steps = _open_steps(problem, factors, rank)
        self._masks = len(factors.masks)

    def added(self, g: int, columns: Columns, states: int) -> IntArray:
        """The value and usage that each option of `g` adds in each state, int64 (rows, states, options of g)."""
        total = np.broadcast_to(self._unary[g][:, None, :], (self.rows, states, self._unary[g].shape[1]))
        for a, stack in self._pairs[g]:
            total = total + stack[:, columns[a], :]
        return total

    def allowed(self, g: int, columns: Columns) -> BoolArray | None:
        """Which options of `g` the peak steps that end with it allow in each state.

        Returns:
            bool (states, options of g), or None if all are allowed.
        """
        result: BoolArray | None = None
        for others, costs, own, spare in self._steps.get(g, ()):
            before = reduce(np.add, (c[columns[a]] for a, c in zip(others, costs, strict=True)))
            fits = before[:, None] + own[None, :] <= spare
            result = fits if result is None else result & fits
        return result

    def tables(self) -> tuple[IntArray | None, ...]:
        """The tables of all terms of the sweeps for compiled code, contiguous; None for the masks."""
        stacks = (np.ascontiguousarray(stack) for stack in (*self._unary, *self._stacks))
        return (*stacks, *(None for _ in range(self._masks)))

    def peak_steps(self) -> tuple[IntArray, list[IntArray]]:
        """The peak steps that are checked state by state for compiled code, and the arrays that it refers to."""
        code: list[int] = []
        held: list[IntArray] = []
        for g in self._rank:
            steps = self._steps.get(g, ())
            code.append(len(steps))
            for others, costs, own, spare in steps:
                arrays = [np.ascontiguousarray(c) for c in (own, *costs)]
                held += arrays
                code += [spare, address(arrays[0]), len(others)]
                for a, array in zip(others, arrays[1:], strict=True):
                    code += [self._rank[a], address(array)]
        return np.array(code, dtype=np.int64), held

    @property
    def open_scopes(self) -> list[tuple[int, ...]]:
        """The groups of each peak step that is checked state by state."""
        return [(*others, g) for g, steps in self._steps.items() for others, _, _, _ in steps]


_Step = tuple[tuple[int, ...], tuple[IntArray, ...], IntArray, int]


def _open_steps(problem: KnapsackProblem, factors: Factors, rank: Mapping[int, int]) -> dict[int, list[_Step]]:
    """Peak steps over two or more groups without a mask in `factors`, by the group that is processed last."""
    covered = {m.scope for m in factors.masks}
    found: dict[int, list[_Step]] = {}
    for resource in problem.peak_resources:
        for step in resource.steps:
            if len(step.groups) < 2 or tuple(sorted(step.groups)) in covered:
                continue
            costs = {
                g: np.zeros(len(factors.kept[g]), np.int64) if c is None else c[factors.kept[g]]
                for g, c in zip(step.groups, step.costs, strict=True)
            }
            spare = resource.capacity - step.base
            if sum(int(c.max()) for c in costs.values()) <= spare:
                continue
            *others, last = sorted(step.groups, key=rank.__getitem__)
            entry = (tuple(others), tuple(costs[a] for a in others), costs[last], spare)
            found.setdefault(last, []).append(entry)
    return found


def distinct(columns: Sequence[IntArray], sizes: Sequence[int], states: int) -> tuple[IntArray, list[IntArray]]:
    """Number the distinct rows of `columns`.

    Args:
        columns: positions, int64 (states,) each.
        sizes: exclusive upper bounds of the columns.
        states: number of states.

    Returns:
        The number of each state, int64 (states,), and the columns of the distinct states.
    """
    numbers = np.zeros(states, np.int64)
    representatives = np.zeros(min(states, 1), np.int64)
    for column, size in zip(columns, sizes, strict=True):
        key = numbers * size + column
        _, representatives, numbers = np.unique(key, return_index=True, return_inverse=True)
    return numbers, [c[representatives] for c in columns]


def bucket_rows(sweeps: MaxSum, g: int, messages: Messages, columns: Columns, states: int) -> FloatArray:
    """The loss of each option of `g` against the best of its bucket in each state, float64 (states, options, k)."""
    table = sweeps.rows(g, messages, columns, states)
    at: tuple[slice | IntArray, ...] = (slice(None), *(columns[a] for a in sweeps.separators[g]))
    best = messages.upward[g][at]
    if best.ndim == 1:
        best = best[:, None]
    losses: FloatArray = np.ascontiguousarray((best[:, :, None] - table).transpose(1, 2, 0))
    return losses
