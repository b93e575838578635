"""The boundary to pruning strategies, and the guard that holds them to the budgets."""

from __future__ import annotations

from reds_core.pruning.promise import check_reachable
from reds_core.pruning.pruner import Decision, Pruner, PruningState, Step, Tools

__all__ = [
    "Decision",
    "Pruner",
    "PruningState",
    "Step",
    "Tools",
    "check_reachable",
]
