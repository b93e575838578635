"""The steps of peak resources during a local search: which changes of single groups they allow, and by how much a
choice exceeds them.

All costs lie in one array of entries: for each step, for each of its groups, for each kept option of the group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.knapsack.problem import KnapsackProblem


class PeakSteps:
    """The steps that some choice exceeds.

    Args:
        problem: the problem.
        kept: for each group, the option indices that may be used, int64 (positions,).
        starts: for each group, the index of its first option among the options of all groups, int64 (groups,).
    """

    def __init__(self, problem: KnapsackProblem, kept: Sequence[IntArray], starts: IntArray) -> None:
        spare: list[int] = []
        scales: list[float] = []
        member_step: list[int] = []
        member_group: list[int] = []
        costs: list[IntArray] = []
        self._members_of: list[list[int]] = [[] for _ in kept]
        for resource in problem.peak_resources:
            for step in resource.steps:
                own = {g: c[kept[g]] for g, c in zip(step.groups, step.costs, strict=True) if c is not None}
                room = resource.capacity - step.base
                if sum(int(c.max()) for c in own.values()) <= room:
                    continue
                for g, cost in own.items():
                    self._members_of[g].append(len(costs))
                    member_step.append(len(spare))
                    member_group.append(g)
                    costs.append(cost)
                spare.append(room)
                scales.append(max(float(abs(resource.capacity)), 1.0))
        self._spare = np.array(spare, dtype=np.int64)
        self._scales = np.array(scales, dtype=np.float64)
        self._step = np.array(member_step, dtype=np.int64)
        self._group = np.array(member_group, dtype=np.int64)
        self._costs = costs
        sizes = np.array([len(c) for c in costs], dtype=np.int64)
        self._flat = np.concatenate(costs) if costs else np.zeros(0, np.int64)
        self._first = np.cumsum(sizes) - sizes
        self._member = np.repeat(np.arange(len(costs)), sizes)
        place = np.arange(len(self._flat)) - np.repeat(self._first, sizes)
        self._option = np.repeat(starts[self._group], sizes) + place if costs else np.zeros(0, np.int64)

    def _held(self, at: IntArray) -> tuple[IntArray, IntArray]:
        """The usage of each step at the positions `at`, int64 (steps,), and what each member adds, int64 (members,)."""
        added = self._flat[self._first + at[self._group]]
        held = np.zeros(len(self._spare), np.int64)
        np.add.at(held, self._step, added)
        return held, added

    def exclude(self, at: IntArray, fits: BoolArray, g: int | None) -> None:
        """Clear the entries of `fits` whose option exceeds a step, while all other groups stay.

        Args:
            at: the position of each group, int64 (groups,).
            fits: bool (options of `g`,), or (options of all groups,) if `g` is None.
            g: the group that may change, or None for any single group.
        """
        if not self._costs or (g is not None and not self._members_of[g]):
            return
        held, added = self._held(at)
        if g is not None:
            for member in self._members_of[g]:
                step = self._step[member]
                fits &= self._costs[member] <= self._spare[step] - held[step] + added[member]
            return
        others = held[self._step] - added
        over = self._flat + others[self._member] > self._spare[self._step][self._member]
        fits[self._option[over]] = False
        # a step that is exceeded now is exceeded by every change of a group that it does not contain
        for step in np.flatnonzero(held > self._spare):
            inside = np.zeros(len(fits), np.bool_)
            inside[self._option[self._step[self._member] == step]] = True
            fits &= inside

    def excess(self, at: IntArray, options: int | None) -> FloatArray:
        """The usage above what the steps allow, relative to their capacities.

        Args:
            at: the position of each group, int64 (groups,).
            options: the number of options of all groups, or None.

        Returns:
            float64 (1,) for the positions `at`, or (options,) for each change of a single group.
        """
        if not self._costs:
            return np.zeros(1)
        held, added = self._held(at)
        over = np.maximum(held - self._spare, 0) / self._scales
        if options is None:
            return np.array([over.sum()])
        step = self._step[self._member]
        changed = self._flat + (held[self._step] - added)[self._member]
        change = np.maximum(changed - self._spare[step], 0) / self._scales[step] - over[step]
        result: FloatArray = over.sum() + np.bincount(self._option, weights=change, minlength=options)
        return result

    def allow(self, at: IntArray, changes: Mapping[int, int]) -> bool:
        """Whether all steps are kept when the groups in `changes` move to the given positions."""
        members = {m for g in changes for m in self._members_of[g]}
        if not members:
            return True
        moved = at.copy()
        for g, to in changes.items():
            moved[g] = to
        held, _ = self._held(moved)
        steps = self._step[sorted(members)]
        return bool((held[steps] <= self._spare[steps]).all())
