"""The nested family of REDS: score once, choose, permute the channels, and fine-tune all subnetworks together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from reds_core.cost import SubnetworkBudget
from reds_core.errors import UnsupportedError, argument
from reds_core.knapsack import KnapsackProblem
from reds_core.knapsack.families import FamilySolution, joint, top_down
from reds_core.network import Network, exit_names
from reds_core.plan import FamilyRecord
from reds_core.pruning import PruningState, Step, Tools
from reds_pruners.at_once import AtOncePruner, choose_next_above, decision_from

CHOOSE = "choose"
"""The step that decides all budgets at once."""


@dataclass(frozen=True)
class NestedOptions:
    """Options of `nested`.

    Attributes:
        family: Which budgets give way if their best choices are not nested. auto: whichever maximises the sum of the
            values of all subnetworks, as far as a search of limited time finds out; bottom-up: the larger ones, which
            extend the choices of the smaller ones; top-down: the smaller ones, which reduce the choices of the larger
            ones; joint: as auto, but over all widths without a preference for multiples of 4, and for up to a minute.
    """

    family: Literal["auto", "bottom-up", "top-down", "joint"] = "auto"


class NestedPruner(AtOncePruner):
    """Nested subnetworks (Corti et al., REDS, arXiv 2311.13349, section 3).

    Every larger subnetwork keeps what the smaller ones keep. Channels are permuted by score, so that every subnetwork
    is a prefix of one set of weights, and all are fine-tuned together. A bottom-up family takes one step per budget.
    The other families take one step for all budgets, since no member is final before the last.
    """

    name = "nested"
    skips_blocks = True
    takes_transforms = True
    takes_exits = True
    Options: ClassVar[type] = NestedOptions

    def choosing(self, budgets: Sequence[SubnetworkBudget]) -> Sequence[Step]:
        one_by_one = self.options.family == "bottom-up" or (self.options.family == "auto" and len(budgets) == 1)
        return super().choosing(budgets) if one_by_one else [Step(CHOOSE)]

    def steps(self, network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int) -> Sequence[Step]:
        if not exit_names(network) or self.options.family == "bottom-up":
            return super().steps(network, budgets, finetune_epochs)
        if self.options.family != "auto":
            raise UnsupportedError(
                f"the subnetworks of a {self.options.family} family are decided together, but those of a model with "
                "early exits one by one",
                f"give {argument('options', {self.name: {'family': 'bottom-up'}})}, or a model without exits",
            )
        one_by_one = dataclasses.replace(self.options, family="bottom-up")
        return type(self)(one_by_one).steps(network, budgets, finetune_epochs)

    def choose(self, budget: int, state: PruningState, tools: Tools) -> PruningState:
        return choose_next_above(budget, state, tools, apart=False)

    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        return self._choose_all(state, tools) if step.name == CHOOSE else super().take(step, state, tools)

    def _choose_all(self, state: PruningState, tools: Tools) -> PruningState:
        stated = [tools.formulate(state.scores, b) for b in tools.budgets]
        family = self._family([s.problem for s in stated], tools)
        return dataclasses.replace(
            state,
            order=stated[0].order,
            choices=tuple(decision_from(member) for member in family.members),
            decided=family.members[-1].solution.widths or {},
            family_record=FamilyRecord.of(family, [budget.name for budget in tools.budgets]),
        )

    def _family(self, problems: Sequence[KnapsackProblem], tools: Tools) -> FamilySolution:
        match self.options.family:
            case "joint":
                return joint(problems, partial(tools.solve, exact=True))  # its proof needs proven choices
            case "top-down":
                return top_down(problems, tools.solve)
        return tools.choose_family(problems)
