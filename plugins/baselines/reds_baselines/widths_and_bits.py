"""Base class of strategies that choose widths and bits in another way than by one knapsack over both."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from reds_baselines.bits import check_has_bits
from reds_core.cost import SubnetworkBudget
from reds_core.errors import NoChoiceError
from reds_core.knapsack import KnapsackProblem, Solution, Status, choice_of, relative_gap
from reds_core.network import Network
from reds_core.pruning import Decision, Pruner, PruningState, Step, Tools

SCORE, EXTRACT, FINETUNE = "score", "extract", "finetune"


@dataclass(frozen=True)
class ChooseMember(Step):
    """A step that decides the widths and bits of one subnetwork.

    Attributes:
        budget: The index of its budget, smallest first.
    """

    budget: int = 0


class WidthsAndBitsPruner(Pruner):
    """Scores once, decides the budgets from the smallest to the largest, cuts, and trains all subnetworks together.

    These are the steps of `nested`, so that a comparison with it shows what the choice of widths and bits is worth.
    Every larger subnetwork contains the smaller ones. Bound and gap in the plan are those of the best choice of widths
    and bits together, so that the gap is the value that a strategy loses by choosing differently.
    """

    takes_transforms: ClassVar[bool] = True
    needs_transforms: ClassVar[bool] = True

    @abstractmethod
    def chosen(self, problem: KnapsackProblem, smaller: Sequence[int] | None, tools: Tools) -> Solution:
        """Return a solution of a problem, whose bound and gap are not used.

        Args:
            problem: The problem of one budget, with options by widths and bits.
            smaller: The choice of the next smaller subnetwork, which must lie within this one; None for the smallest.
            tools: The tools of the step.

        Raises:
            InfeasibleError: If the strategy finds no choice that meets the budget.
        """

    def steps(self, network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int) -> Sequence[Step]:
        return [
            Step(SCORE),
            *(ChooseMember(f"choose {budget.name}", budget=index) for index, budget in enumerate(budgets)),
            Step(EXTRACT),
            *([Step(FINETUNE, finetune_epochs)] if finetune_epochs else []),
        ]

    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        if step.name == SCORE:
            return dataclasses.replace(state, scores=tools.score(tools.model))
        if isinstance(step, ChooseMember):
            return self._choose(step.budget, state, tools)
        if step.name == EXTRACT:
            return dataclasses.replace(state, family=tools.extract_family(state))
        return dataclasses.replace(state, family=tools.finetune(state.family))

    def _choose(self, budget: int, state: PruningState, tools: Tools) -> PruningState:
        stated = tools.formulate(state.scores, tools.budgets[budget])
        problem, last = stated.problem, state.choices[-1] if state.choices else None
        check_has_bits(problem, self.name)
        smaller = None if last is None else choice_of(problem, last.widths, last.settings)
        bound = _joint_bound(problem, tools)
        decision = Decision.of(_with_bound(self.chosen(problem, smaller, tools), bound), bound)
        choices = (*state.choices, decision)
        return dataclasses.replace(state, order=stated.order, choices=choices, decided=decision.widths)


def _joint_bound(problem: KnapsackProblem, tools: Tools) -> int | None:
    """An upper bound on the value of all choices of widths and bits, or None if the solver proves none.

    Raises:
        InfeasibleError: If no choice meets the budget.
    """
    try:
        return tools.solve(problem, exact=True).bound
    except NoChoiceError:
        return None


def _with_bound(found: Solution, bound: int | None) -> Solution:
    status = Status.OPTIMAL if bound is not None and found.value == bound else Status.FEASIBLE
    return dataclasses.replace(found, status=status, bound=bound, gap=relative_gap(found.value, bound))
