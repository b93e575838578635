"""Choices that contain what is decided of a part of a network, such as the part that an early exit needs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reds_core.arrays import BoolArray
from reds_core.knapsack.families.anchoring import MemberSolution, Solve, choose_among
from reds_core.knapsack.levels import WIDTH, Dimension, Nesting
from reds_core.knapsack.problem import Group, KnapsackProblem


def choose_containing(problem: KnapsackProblem, decided: Mapping[Dimension, int], solve: Solve) -> MemberSolution:
    """Return the best choice of `problem` that contains the levels of smaller members, and the bound without them.

    Unlike `choose_above`, it takes members of other networks, which share some groups and layers with this one.

    Args:
        problem: the problem.
        decided: the levels of smaller members, of which the widths of groups are those of the dimension `width`. What
            is not named is not restricted.
        solve: any solver.

    Raises:
        InfeasibleError: if there is no such choice.
        NoChoiceError: if the solver stopped before it found one.
    """
    return choose_among(problem, [_containing(problem, group, decided) for group in problem.groups], solve)


def _containing(problem: KnapsackProblem, group: Group, decided: Mapping[Dimension, int]) -> BoolArray:
    """Return which options of a group contain the levels that are decided, bool (options,)."""
    allowed = np.ones(group.options, np.bool_)
    if group.levels is None:
        columns = {Dimension(group.name, WIDTH): group.widths}
    else:
        columns = dict(zip(group.dimensions, group.levels.T, strict=True))
    for dimension, levels in columns.items():
        if dimension in decided:
            nesting = problem.nesting.get(dimension.what, Nesting.RISING)
            allowed &= nesting.allows(np.array(decided[dimension]), levels)
    return allowed
