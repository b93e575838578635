"""One ratio of channels for all groups: the width multiplier of MobileNet (Howard et al., 2017, arXiv 1704.04861)."""

from __future__ import annotations

import numpy as np

from reds_core.arrays import IntArray
from reds_core.knapsack.integers import refused
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.sequence import first_within


def choice_at_largest_ratio(problem: KnapsackProblem) -> tuple[int, ...] | None:
    """The choice at the largest ratio that is within all budgets, or None if no ratio is.

    All ratios are tried, because measured costs need not fall with the ratio. The widths of each group must rise; see
    `uniform_choices`.

    Raises:
        InputError: if options are rows of levels rather than widths alone.
    """
    return first_within(problem, uniform_choices(problem))


def uniform_choices(problem: KnapsackProblem) -> IntArray:
    """The choice at every ratio at which a group changes its option.

    A group keeps its widest option of at most ratio x full width, and at least its first option. Floors and ceilings
    take precedence over the ratio. Equal ratios of different groups are equal as doubles too, because division is
    correctly rounded.

    The widths of each group must rise strictly: the last width counts as the full one, and options are found by
    bisection.

    Returns:
        Option indices, int64 (ratios, groups), largest ratio first.

    Raises:
        InputError: if options are rows of levels rather than widths alone.
    """
    if problem.has_levels:
        raise refused("a ratio of channels says nothing about levels", "state a problem of widths alone")
    shares = [g.widths / max(int(g.widths[-1]), 1) for g in problem.groups]
    ratios = np.unique(np.concatenate([np.zeros(1), *shares]))[::-1]
    columns = [np.maximum(np.searchsorted(share, ratios, side="right") - 1, 0) for share in shares]
    choices: IntArray = np.clip(np.stack(columns, axis=1), problem.floors, problem.ceilings).astype(np.int64)
    return choices
