"""A subnetwork as it was decided, before its files are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from reds_core.cost.budget import SubnetworkBudget
from reds_core.formulation.statement import Statement
from reds_core.framework.data import Arrays
from reds_core.framework.framework import Framework
from reds_core.knapsack.levels import LevelSettings
from reds_core.knapsack.solution import Solution
from reds_core.network.axis import Kept
from reds_core.plan import SubnetworkRecord
from reds_core.pruning.promise import check_model
from reds_core.pruning.pruner import Decision
from reds_core.runs.layer_levels import LayerLevels
from reds_core.transforms.joining import RealisedGroup
from reds_core.transforms.realisation import DROP
from reds_core.transforms.transform import Stage


@dataclass(frozen=True)
class PlannedMember:
    """A subnetwork as it was decided.

    Attributes:
        budget: The budget that it meets, which gives it its name.
        decision: Its widths, and the levels of its layers.
        order: The channels of the input model in each group, the most important first.
        statement: The network, or the part of it that the exit needs, and how its resources are counted.
        levels: What the run does with the levels of layers.
        realised: How the width of each group was realised; None if channels are dropped.
    """

    budget: SubnetworkBudget
    decision: Decision
    order: Kept
    statement: Statement
    levels: LayerLevels
    realised: Mapping[str, RealisedGroup] | None = None

    @property
    def name(self) -> str:
        """The name of the subnetwork."""
        return self.budget.name

    @cached_property
    def usage(self) -> Mapping[str, int]:
        """What it uses of each resource, in base units."""
        return self.statement.usage(self.decision.widths, self.decision.settings)

    @property
    def capacities(self) -> Mapping[str, int]:
        """What its budget allows of each resource that it limits, in base units."""
        return self.statement.capacities(self.budget)

    @property
    def settings(self) -> LevelSettings:
        """The level of every layer for which levels are decided."""
        return self.levels.complete(self.decision.settings)

    @property
    def changed(self) -> LevelSettings:
        """Those of the levels that do not leave a layer as it is, and those that all layers have."""
        return self.levels.changed(self.settings)

    @property
    def replaces_layers(self) -> bool:
        """Whether its files have chains of layers in place of some layers of the full network."""
        return bool(self.levels.chains(self.changed))

    @property
    def kept(self) -> Kept:
        """The channels of the input model that each group keeps, the most important first.

        Of channels that are merged, these are the ones that represent the others.
        """
        if self.realised is not None:
            return {group: np.array(own.kept, np.int64) for group, own in self.realised.items()}
        return {group: self.order[group][:width] for group, width in self.decision.widths.items()}

    def check(self, framework: Framework, model: Any) -> None:
        """Count what the model of the subnetwork uses again from its own layers, at the levels that they have.

        If layers are to be replaced, `rewritten` counts the layers that replace them instead.

        Raises:
            ContractViolation: If it does not use what was planned.
        """
        if self.replaces_layers:
            return
        check_model(framework, model, self.usage, self.statement.costs, self.name, self.levels.transforms, self.changed)

    def rewritten(self, framework: Framework, model: Any, examples: Arrays | None) -> Any:
        """Return the model as files hold it, with the layers replaced that its levels replace.

        What it uses is counted again from the layers that replace them.

        Args:
            framework: The framework of the model.
            model: The model, whose weights are projected.
            examples: Examples on which statistics are measured for which transforms ask, or None.

        Raises:
            ContractViolation: If it does not use what was planned.
            UnsupportedError: If the framework cannot replace a layer.
        """
        found = self.levels.rewritten(framework, model, self.settings, examples)
        if found is not model:
            others = [each for each in self.levels.transforms if each.stage is not Stage.REWRITE]
            levels = self.levels.settings_of_files(self.changed)
            check_model(framework, found, self.usage, self.statement.costs, self.name, others, levels)
        return found

    @property
    def settings_of_files(self) -> LevelSettings:
        """The level of every layer of the model that `rewritten` returns."""
        return self.levels.settings_of_files(self.settings)

    def record(self, names_targets: bool) -> SubnetworkRecord:
        """Return its record in the plan, without what can only be known from its files.

        Args:
            names_targets: Whether the plan states the levels of layers, as those of runs with transforms or targets do.
        """
        decision = self.decision
        return SubnetworkRecord(
            name=self.name,
            budget={resource: amount.plain for resource, amount in self.budget.amounts.items()},
            widths=dict(decision.widths),
            kept={group: tuple(int(c) for c in channels) for group, channels in self.kept.items()},
            usage=self.usage,
            settings=self.settings.levels if names_targets else None,
            exit=decision.exit,
            bound_independent=decision.bound_independent,
            **({} if self.realised is None else _realised_figures(self.realised)),
            **({} if decision.solution is None else _solution_figures(decision.solution)),
        )


def _realised_figures(realised: Mapping[str, RealisedGroup]) -> dict[str, Any]:
    """The fields of a SubnetworkRecord that say how widths were realised."""
    return {
        "realised": {group: own.by for group, own in realised.items()},
        "merged": {group: own.clusters for group, own in realised.items() if own.by != DROP},
    }


def _solution_figures(solution: Solution) -> dict[str, Any]:
    """The fields of a SubnetworkRecord that are taken from a solution."""
    return {
        "value": solution.value,
        "bound": solution.bound,
        "gap": solution.gap,
        "status": solution.status.value,
        "limit": None if solution.limit is None else solution.limit.value,
        "solver": solution.solver,
        "wall_s": solution.wall_s,
        "align": None if solution.alignment is None else solution.alignment.multiple,
        "align_price": None if solution.alignment is None else solution.alignment.price,
    }
