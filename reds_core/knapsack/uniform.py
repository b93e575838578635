"""One ratio of channels for all groups: the width multiplier of MobileNet (Howard et al., 2017, arXiv 1704.04861)."""

from __future__ import annotations

import numpy as np

from reds_core.arrays import IntArray
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.sequence import first_within


def choice_at_largest_ratio(problem: KnapsackProblem) -> tuple[int, ...] | None:
    """The choice at the largest ratio within all budgets; None where no ratio is.

    Every ratio is looked at, since costs that are measured need not fall with it.
    """
    return first_within(problem, uniform_choices(problem))


def uniform_choices(problem: KnapsackProblem) -> IntArray:
    """The choice at every ratio at which a group changes, widest first, int64 (ratios, groups).

    A group keeps its widest option of at most ratio x full width, and at least its first; floors and ceilings are kept
    whatever the ratio. Equal ratios of different groups are equal as doubles, too: division is rounded correctly.
    """
    shares = [g.widths / g.widths[-1] for g in problem.groups]
    ratios = np.unique(np.concatenate([np.zeros(1), *shares]))[::-1]
    columns = [np.maximum(np.searchsorted(share, ratios, side="right") - 1, 0) for share in shares]
    choices: IntArray = np.clip(np.stack(columns, axis=1), problem.floors, problem.ceilings).astype(np.int64)
    return choices
