"""One shot: score once, solve each budget once, cut, fine-tune each subnetwork by itself."""

from __future__ import annotations

from reds_core.pruning import PruningState, Tools
from reds_pruners.at_once import AtOncePruner, choose_next_above


class OneShotPruner(AtOncePruner):
    """The strategy without repetition that iterative ones must beat.

    Widths are those of the bottom-up family, but every subnetwork is trained alone, for all epochs of the run, so that
    none gives way to another. The subnetworks are nested and no longer share weights.
    """

    name = "oneshot"

    def choose(self, budget: int, state: PruningState, tools: Tools) -> PruningState:
        return choose_next_above(budget, state, tools)

    def alone(self, budgets: int) -> bool:
        return True
