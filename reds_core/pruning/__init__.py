"""The boundary to pruning strategies: the base class of pruners, their steps, their state and their tools."""

from __future__ import annotations

from reds_core.pruning.exit_trials import exit_trial_epochs
from reds_core.pruning.pruner import Decision, Pruner, PruningState, Step, Tools

__all__ = [
    "Decision",
    "Pruner",
    "PruningState",
    "Step",
    "Tools",
    "exit_trial_epochs",
]
