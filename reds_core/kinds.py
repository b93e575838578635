"""The kinds of plugins: one hook specification for each, in the order in which plugins are listed.

A plugin package names a module in the entry-point group `reds`; the module implements any of these hooks with
`@reds_core.hookimpl`. Each hook returns classes, without importing the libraries that they need. The base class of a
kind is taken from the return annotation of its hook.
"""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.framework.device import Device
from reds_core.framework.framework import Framework
from reds_core.framework.layer_plugin import LayerPlugin
from reds_core.hooks import hookspec
from reds_core.knapsack.solver import Solver
from reds_core.pruning.pruner import Pruner
from reds_core.runtime.governor import Governor
from reds_core.scoring.scorer import Scorer
from reds_core.transforms.compression import Compression


@hookspec
def reds_solvers() -> Sequence[type[Solver]]:
    """The solver classes of a plugin package."""
    raise NotImplementedError


@hookspec
def reds_scorers() -> Sequence[type[Scorer]]:
    """The scorer classes of a plugin package."""
    raise NotImplementedError


@hookspec
def reds_pruners() -> Sequence[type[Pruner]]:
    """The pruner classes of a plugin package."""
    raise NotImplementedError


@hookspec
def reds_frameworks() -> Sequence[type[Framework]]:
    """The framework classes of a plugin package."""
    raise NotImplementedError


@hookspec
def reds_layers() -> Sequence[type[LayerPlugin]]:
    """The classes of a plugin package that describe its layers to a framework."""
    raise NotImplementedError


@hookspec
def reds_transforms() -> Sequence[type[Compression]]:
    """The transform classes of a plugin package: those that offer levels of layers, and realisations of widths."""
    raise NotImplementedError


@hookspec
def reds_targets() -> Sequence[type[Device]]:
    """The target classes of a plugin package: those that write files, and other devices."""
    raise NotImplementedError


@hookspec
def reds_governors() -> Sequence[type[Governor]]:
    """The governor classes of a plugin package."""
    raise NotImplementedError
