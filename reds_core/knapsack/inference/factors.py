"""The terms of a problem as float arrays, for weighted sums of value and costs.

Row 0 of every stack is the value, and row 1 + r the usage of the r-th sum resource. One matrix product therefore turns
weights (w_0, ..., w_R) into tables of w_0 V(x) + sum_r w_r usage_r(x). Peak resources become masks of allowed entries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np
import numpy.typing as npt

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.knapsack.compiled.program import Program
from reds_core.knapsack.inference.elimination import Scope
from reds_core.knapsack.pair_terms import ALL
from reds_core.knapsack.problem import KnapsackProblem, PeakStep

FORBIDDEN = -1e200
"""Represents minus infinity in float tables. It is finite, so that sums and differences stay defined."""

POSSIBLE = -1e190
"""Sums above this contain no forbidden entry."""


@dataclass(frozen=True, eq=False)
class Factor:
    """The terms over one group or one pair of groups.

    Attributes:
        scope: the groups, one for each option axis of `stack`.
        stack: float64 (1 + sum resources, options of each group in `scope`).
    """

    scope: Scope
    stack: FloatArray


@dataclass(frozen=True, eq=False)
class Mask:
    """The joint options that peak resources allow: bool, with one axis for each group of `scope`."""

    scope: Scope
    allowed: BoolArray


@dataclass(frozen=True, eq=False)
class Factors:
    """All terms of a problem over the kept options.

    Attributes:
        kept: for each group, the remaining option indices in rising order, int64.
        unary: one factor for each group, in the order of the problem.
        pairs: one factor for each pair, in the order of the problem.
        masks: the entries that peak resources allow, each over two or more groups.
        room: capacity - base of each sum resource, float64 (sum resources,).
        magnitudes: for each row of the stacks, an upper bound on the absolute value of its partial sums, float64
            (rows,).
        programs: these tables as compiled code reads them, by the identity of the code of an elimination order.
    """

    kept: tuple[IntArray, ...]
    unary: tuple[Factor, ...]
    pairs: tuple[Factor, ...]
    masks: tuple[Mask, ...]
    room: FloatArray
    magnitudes: FloatArray
    programs: dict[int, Program] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number of remaining options of each group."""
        return tuple(len(k) for k in self.kept)

    @property
    def rows(self) -> int:
        """The number of rows of every stack: one for the value and one for each sum resource."""
        return len(self.room) + 1

    @property
    def nbytes(self) -> int:
        """The memory of all stacks and masks in bytes."""
        return sum(f.stack.nbytes for f in (*self.unary, *self.pairs)) + sum(m.allowed.nbytes for m in self.masks)

    def restrict(self, keep: Sequence[BoolArray | IntArray]) -> Factors:
        """The factors over a subset of the options.

        Args:
            keep: for each group, a bool mask over the remaining options, or indices into them.
        """
        index = [np.flatnonzero(k) if k.dtype == np.bool_ else k for k in keep]
        if all(len(i) == n for i, n in zip(index, self.sizes, strict=True)):
            return self
        whole = [len(i) == n for i, n in zip(index, self.sizes, strict=True)]

        def cut(array: npt.NDArray[np.generic], scope: Scope, offset: int) -> npt.NDArray[np.generic]:
            for axis, g in enumerate(scope, offset):
                if not whole[g]:
                    array = array.take(index[g], axis)
            return array

        def cut_factor(factor: Factor) -> Factor:
            return Factor(factor.scope, cut(factor.stack, factor.scope, 1))  # type: ignore[arg-type]

        return Factors(
            tuple(k[i] for k, i in zip(self.kept, index, strict=True)),
            tuple(cut_factor(f) for f in self.unary),
            tuple(cut_factor(f) for f in self.pairs),
            tuple(Mask(m.scope, cut(m.allowed, m.scope, 0)) for m in self.masks),  # type: ignore[arg-type]
            self.room,
            self.magnitudes,
        )

    def margin(self, weights: FloatArray) -> FloatArray:
        """An upper bound on the rounding error of weighted sums of terms in float64, including messages.

        Each of the at most `operations` roundings in a sum adds at most one unit roundoff of the largest partial sum.
        The factor 16 covers second-order terms, differences of messages, and the rounding of this bound itself.

        Args:
            weights: float64 (k, rows).

        Returns:
            float64 (k,).
        """
        operations = self.rows + 2 * (len(self.unary) + len(self.pairs) + len(self.masks))
        margin: FloatArray = 16.0 * operations * np.finfo(np.float64).eps * (np.abs(weights) @ self.magnitudes)
        return margin


def _magnitude(table: IntArray | None) -> float:
    return 0.0 if table is None else max(abs(float(table.max())), abs(float(table.min())))


def _step_options(problem: KnapsackProblem, step: PeakStep, kept: Sequence[IntArray]) -> list[IntArray]:
    """For each group of `step`, the exact cost of each kept option, int64 (positions,)."""
    return [
        np.zeros(len(kept[g]), np.int64) if c is None else c[kept[g]]
        for g, c in zip(step.groups, step.costs, strict=True)
    ]


