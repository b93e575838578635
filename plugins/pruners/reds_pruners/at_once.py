"""Strategies that score the input model once, decide all budgets by those scores, cut once and then fine-tune."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from reds_core.cost import SubnetworkBudget
from reds_core.knapsack import choice_of
from reds_core.knapsack.families import MemberSolution, choose_above
from reds_core.network import Network
from reds_core.pruning import Decision, Pruner, PruningState, Step, Tools
from reds_pruners.exits import choose_exit_above
from reds_pruners.training import train

SCORE, EXTRACT, FINETUNE = "score", "extract", "finetune"


@dataclass(frozen=True)
class Choose(Step):
    """A step that decides the widths of one subnetwork.

    Attributes:
        budget: the index of its budget, smallest first.
    """

    budget: int = 0


@dataclass(frozen=True)
class Finetune(Step):
    """A step that trains one subnetwork by itself.

    Attributes:
        member: the index of the subnetwork, smallest first.
    """

    member: int = 0


class AtOncePruner(Pruner):
    """Base class of the strategies that decide at once. They define how widths are chosen, and what is trained."""

    @abstractmethod
    def choose(self, budget: int, state: PruningState, tools: Tools) -> PruningState:
        """The state with the decision for one more budget, and with the order of channels."""

    def alone(self, budgets: int) -> bool:
        """Whether each subnetwork is trained by itself for all epochs of the run. By default all are trained together.

        Args:
            budgets: how many budgets there are.
        """
        return False

    def trains_apart(self, budgets: int) -> bool:
        return self.alone(budgets)

    def choosing(self, budgets: Sequence[SubnetworkBudget]) -> Sequence[Step]:
        """The steps that choose; by default one for each budget."""
        return [Choose(f"choose {budget.name}", budget=i) for i, budget in enumerate(budgets)]

    def steps(self, network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int) -> Sequence[Step]:
        return [
            Step(SCORE),
            *self.choosing(budgets),
            Step(EXTRACT),
            *(self._finetuning(budgets, finetune_epochs) if finetune_epochs else []),
        ]

    def _finetuning(self, budgets: Sequence[SubnetworkBudget], epochs: int) -> list[Step]:
        if not self.alone(len(budgets)):
            return [Step(FINETUNE, epochs)]
        return [Finetune(f"{FINETUNE} {budget.name}", epochs, member) for member, budget in enumerate(budgets)]

    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        if step.name == SCORE:
            return dataclasses.replace(state, scores=tools.score(tools.model))
        if isinstance(step, Choose):
            state = self.choose(step.budget, state, tools)
            return dataclasses.replace(state, decided=state.choices[-1].widths)
        if step.name == EXTRACT:
            return dataclasses.replace(state, family=tools.extract_family(state))
        member = step.member if isinstance(step, Finetune) else None
        exit = None if member is None else state.choices[member].exit
        return dataclasses.replace(state, family=train(state.family, step, tools, member, exit))


def choose_next_above(budget: int, state: PruningState, tools: Tools, apart: bool) -> PruningState:
    """The state with the best choice for a budget among those that contain the next smaller subnetwork.

    This is the bottom-up order of the REDS paper. If the model has early exits, the best of them is chosen as well,
    after trainings in which each subnetwork is trained by itself if they are to be trained apart.
    """
    if len(tools.exits) > 1:
        return choose_exit_above(budget, state, tools, apart)
    stated = tools.formulate(state.scores, tools.budgets[budget])
    last = state.choices[-1] if state.choices else None
    smaller = None if last is None else choice_of(stated.problem, last.widths, last.settings)
    member = choose_above(stated.problem, smaller, tools.solve)
    return dataclasses.replace(state, order=stated.order, choices=(*state.choices, decision_from(member)))


def decision_from(member: MemberSolution) -> Decision:
    """The decision for a member of a solved family."""
    return Decision.of(member.solution, member.bound_independent)
