"""The pruner boundary: a strategy as a sequence of resumable steps.

A strategy says which steps it has and takes one at a time from state to state. Core drives the steps, saves the state
after each, resumes, and derives each step's seed; a strategy knows nothing of that, and nothing crosses a step but
the state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reds_core.cost.budget import SubnetworkBudget
from reds_core.formulation.formulation import Formulation
from reds_core.framework.framework import Family
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Solution
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plugin import Plugin
from reds_core.scoring.scorer import ScoreTable


@dataclass(frozen=True)
class Step:
    """One step of a strategy, which may derive a frozen dataclass of its own to say more.

    Attributes:
        name: what it does, as users see it; unique in the run.
        epochs: of fine-tuning: what `Tools.finetune` trains in this step.
    """

    name: str
    epochs: int = 0


@dataclass(frozen=True)
class Decision:
    """What was decided for one subnetwork.

    Attributes:
        widths: channels kept, by group name.
        solution: of the problem solved, floors included; None where no solver was asked.
        bound_independent: proven upper limit on the value of this subnetwork without regard to the others.
    """

    widths: Mapping[str, int]
    solution: Solution | None = None
    bound_independent: int | None = None

    @classmethod
    def of(cls, solution: Solution, bound_independent: int | None = None) -> Decision:
        """The decision for the widths that a solution chooses.

        Raises:
            ValueError: if the solution has no choice.
        """
        if solution.widths is None:
            raise ValueError(f"solver '{solution.solver}' found no choice of widths")
        return cls(solution.widths, solution, bound_independent)


@dataclass(frozen=True)
class PruningState:
    """All that crosses a step. The first step is given `PruningState.initial`.

    Attributes:
        scores: of the channels of the input model, by their index there; a table without groups until the strategy has
            scored.
        order: for each group the channels of the input model, the most important first; that of `family.full` as soon
            as the family has members. At first the order in which the input model has them.
        choices: for each budget, smallest first, what was decided, or what a network has that is on its way there;
            shorter while some are not begun.
        family: the models. At first the input model and no members; members stand as in `choices`.
        decided: what the last step decided: widths by group name. Empty when the next step begins.
        bounds: for each budget, smallest first, a proven upper limit on its value by `scores`; empty where not asked.
        sequence: groups in the order in which they are decided, where that is found out in the run.
    """

    scores: ScoreTable
    order: Kept
    choices: tuple[Decision, ...]
    family: Family[Any]
    decided: Mapping[str, int] = field(default_factory=dict)
    bounds: tuple[int | None, ...] = ()
    sequence: tuple[str, ...] = ()

    @classmethod
    def initial(cls, network: Network, model: Any) -> PruningState:
        """The state before the first step: nothing is scored or decided, and the family is the input model alone.

        Args:
            network: description of the input model.
            model: the input model.
        """
        order = {g.name: np.arange(g.channels, dtype=np.int64) for g in network.groups}
        return cls(ScoreTable({}), order, (), Family(model, (), ()))

    @property
    def is_scored(self) -> bool:
        """Whether the strategy has scored the channels of the input model."""
        return bool(self.scores.channels)

    def kept(self, member: int) -> Kept:
        """For each group the channels of the input model that a member keeps, most important first."""
        return {group: self.order[group][:width] for group, width in self.choices[member].widths.items()}


class Tools(ABC):
    """What a step may use. Core measures what the tools spend and reports what they do.

    Attributes:
        network: description of the input model; it also fits `family.full`.
        model: the input model.
        budgets: of the subnetworks, smallest first.
        seed: of this step, derived from the run's.
    """

    network: Network
    model: Any
    budgets: tuple[SubnetworkBudget, ...]
    seed: int

    @abstractmethod
    def score(self, model: Any, kept: Kept | None = None) -> ScoreTable:
        """Scores of the channels of the input model, as they now are in `model`.

        Args:
            kept: for each group the channels of the input model that `model` has, in its order; None means all.
                Channels that it has no more are scored 0.
        """

    @abstractmethod
    def loss(self, model: Any) -> float:
        """Mean loss of `model` on the training data held back for choosing, or on the rest if none is held back.

        Raises:
            InputError: if the run has no data.
        """

    @abstractmethod
    def formulate(self, scores: ScoreTable, budget: SubnetworkBudget, order: Kept | None = None) -> Formulation:
        """The problem of one budget."""

    @abstractmethod
    def solve(self, problem: KnapsackProblem) -> Solution:
        """A solution with a choice, by the run's solver.

        Raises:
            InfeasibleError: if there is none; says the least that can be reached.
            NoChoiceError: if the solver stopped before it found one.
        """

    @abstractmethod
    def extract(self, model: Any, kept: Kept) -> Any:
        """`model`, or a network cut from it, reduced to the channels of `kept` (its own indices), in their order."""

    @abstractmethod
    def finetune(self, family: Family[Any]) -> Family[Any]:
        """Train the family together, by the run's settings, for the epochs of this step.

        A family of a full network alone trains that network by itself.
        """

    @abstractmethod
    def recalibrate(self, model: Any) -> Any:
        """`model` with batch-norm statistics measured anew, where the run has data and its settings ask for that.

        For networks that were cut and are scored or measured before they are trained.
        """

    @property
    @abstractmethod
    def finetune_epochs(self) -> int:
        """Epochs that the run's settings ask for in all."""


class Pruner(Plugin, ABC):
    """Base class of pruner plugins. An instance holds its options and nothing else."""

    kind = "pruner"

    @abstractmethod
    def steps(self, network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int) -> Sequence[Step]:
        """The steps of this strategy, decided before the first is taken.

        Args:
            budgets: of the subnetworks, smallest first.
            finetune_epochs: the epochs of the run. In all its steps together no subnetwork is trained for more.
        """

    def steps_where(
        self, free: Sequence[str], network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int
    ) -> Sequence[Step]:
        """The steps of a run whose rules leave only some groups a choice of widths: those of `steps` by default.

        For strategies that decide group by group, so that no step is spent on a group that stays whole.

        Args:
            free: names of the groups with more than one width, in network order.
        """
        return self.steps(network, budgets, finetune_epochs)

    @abstractmethod
    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        """Take one step. After the last, `choices` and `family.members` have one entry a budget."""
