"""The parts of a run that stay the same in all of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reds_core.cost.budget import SubnetworkBudget
from reds_core.errors import UnsupportedError, argument
from reds_core.formulation.statement import Statement
from reds_core.pruning.pruner import Pruner
from reds_core.registry import Registry
from reds_core.runs.inputs import Inputs
from reds_core.runs.layer_levels import LayerLevels
from reds_core.runs.offered_levels import transforms_of
from reds_core.runs.participants import check_options, run_participants
from reds_core.runs.realiser import Realiser, realiser_of
from reds_core.runs.request import RunRequest
from reds_core.runs.score_store import ScoreStore
from reds_core.runs.search import Search
from reds_core.runs.settings import APART, RunSettings
from reds_core.runs.skipping import check_skipping, check_strategy
from reds_core.scoring.scorer import Scorer, check_level
from reds_core.transforms.realisation import DROP
from reds_core.transforms.transform import Transform
from reds_core.watcher import Watcher


@dataclass(frozen=True)
class RunPlugins:
    """The plugins that a run uses.

    Attributes:
        pruner: The strategy.
        scorer: Scores channels.
        search: The solver and its limits.
        transforms: The transforms, which offer levels of layers.
        realiser: What realises the widths of groups; None if channels are dropped.
    """

    pruner: Pruner
    scorer: Scorer
    search: Search
    transforms: tuple[Transform, ...] = ()
    realiser: Realiser | None = None


def create_plugins(registry: Registry, settings: RunSettings) -> RunPlugins:
    """Create the plugins of a run, and check all options of plugins.

    Raises:
        InputError: If a plugin or an option is unknown.
        UnavailableError: If a library that a plugin needs is not installed.
        UnsupportedError: If the scorer does not support the score level, the strategy decides widths alone
            although there are transforms, or needs transforms although there are none.
    """
    settings.check_transforms()
    pruner = registry.create(Pruner, settings.strategy, settings.options)
    scorer = registry.create(Scorer, settings.scorer, settings.options)
    search = Search(registry, settings.solver, settings.options, settings.controls())
    search.check()
    check_level(scorer, settings.score_level)
    transforms = transforms_of(registry, settings)
    realiser = realiser_of(registry, settings)
    check_options(registry, settings.options, run_participants(settings))
    check_skipping(settings)
    check_strategy(registry, settings, pruner)
    if transforms:
        _check_takes_transforms(registry, pruner)
    elif pruner.needs_transforms:
        raise UnsupportedError(
            f"pruner '{pruner.name}' decides what transforms offer, and there are none",
            f"give {argument('transforms')}, or another {argument('pruner')}",
        )
    return RunPlugins(pruner, scorer, search, transforms, realiser)


def check_realiser(plugins: RunPlugins, budgets: int, has_data: bool) -> None:
    """Refuse to merge channels where the strategy or the lack of data does not allow it.

    Args:
        plugins: The plugins of the run.
        budgets: The number of budgets.
        has_data: Whether there is training data.

    Raises:
        UnsupportedError: If the strategy shares weights between networks, or narrows them again.
        InputError: If data is needed and there is none.
    """
    realiser, pruner = plugins.realiser, plugins.pruner
    if realiser is None:
        return
    if not pruner.trains_apart(budgets):
        raise UnsupportedError(
            f"pruner '{pruner.name}' shares weights between networks or narrows them again, for which channels can "
            f"only be dropped, not realised by {realiser.name}",
            f"use {argument('pruner', APART)}, or {argument('realise', DROP)}",
        )
    realiser.check_data(has_data)


def check_exits(plugins: RunPlugins, statement: Statement, settings: RunSettings) -> None:
    """Refuse what does not go with models with early exits.

    Raises:
        UnsupportedError: If the model has early exits, and the strategy does not decide at which of them a subnetwork
            ends, channels would be merged, each output has a loss or a metric of its own, or the smallest network is
            sought.
    """
    if not statement.parts:
        return
    loss, metric = (settings.task.loss, argument("loss")), (settings.task.metric, argument("metrics"))
    for what, (given, name) in (("loss", loss), ("metric", metric)):
        if isinstance(given, Mapping | list | tuple) or (isinstance(given, str) and "," in given):
            raise UnsupportedError(
                f"the {what} is given for each output, but early exits all have that of the last output",
                f"give a single {name}",
            )
    if settings.max_drop is not None:
        raise UnsupportedError(
            f"{argument('max_drop')} does not decide at which exit of the model a subnetwork ends",
            f"give {argument('budgets')} instead, or a model without exits",
        )
    if plugins.realiser is not None:
        raise UnsupportedError(
            "channels of models with early exits can only be dropped, not merged",
            f"use {argument('realise', DROP)}, or a model without exits",
        )
    if not plugins.pruner.takes_exits:
        raise UnsupportedError(
            f"pruner '{plugins.pruner.name}' does not decide at which exit of the model a subnetwork ends",
            f"use {argument('pruner', 'nested')}, or a model without exits",
        )


def _check_takes_transforms(registry: Registry, pruner: Pruner) -> None:
    if not pruner.takes_transforms:
        able = sorted(name for name, each in registry.available(Pruner).items() if each.takes_transforms)
        raise UnsupportedError(
            f"pruner '{pruner.name}' decides widths alone, without transforms",
            f"give {argument('pruner')} {' or '.join(able)}" if able else f"leave out {argument('transforms')}",
        )


@dataclass(frozen=True)
class Session:
    """The parts of a run that stay the same in all of its steps.

    Attributes:
        request: What the run was asked for.
        folder: The folder of the results.
        registry: The plugins to choose from.
        watcher: Notified of progress and warnings.
        plugins: The plugins that the run uses.
        inputs: The model and the data.
        statement: The common part of the knapsack problems of all budgets.
        budgets: The budgets of the subnetworks, smallest first.
        scores: Stores the scores of the input model for several families of one run; None if there is one family.
    """

    request: RunRequest
    folder: Path
    registry: Registry
    watcher: Watcher
    plugins: RunPlugins
    inputs: Inputs
    statement: Statement
    budgets: tuple[SubnetworkBudget, ...]
    scores: ScoreStore | None = None

    @property
    def levels(self) -> LayerLevels:
        """What the run does with the levels of layers."""
        return LayerLevels(self.statement.space, self.settings.qat, self.settings.qat_activations)

    def levels_of(self, exit: str | None) -> LayerLevels:
        """What the run does with the levels of the layers of a part that ends at an exit, or of a network without any.

        Args:
            exit: The exit; None for the last output.
        """
        return replace(self.levels, space=self.statement.part(exit).space)

    def ending_at(self, model: Any, exit: str | None) -> Any:
        """The part of a model that an exit needs; the model itself if the network has no early exits.

        Args:
            model: The input model, or a network cut from it that has all exits.
            exit: The exit; None for the last output.
        """
        return self.inputs.framework.ending_at(model, exit) if self.statement.parts else model

    @property
    def settings(self) -> RunSettings:
        """The settings of the request."""
        return self.request.settings
