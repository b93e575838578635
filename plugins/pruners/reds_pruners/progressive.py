"""Progressive pruning: the whole network is narrowed in small steps, and trained in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reds_core.errors import InputError
from reds_core.knapsack import KnapsackProblem
from reds_core.pruning import PruningState, Tools
from reds_pruners.narrowing import Narrow, NarrowingOptions, NarrowingPruner


@dataclass(frozen=True)
class ProgressiveOptions(NarrowingOptions):
    """Options of `progressive`.

    Attributes:
        steps: The number of cuts from the full network to the largest budget, and from each budget to the next.
        schedule: How budgets fall from cut to cut. linear: by the same amount; geometric: by the same share of what is
            left.
    """

    steps: int = 4
    schedule: Literal["linear", "geometric"] = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise InputError(f"option progressive.steps is {self.steps}", "give 1 or more")


class ProgressivePruner(NarrowingPruner):
    """Iterative pruning by knapsack, of all groups at a time, through a series of falling budgets.

    Each cut solves the knapsack problem over all groups under the next smaller budget, with scores of the current
    network, and is followed by fine-tuning.
    """

    name = "progressive"
    Options = ProgressiveOptions

    def cuts(self, free: Sequence[str]) -> Sequence[str]:
        return [f"narrow all ({i + 1} of {self.options.steps})" for i in range(self.options.steps)]

    def posed(self, cut: Narrow, problem: KnapsackProblem, state: PruningState, tools: Tools) -> KnapsackProblem:
        if cut.is_last:
            return problem
        goal = {r.name: r.capacity for r in problem.resources}
        full = problem.evaluate([g.options - 1 for g in problem.groups]).usage
        larger = tools.budgets[cut.budget + 1 :]
        start = {r: min(c, full[r]) for r, c in larger[0].capacities(full).items()} if larger else full
        done = (cut.part + 1) / cut.parts
        return problem.with_capacities(self._between(start, goal, done))

    def _between(self, start: Mapping[str, int], goal: Mapping[str, int], done: float) -> dict[str, int]:
        """The capacities between `start` and `goal` after a share `done` of the cuts, from 0 to 1."""
        if self.options.schedule == "geometric":
            now = {r: s * (max(goal[r], 1) / max(s, 1)) ** done for r, s in start.items()}
        else:
            now = {r: s + (goal[r] - s) * done for r, s in start.items()}
        return {r: max(int(amount), goal[r]) for r, amount in now.items()}
