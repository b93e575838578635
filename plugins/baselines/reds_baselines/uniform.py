"""One ratio for all groups: the width multiplier of MobileNet (Howard et al., 2017, arXiv 1704.04861)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from reds_baselines.sequence import first_within
from reds_core.problem import IntArray, KnapsackProblem
from reds_core.solution import Answer, Status
from reds_core.solver import Claim, Control, Controls, Feature, Solver


class UniformWidthSolver(Solver):
    """Every group keeps the same part of its channels, rounded down to an option; scores play no part.

    The largest ratio within all budgets, of all ratios at which any group changes: there are no others to try.
    Floors and ceilings are kept whatever the ratio.
    """

    name: ClassVar[str] = "uniform-width"
    features: ClassVar[Feature] = Feature.ALL
    claims: ClassVar[Claim] = Claim.NONE
    controls: ClassVar[Control] = Control.NONE
    auto_rank: ClassVar[int] = 130

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        choice = first_within(problem, uniform_choices(problem))
        if choice is None:
            return Answer(Status.NO_SOLUTION, detail=("no ratio meets the budgets",))
        return Answer(Status.FEASIBLE, choice)


def uniform_choices(problem: KnapsackProblem) -> IntArray:
    """The choice at every ratio at which a group changes, widest first, int64 (ratios, groups).

    A group keeps its widest option of at most ratio x full width, and at least its first. Equal ratios of different
    groups are equal as doubles, too: division is rounded correctly.
    """
    shares = [g.widths / g.widths[-1] for g in problem.groups]
    ratios = np.unique(np.concatenate([np.zeros(1), *shares]))[::-1]
    columns = [np.maximum(np.searchsorted(share, ratios, side="right") - 1, 0) for share in shares]
    choices: IntArray = np.clip(np.stack(columns, axis=1), problem.floors, problem.ceilings).astype(np.int64)
    return choices
