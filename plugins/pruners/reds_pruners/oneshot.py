"""One-shot pruning: score once, solve each budget once, cut, and fine-tune each subnetwork by itself."""

from __future__ import annotations

from reds_core.pruning import PruningState, Tools
from reds_pruners.at_once import AtOncePruner, choose_next_above


class OneShotPruner(AtOncePruner):
    """One-shot pruning, the baseline of iterative strategies.

    Widths are those of the bottom-up family, but every subnetwork is trained alone for all epochs of the run, so that
    no subnetwork is compromised by another. The subnetworks are nested but do not share weights.
    """

    name = "oneshot"
    skips_blocks = True
    takes_transforms = True
    takes_exits = True

    def choose(self, budget: int, state: PruningState, tools: Tools) -> PruningState:
        return choose_next_above(budget, state, tools, apart=True)

    def alone(self, budgets: int) -> bool:
        return True
