"""The greedy solver of reds: best marginal value for its cost, then local search."""

from __future__ import annotations

import time
from typing import ClassVar

from reds_core import hookimpl
from reds_core.knapsack import (
    Answer,
    Claim,
    Control,
    Controls,
    Feature,
    KnapsackProblem,
    Limit,
    Solver,
    Status,
    cheapest_choice,
)
from reds_greedy.search import GreedySearch


class GreedySolver(Solver):
    """Takes the best value per cost, one step after the other, and improves the choice by local search.

    Accepts every problem and proves nothing. Deterministic, unless a time limit stops it.
    """

    name: ClassVar[str] = "greedy"
    features: ClassVar[Feature] = Feature.ALL
    claims: ClassVar[Claim] = Claim.NONE
    controls: ClassVar[Control] = Control.TIME_LIMIT | Control.HINT
    auto_rank: ClassVar[int] = 90

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        deadline = float("inf") if controls.time_limit_s is None else time.perf_counter() + controls.time_limit_s
        starts = [problem.ceilings, problem.floors]
        if controls.hint is not None:
            starts.insert(0, controls.hint)
        best: GreedySearch | None = None
        for start in starts:
            search = GreedySearch(problem, start, deadline)
            search.run()
            if search.feasible and (best is None or search.value > best.value):
                best = search
        limit = Limit.TIME if time.perf_counter() >= deadline else None
        # a quick choice of low cost, in case the search was stopped before it found one
        found = cheapest_choice(problem, None if best is None else [int(k) for k in best.choice])
        if found is None:
            return Answer(Status.NO_SOLUTION, limit=limit, detail=("found no choice within the budget",))
        return Answer(Status.FEASIBLE, found, limit=limit)


@hookimpl
def reds_solvers() -> list[type[Solver]]:
    """The solver `greedy`."""
    return [GreedySolver]
