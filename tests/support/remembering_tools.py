"""Tools on a toy model that record their calls, and a strategy that is run with them step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from toy_framework import ToyFramework, ToyModel, describe, residual_model
from toy_plugins import BruteSolver

from reds_core.cost.budget import SubnetworkBudget, parse_budgets
from reds_core.formulation.formulation import Formulation
from reds_core.formulation.statement import Statement
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.family import Family
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Solution
from reds_core.knapsack.solver import solve
from reds_core.network.axis import Kept
from reds_core.pruning.pruner import Pruner, PruningState, Step, Tools
from reds_core.scoring.scorer import ScoreTable

MODEL = residual_model()
NETWORK = describe(MODEL)


def drawn_scores(channels: Mapping[str, int], seed: int = 3) -> dict[str, npt.NDArray[np.float64]]:
    """Scores that have nothing to do with weights."""
    rng = np.random.default_rng(seed)
    return {g: rng.lognormal(0, 1, n) for g, n in channels.items()}


class RememberingTools(Tools):
    """Channels of the input model are scored the same in every network, unless `rescored` changes that.

    Attributes:
        rescored: scores by how many networks were scored before; None leaves them.
        rules: which widths groups may have.
    """

    def __init__(
        self,
        budgets: Sequence[str],
        epochs: int = 2,
        model: ToyModel = MODEL,
        rescored: Callable[[int], Mapping[str, npt.NDArray[np.float64]]] | None = None,
        rules: WidthRules | None = None,
    ) -> None:
        self.model, self.seed = model, 0
        self.rules = rules or WidthRules()
        self.network = describe(model)
        self.statement = Statement(self.network, rules=self.rules)
        self.budgets = self.statement.smallest_first(parse_budgets(budgets))
        self.epochs = epochs
        self.step = Step("none")
        self.log: list[str] = []
        self.problems: list[KnapsackProblem] = []
        self.trained: list[tuple[int, int]] = []
        self._rescored = rescored

    @property
    def finetune_epochs(self) -> int:
        return self.epochs

    def score(self, model: Any, kept: Kept | None = None) -> ScoreTable:
        drawn = drawn_scores(self.network.channels)
        scores = drawn if self._rescored is None else self._rescored(self.log.count("score"))
        self.log.append("score")
        if kept is None:
            assert model is self.model
            return ScoreTable(dict(scores))
        assert describe(model).channels == {g: len(c) for g, c in kept.items()}
        return ScoreTable({g: scores[g][c] for g, c in kept.items()}).spread(kept, self.network.channels)

    def loss(self, model: Any) -> float:
        self.log.append("loss")
        # as if the later a group stands, the less it matters
        channels = describe(model).channels
        narrow = [g for g, n in self.network.channels.items() if channels[g] < n]
        assert len(narrow) == 1, "a group that cannot be narrowed is not measured"
        return -float(list(channels).index(narrow[0]))

    def formulate(self, scores: ScoreTable, budget: SubnetworkBudget, order: Kept | None = None) -> Formulation:
        return self.statement.formulate(scores, budget, order, budget.name)

    def solve(self, problem: KnapsackProblem, exact: bool = False) -> Solution:
        self.log.append("solve")
        self.problems.append(problem)
        return solve(problem, BruteSolver())

    def extract(self, model: Any, kept: Kept) -> Any:
        self.log.append("extract")
        return ToyFramework().extract(model, describe(model), kept)

    def finetune(self, family: Family[Any]) -> Family[Any]:
        self.log.append("finetune")
        self.trained.append((len(family.members), self.step.epochs))
        return family

    def recalibrate(self, model: Any) -> Any:
        self.log.append("recalibrate")
        return model


def taken(pruner: Pruner, tools: RememberingTools) -> tuple[list[Step], list[PruningState]]:
    """The steps of a run, and the states before each and at the end."""
    free = tools.rules.free(tools.network)
    steps = list(pruner.steps_where(free, tools.network, tools.budgets, tools.epochs))
    states = [PruningState.initial(tools.network, tools.model)]
    for tools.step in steps:
        states.append(pruner.take(tools.step, replace(states[-1], decided={}), tools))
    return steps, states
