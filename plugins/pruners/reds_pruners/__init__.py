"""Pruning strategies of reds that work with every framework."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.pruner import Pruner
from reds_pruners.nested import NestedPruner

__all__ = ["NestedPruner"]


@hookimpl
def reds_pruners() -> Sequence[type[Pruner]]:
    """The strategies of this package."""
    return [NestedPruner]
