"""Which options of smaller members of a family may lie within which options of larger ones.

Options of a group without dimensions are ordered by their index. Those of a group with dimensions have a partial order,
which is looked up in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, IntArray
from reds_core.knapsack.levels import Nesting
from reds_core.knapsack.problem import KnapsackProblem, Restricted


@dataclass(frozen=True, eq=False)
class Separator:
    """A set of options of one group that separates two options.

    If an option of a smaller member is in the set, those of all larger members are too.

    Attributes:
        options: which options are in the set, bool (options,).
        is_shared: whether the members have options in the set either all or not at all.
        width: how far apart the two options are, at least 1.
    """

    options: BoolArray
    is_shared: bool
    width: int


class FamilyOrder:
    """The order of the options of each group.

    Args:
        problem: one of the problems of the family.
    """

    def __init__(self, problem: KnapsackProblem) -> None:
        self._groups = problem.groups
        self._nesting = problem.nesting
        self._tables = [None if g.levels is None else problem.within(i) for i, g in enumerate(problem.groups)]

    def above(self, group: int, options: IntArray) -> BoolArray:
        """Which options of a larger member contain at least one of `options`, bool (options of the group,)."""
        table = self._tables[group]
        found: BoolArray
        if table is None:
            found = np.greater_equal(np.arange(self._groups[group].options), options.min())
        else:
            found = np.any(table[options], axis=0)
        return found

    def below(self, group: int, options: IntArray) -> BoolArray:
        """Which options of a smaller member lie within at least one of `options`, bool (options of the group,)."""
        table = self._tables[group]
        found: BoolArray
        if table is None:
            found = np.less_equal(np.arange(self._groups[group].options), options.max())
        else:
            found = np.any(table[:, options], axis=1)
        return found

    def around(self, smaller: Sequence[int] | None, larger: Sequence[int] | None) -> list[BoolArray]:
        """The options that contain those of `smaller` and lie within those of `larger`.

        Args:
            smaller, larger: one option index for each group, or None for no restriction.

        Returns:
            bool (options,) for each group.
        """
        allowed = [np.ones(g.options, np.bool_) for g in self._groups]
        for g, mask in enumerate(allowed):
            if smaller is not None:
                mask &= self.above(g, np.array([smaller[g]]))
            if larger is not None:
                mask &= self.below(g, np.array([larger[g]]))
        return allowed

    def nested(self, inner: IntArray, outer: IntArray) -> BoolArray:
        """Whether choices of a smaller member lie within choices of a larger one.

        Args:
            inner: choices, int64 (n, groups).
            outer: choices, int64 (m, groups).

        Returns:
            bool (m, n).
        """
        plain = np.array([table is None for table in self._tables])
        if not plain.all():
            inner_plain, outer_plain = inner[:, plain], outer[:, plain]
        else:
            inner_plain, outer_plain = inner, outer
        fits: BoolArray = np.all(np.less_equal(inner_plain[None], outer_plain[:, None]), axis=2)
        for g, table in enumerate(self._tables):
            if table is not None:
                fits &= table[inner[None, :, g], outer[:, None, g]]
        return fits

    def cut(self, group: int, inner: int, outer: int) -> Separator | None:
        """A set that contains option `inner` of a smaller member, but not option `outer` of a larger one.

        It lies halfway between the two in the dimension in which they are furthest apart.

        Returns:
            None if `inner` may lie within `outer`.
        """
        own = self._groups[group]
        if own.levels is None:
            return _upper(np.arange(own.options), inner, outer)
        cuts = []
        for dimension, column in zip(own.dimensions, own.levels.T, strict=True):
            nesting = self._nesting[dimension.what]
            ranks = np.unique(column, return_inverse=True)[1].reshape(-1)
            if nesting is Nesting.RISING:
                cuts.append(_upper(ranks, inner, outer))
            elif nesting is Nesting.EQUAL:
                cuts.append(_apart(ranks, inner, outer))
        return max((each for each in cuts if each is not None), key=lambda each: each.width, default=None)


def _upper(ranks: IntArray, inner: int, outer: int) -> Separator | None:
    """The options of high ranks, if that of `inner` is above that of `outer`."""
    low, high = int(ranks[outer]), int(ranks[inner])
    return Separator(ranks >= (low + high + 1) // 2, False, high - low) if high > low else None


def _apart(ranks: IntArray, inner: int, outer: int) -> Separator | None:
    """The options whose ranks are on the side of `inner`, if its rank is another than that of `outer`."""
    upper = _upper(ranks, inner, outer)
    if upper is not None:
        return Separator(upper.options, True, upper.width)
    lower = _upper(ranks, outer, inner)
    return None if lower is None else Separator(~lower.options, True, lower.width)


def limited(problem: KnapsackProblem, allowed: Sequence[BoolArray]) -> Restricted | None:
    """The problem in which each group has only the allowed options; None if a group has none.

    A problem of widths alone whose allowed options form ranges keeps all options and gets floors and ceilings, because
    some solvers and rules refer to the full width.

    Args:
        problem: the problem.
        allowed: which options each group may have, bool (options,). Its floors and ceilings hold as well.
    """
    kept = [
        low + np.flatnonzero(mask[low : high + 1])
        for mask, low, high in zip(allowed, problem.floors, problem.ceilings, strict=True)
    ]
    if not all(options.size for options in kept):
        return None
    are_ranges = all(len(options) == options[-1] - options[0] + 1 for options in kept)
    if problem.has_levels or not are_ranges:
        return problem.restricted(kept)
    bounded = problem.with_bounds([int(options[0]) for options in kept], [int(options[-1]) for options in kept])
    return Restricted(bounded, tuple(np.arange(g.options) for g in problem.groups))
