"""One ratio for all groups: the width multiplier of MobileNet (Howard et al., 2017, arXiv 1704.04861)."""

from __future__ import annotations

from typing import ClassVar

from reds_baselines.level_refusal import refusal_of_levels
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
    """Keeps the same share of the channels of every group, rounded down to an option. Scores are ignored.

    The share is the largest ratio within all budgets, among all ratios at which a group changes. Floors and ceilings
    take precedence over the ratio.
    """

    name: ClassVar[str] = "uniform-width"
    features: ClassVar[Feature] = Feature.ALL
    claims: ClassVar[Claim] = Claim.NONE
    controls: ClassVar[Control] = Control.NONE
    auto_rank: ClassVar[int] = 130

    def refusal(self, problem: KnapsackProblem) -> str | None:
        return refusal_of_levels(problem)

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        choice = choice_at_largest_ratio(problem)
        if choice is None:
            return Answer(Status.NO_SOLUTION, detail=("no ratio meets the budgets",))
        return Answer(Status.FEASIBLE, choice)
