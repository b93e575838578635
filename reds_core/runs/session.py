"""What stays the same from the first step of a run to its last."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reds_core.cost.budget import SubnetworkBudget
from reds_core.formulation.statement import Statement
from reds_core.pruning.pruner import Pruner
from reds_core.registry import Registry
from reds_core.runs.inputs import Inputs
from reds_core.runs.request import RunRequest
from reds_core.runs.search import Search
from reds_core.runs.settings import RunSettings
from reds_core.scoring.scorer import Scorer, check_level
from reds_core.watcher import Watcher


@dataclass(frozen=True)
class RunPlugins:
    """The plugins that a run was asked for."""

    pruner: Pruner
    scorer: Scorer
    search: Search


def create_plugins(registry: Registry, settings: RunSettings) -> RunPlugins:
    """The plugins that the settings name, before anything is read.

    Raises:
        InputError, UnavailableError: if a plugin or an option is unknown, or a library is missing.
        UnsupportedError: if the scorer cannot score at the level that is asked for.
    """
    pruner = registry.create(Pruner, settings.pruner, settings.options)
    scorer = registry.create(Scorer, settings.scorer, settings.options)
    search = Search(registry, settings.solver, settings.options, settings.controls())
    search.check()
    check_level(scorer, settings.score_level)
    registry.check_settings(settings.options)
    return RunPlugins(pruner, scorer, search)


@dataclass(frozen=True)
class Session:
    """What stays the same through all steps of a run.

    Attributes:
        request: what the run was asked for.
        folder: where everything is written.
        registry: the plugins that are installed.
        watcher: told of progress and warnings.
        plugins: those that the run was asked for.
        inputs: what the run works on.
        statement: what the problems of all budgets share.
        budgets: of the subnetworks, smallest first.
    """

    request: RunRequest
    folder: Path
    registry: Registry
    watcher: Watcher
    plugins: RunPlugins
    inputs: Inputs
    statement: Statement
    budgets: tuple[SubnetworkBudget, ...]

    @property
    def settings(self) -> RunSettings:
        """The settings of the request."""
        return self.request.settings
