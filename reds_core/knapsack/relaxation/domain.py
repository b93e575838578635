"""The remaining options of each group and joint choices of each pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, IntArray, Table
from reds_core.knapsack.problem import KnapsackProblem


@dataclass(frozen=True, eq=False)
class Domain:
    """A subset of the choices of a problem. A position is an index into the remaining options of a group.

    Attributes:
        options: for each group, the remaining option indices in rising order, int64 (positions,).
        cells: for each pair, the remaining joint choices, bool (positions of first, positions of second).
        ends: for each pair, the indices of its two groups.
    """

    options: tuple[IntArray, ...]
    cells: tuple[BoolArray, ...]
    ends: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, problem: KnapsackProblem) -> Domain:
        """All choices within floors and ceilings. No floor may be above its ceiling."""
        options = tuple(np.arange(low, high + 1) for low, high in zip(problem.floors, problem.ceilings, strict=True))
        ends = tuple((p.first, p.second) for p in problem.pairs)
        return cls(options, tuple(np.ones((options[a].size, options[b].size), np.bool_) for a, b in ends), ends)

    @property
    def size(self) -> int:
        """The number of remaining options plus the number of remaining joint choices."""
        return sum(o.size for o in self.options) + sum(int(np.count_nonzero(c)) for c in self.cells)

    def of_groups(self, tables: Sequence[Table]) -> list[Table]:
        """One table for each group, restricted to the remaining options."""
        return [None if t is None else t[o] for t, o in zip(tables, self.options, strict=True)]

    def of_pairs(self, tables: Sequence[Table]) -> list[Table]:
        """One table for each pair, restricted to the remaining options. Entries of dropped cells stay in place."""
        return [
            None if t is None else t[np.ix_(self.options[a], self.options[b])]
            for t, (a, b) in zip(tables, self.ends, strict=True)
        ]

    def narrowed(self, keep: Sequence[BoolArray], cells: Sequence[BoolArray]) -> Domain | None:
        """Drop what the masks exclude, and then every option without a partner in one of its pairs.

        Args:
            keep: for each group, bool (positions,).
            cells: for each pair, bool (positions of first, positions of second).

        Returns:
            The smaller domain, or None if a group has no option left.
        """
        kept = [k.copy() for k in keep]
        left = [old & new for old, new in zip(self.cells, cells, strict=True)]
        settled = False
        while not settled:
            settled = True
            for mask, (a, b) in zip(left, self.ends, strict=True):
                mask &= np.logical_and.outer(kept[a], kept[b])
                for group, axis in ((a, 1), (b, 0)):
                    supported = mask.any(axis=axis)
                    if np.any(kept[group] & ~supported):
                        kept[group] &= supported
                        settled = False
        if not all(k.any() for k in kept):
            return None
        options = tuple(o[k] for o, k in zip(self.options, kept, strict=True))
        compact = tuple(m[np.ix_(kept[a], kept[b])] for m, (a, b) in zip(left, self.ends, strict=True))
        return Domain(options, compact, self.ends)

    def holds(self, choice: Sequence[int]) -> bool:
        """Whether every option and joint choice of `choice` remains."""
        positions = [int(np.searchsorted(o, i)) for o, i in zip(self.options, choice, strict=True)]
        if any(p >= o.size or o[p] != i for p, o, i in zip(positions, self.options, choice, strict=True)):
            return False
        return all(bool(m[positions[a], positions[b]]) for m, (a, b) in zip(self.cells, self.ends, strict=True))

    def choice(self, positions: Sequence[int]) -> tuple[int, ...]:
        """The option indices at `positions`, which holds one position for each group."""
        return tuple(int(o[p]) for o, p in zip(self.options, positions, strict=True))
