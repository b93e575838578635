"""The boundary to pruning strategies."""

from __future__ import annotations

from reds_core.pruning.pruner import Decision, Pruner, PruningState, Step, Tools

__all__ = [
    "Decision",
    "Pruner",
    "PruningState",
    "Step",
    "Tools",
]
