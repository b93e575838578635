"""The baseline: every group keeps the same share of its channels."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from reds_core.pruning import Decision, PruningState, Tools
from reds_pruners.at_once import AtOncePruner
from reds_pruners.training import Together, is_alone
from reds_pruners.values import measured
from reds_pruners.widths import uniform_choice


@dataclass(frozen=True)
class UniformOptions:
    """Options of `uniform`.

    Attributes:
        finetune: What is trained. joint: all subnetworks and the full network, with one set of weights; alone: each
            subnetwork by itself, for all epochs; auto: alone for one budget, joint for several.
    """

    finetune: Together = "auto"


class UniformPruner(AtOncePruner):
    """Keeps the same share of channels in all groups, the largest that meets the budget, and the best-scoring channels.

    No knapsack is solved. A smaller ratio never keeps more of a group, so the subnetworks are nested.
    """

    name = "uniform"
    Options: ClassVar[type] = UniformOptions

    def choose(self, budget: int, state: PruningState, tools: Tools) -> PruningState:
        asked = tools.budgets[budget]
        stated = tools.formulate(state.scores, asked)
        widths = stated.problem.widths(uniform_choice(stated.problem))
        kept = {g: stated.order[g][:w] for g, w in widths.items()}
        choice = Decision(widths, measured(tools, state.scores, asked, widths, kept))
        return dataclasses.replace(state, order=stated.order, choices=(*state.choices, choice))

    def alone(self, budgets: int) -> bool:
        return is_alone(self.options.finetune, budgets)
