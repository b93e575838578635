"""The boundary to pruning strategies: the base class of pruners, their steps, their state and their tools."""

from __future__ import annotations

from reds_core.pruning.pruner import Decision, Pruner, PruningState, Step, Tools

__all__ = [
    "Decision",
    "Pruner",
    "PruningState",
    "Step",
    "Tools",
]
