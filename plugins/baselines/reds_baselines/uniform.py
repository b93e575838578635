"""One ratio for all groups: the width multiplier of MobileNet (Howard et al., 2017, arXiv 1704.04861)."""

from __future__ import annotations

from typing import ClassVar

from reds_core.knapsack import (
    Answer,
    Claim,
    Control,
    Controls,
    Feature,
    KnapsackProblem,
    Solver,
    Status,
    choice_at_largest_ratio,
)


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
        choice = choice_at_largest_ratio(problem)
        if choice is None:
            return Answer(Status.NO_SOLUTION, detail=("no ratio meets the budgets",))
        return Answer(Status.FEASIBLE, choice)