def possible_options(problem: KnapsackProblem) -> tuple[IntArray, ...] | None:
    """For each group, the options within floor and ceiling that no single step of a peak resource excludes.

    Returns:
        int64 option indices, or None if a group has none left or a step exceeds its capacity with every choice.
    """
    kept = [np.arange(low, high + 1) for low, high in zip(problem.floors, problem.ceilings, strict=True)]
    if any(r.capacity < 0 for r in problem.peak_resources if not r.steps):
        return None
    changed = all(len(k) for k in kept)
    while changed:
        changed = False
        for resource in problem.peak_resources:
            for step in resource.steps:
                costs = _step_options(problem, step, kept)
                least = [int(c.min()) for c in costs]
                spare = resource.capacity - step.base - sum(least)
                if spare < 0:
                    return None
                for g, cost, low in zip(step.groups, costs, least, strict=True):
                    fits = cost <= spare + low
                    if not fits.all():
                        kept[g] = kept[g][fits]
                        changed = True
    return tuple(kept) if all(len(k) for k in kept) else None


def peak_masks(
    problem: KnapsackProblem, kept: Sequence[IntArray], largest: int, scopes: Sequence[Scope] | None = None
) -> tuple[Mask, ...]:
    """The masks of peak steps over two or more groups. Masks that forbid nothing are left out.

    Args:
        problem: the problem.
        kept: for each group, the remaining option indices.
        largest: the largest number of entries of a mask. The caller must check larger steps in another way.
        scopes: the sets of groups to build masks for, each sorted; None for all.
    """
    masks: dict[Scope, BoolArray] = {}
    for resource in problem.peak_resources:
        for step in resource.steps:
            scope = tuple(sorted(step.groups))
            entries = float(np.prod([float(len(kept[g])) for g in scope]))
            if len(scope) < 2 or entries > largest or (scopes is not None and scope not in scopes):
                continue
            by_group = dict(zip(step.groups, _step_options(problem, step, kept), strict=True))
            costs = [by_group[g] for g in scope]
            spare = resource.capacity - step.base
            if sum(int(c.max()) for c in costs) <= spare:
                continue
            allowed = reduce(np.add.outer, costs) <= spare
            masks[scope] = masks[scope] & allowed if scope in masks else allowed
    return tuple(Mask(scope, allowed) for scope, allowed in masks.items())


def table_bytes(problem: KnapsackProblem, sizes: Sequence[int]) -> int:
    """The memory of the stacks of `build_factors` in bytes. Nothing is allocated.

    Args:
        problem: the problem.
        sizes: number of options of each group.
    """
    cells = sum(sizes) + sum(sizes[p.first] * sizes[p.second] for p in problem.pairs)
    return cells * (1 + len(problem.sum_resources)) * np.dtype(np.float64).itemsize


def unchecked() -> None:
    """Do nothing: the time check if there is no time limit."""


def build_factors(
    problem: KnapsackProblem,
    kept: Sequence[IntArray] | None = None,
    masks: Sequence[Mask] = (),
    rank: Sequence[int] | None = None,
    check_time: Callable[[], None] = unchecked,
) -> Factors:
    """The terms of `problem` over some of its options.

    Args:
        problem: the problem; its value and its sum resources become stacks.
        kept: for each group, at least one option index, in rising order; None for all within floors and ceilings.
        masks: masks over the options in `kept`, as returned by `peak_masks`.
        rank: rank of each group. The axes of each pair's stack are then in the order of rising rank, which saves copies
            if max-sum uses the same order. None keeps the order of the pair.
        check_time: called between tables; may raise an exception to stop.
    """
    if kept is None:
        kept = [np.arange(low, high + 1) for low, high in zip(problem.floors, problem.ceilings, strict=True)]
    whole = [len(k) == g.options for k, g in zip(kept, problem.groups, strict=True)]
    resources = problem.sum_resources
    rows = 1 + len(resources)
    magnitudes = np.zeros(rows)
    unary, pairs = [], []
    for g, group in enumerate(problem.groups):
        stack = np.zeros((rows, len(kept[g])))
        for row, table in enumerate([group.values, *(r.costs[g] for r in resources)]):
            if table is not None:
                stack[row] = table[kept[g]]
                magnitudes[row] += _magnitude(table)
        unary.append(Factor((g,), stack))
    for k, pair in enumerate(problem.pairs):
        a, b = pair.first, pair.second
        swapped = rank is not None and rank[a] > rank[b]
        if swapped:
            a, b = b, a
        stack = np.empty((rows, len(kept[a]), len(kept[b])))
        options = (ALL if whole[a] else kept[a], ALL if whole[b] else kept[b])
        for row, given in enumerate(problem.pair_terms[k]):
            check_time()
            if given is None:
                stack[row] = 0.0
                continue
            term = given.turned if swapped else given
            term.floats(*options, out=stack[row])
            magnitudes[row] += float(term.magnitude(*options))
        pairs.append(Factor((a, b), stack))
    room = np.array([float(r.capacity - r.base) for r in resources])
    magnitudes[1:] += np.abs(room)
    return Factors(tuple(np.asarray(k) for k in kept), tuple(unary), tuple(pairs), tuple(masks), room, magnitudes)
