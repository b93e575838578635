"""Choices that nest with members of which a part is the same, such as those that end at other early exits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reds_core.arrays import BoolArray
from reds_core.errors import InfeasibleError
from reds_core.knapsack.families.anchoring import MemberSolution, Solve, choose_among
from reds_core.knapsack.families.order import limited
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
    return choose_among(problem, [_fitting(problem, group, decided, {}) for group in problem.groups], solve)


def between(
    problem: KnapsackProblem, smaller: Mapping[Dimension, int], larger: Mapping[Dimension, int]
) -> KnapsackProblem:
    """Return the problem with only the choices that nest with smaller and larger members, which may be parts of it.

    Args:
        problem: the problem.
        smaller: the levels that its choices have to contain, of which the widths of groups are those of the dimension
            `width`. What is not named is not restricted.
        larger: the levels that have to contain those of its choices, likewise.

    Raises:
        InfeasibleError: if a group has no such option.
    """
    allowed = [_fitting(problem, group, smaller, larger) for group in problem.groups]
    found = limited(problem, allowed)
    if found is None:
        names = ", ".join(g.name for g, options in zip(problem.groups, allowed, strict=True) if not options.any())
        raise InfeasibleError(
            f"no option of {names or 'a group'} in problem '{problem.name}' lies between those of the other members",
            "leave out the member above or below",
        )
    return found.problem


def _fitting(
    problem: KnapsackProblem, group: Group, smaller: Mapping[Dimension, int], larger: Mapping[Dimension, int]
) -> BoolArray:
    """Return which options of a group nest with the levels of smaller and of larger members, bool (options,)."""
    allowed = np.ones(group.options, np.bool_)
    if group.levels is None:
        columns = {Dimension(group.name, WIDTH): group.widths}
    else:
        columns = dict(zip(group.dimensions, group.levels.T, strict=True))
    for dimension, levels in columns.items():
        nesting = problem.nesting.get(dimension.what, Nesting.RISING)
        if dimension in smaller:
            allowed &= nesting.allows(np.array(smaller[dimension]), levels)
        if dimension in larger:
            allowed &= nesting.allows(levels, np.array(larger[dimension]))
    return allowed
