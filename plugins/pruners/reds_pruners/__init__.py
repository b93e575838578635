"""Pruning strategies of reds that work with every framework."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.pruning import Pruner
from reds_pruners.layerwise import LayerwisePruner
from reds_pruners.nested import NestedPruner
from reds_pruners.oneshot import OneShotPruner
from reds_pruners.progressive import ProgressivePruner
from reds_pruners.uniform import UniformPruner

__all__ = ["LayerwisePruner", "NestedPruner", "OneShotPruner", "ProgressivePruner", "UniformPruner"]


@hookimpl
def reds_pruners() -> Sequence[type[Pruner]]:
    """The strategies of this package."""
    return [NestedPruner, LayerwisePruner, ProgressivePruner, OneShotPruner, UniformPruner]
