"""The hook specifications: what a plugin package may offer. Nothing else.

A plugin package names a module in the entry-point group `reds`; the module implements any of these hooks with
`@reds_core.hookimpl`. Each returns classes; none may import the libraries behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from reds_core.framework.framework import Framework
    from reds_core.framework.layer_plugin import LayerPlugin
    from reds_core.knapsack.solver import Solver
    from reds_core.pruning.pruner import Pruner
    from reds_core.scoring.scorer import Scorer

PROJECT = "reds"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def reds_solvers() -> Sequence[type[Solver]]:
    """Solver classes of this plugin package."""
    raise NotImplementedError


@hookspec
def reds_scorers() -> Sequence[type[Scorer]]:
    """Scorer classes of this plugin package."""
    raise NotImplementedError


@hookspec
def reds_pruners() -> Sequence[type[Pruner]]:
    """Pruner classes of this plugin package."""
    raise NotImplementedError


@hookspec
def reds_frameworks() -> Sequence[type[Framework]]:
    """Framework classes of this plugin package."""
    raise NotImplementedError


@hookspec
def reds_layers() -> Sequence[type[LayerPlugin]]:
    """Layer-plugin classes of this plugin package."""
    raise NotImplementedError
