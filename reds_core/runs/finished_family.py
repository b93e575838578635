"""The family of a finished run, read again from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reds_core.cost.budget import SubnetworkBudget
from reds_core.cost.tables import CostTable
from reds_core.errors import InputError, command
from reds_core.formulation.skipping import with_skipping
from reds_core.formulation.statement import Statement
from reds_core.framework.framework import Framework
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plan import PLAN_FILE, Plan
from reds_core.registry import Registry
from reds_core.runs.checkpoint import load_order, load_scores, order_fits, scores_fit
from reds_core.runs.exit_parts import with_exit_parts
from reds_core.runs.file_names import full_file
from reds_core.runs.folder import ORDER_FILE, SCORES_FILE, RunRecord
from reds_core.runs.layer_levels import LayerLevels
from reds_core.runs.offered_levels import check_choices, levels_to_decide, transforms_of
from reds_core.runs.settings import RunSettings
from reds_core.runs.targets import RunTargets
from reds_core.scoring.scorer import ScoreTable


@dataclass(frozen=True)
class FinishedFamily:
    """The family of a finished run.

    Attributes:
        folder: The folder of the run.
        plan: Its plan.
        settings: Its settings.
        framework: Reads and writes the models.
        full: The full network, with the most important channels of each group first.
        statement: The common part of the knapsack problems of the full network, with those of the parts that its exits
            need if it has early exits.
        scores: The scores of the channels, in the order of the full network.
        order: For each group the channels of the input model in that order.
        latencies: The latency table; None if the run used none.
    """

    folder: Path
    plan: Plan
    settings: RunSettings
    framework: Framework
    full: Any
    statement: Statement
    scores: ScoreTable
    order: Kept
    latencies: CostTable | None

    def levels_of(self, exit: str | None) -> LayerLevels:
        """What is done with the levels of the layers that an exit needs.

        Args:
            exit: The exit; None for the last output.
        """
        return LayerLevels(self.statement.part(exit).space, self.settings.qat, self.settings.qat_activations)

    def ending_at(self, exit: str | None) -> Any:
        """The part of the full network that an exit needs; the full network if it has no early exits.

        Args:
            exit: The exit; None for the last output.
        """
        return self.framework.ending_at(self.full, exit) if self.statement.parts else self.full


def settings_of(plan: Plan, folder: Path) -> RunSettings:
    """Return the settings of a run.

    Args:
        plan: The plan of the run.
        folder: The folder of the run, for the message.

    Raises:
        InputError: If the plan does not hold them in the current format.
    """
    try:
        return RunRecord(plan.options, plan.hashes).settings()
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(
            f"the options in '{folder / PLAN_FILE}' are not those of this version ({type(error).__name__}: {error})",
            f"run {command('prune')} again",
        ) from None


def read_family(
    folder: Path,
    plan: Plan,
    settings: RunSettings,
    framework: Framework,
    registry: Registry,
    targets: RunTargets,
    budget: SubnetworkBudget,
) -> FinishedFamily:
    """Read the full network of a finished run, its scores and its latency table.

    Args:
        folder: The folder of the run.
        plan: Its plan.
        settings: Its settings, as the caller wants them.
        framework: Reads the models.
        registry: The plugins to choose from.
        targets: The targets of the run.
        budget: A budget whose resources are counted besides those of the run.

    Raises:
        InputError: If a file is missing or damaged, or if the files do not belong to one run.
    """
    full = framework.load_model(folder / full_file(framework.file))
    network = framework.inspect(full)
    scores, order = load_scores(folder / SCORES_FILE), load_order(folder / ORDER_FILE)
    if not scores_fit(scores, network.channels) or not order_fits(order, network.channels):
        names = f"{SCORES_FILE}, {ORDER_FILE} and {full_file(framework.file)}"
        raise InputError(f"{names} in '{folder}' do not belong to one run", f"run {command('prune')} again")
    _check_layers(folder, plan, network)
    latencies = settings.read_latencies()
    if latencies is not None and latencies.digest != plan.hashes.latency_table:
        raise InputError(
            f"latency table '{settings.latency_table}' has changed since the run", f"run {command('prune')} again"
        )
    transforms = transforms_of(registry, settings)

    def stated(network: Network, model: Any, exit: str | None) -> Statement:
        network, rules = with_skipping(network, settings.rules(latencies))
        costs = settings.costs(network, latencies, [budget])
        recorded = next((member.levels for member in plan.subnetworks if member.exit == exit), None)
        space = levels_to_decide(network, (framework, model), transforms, targets.targets, recorded)
        return Statement(network, costs, rules, space)

    whole = stated(network, full, None)
    check_choices(whole.space)
    statement = with_exit_parts(whole, framework, full, stated)
    _check_members(folder, plan, statement)
    return FinishedFamily(folder, plan, settings, framework, full, statement, scores, order, latencies)


def _check_members(folder: Path, plan: Plan, statement: Statement) -> None:
    """Refuse a plan whose members end at exits, or have groups, that the network does not have."""
    for member in plan.subnetworks:
        is_known = member.exit in statement.exits
        if not is_known or member.widths.keys() != statement.part(member.exit).network.channels.keys():
            wrong = "the groups of subnetwork" if is_known else f"exit '{member.exit}' of subnetwork"
            raise InputError(
                f"{wrong} '{member.name}' in '{folder / PLAN_FILE}' {'are' if is_known else 'is'} not of the network",
                f"run {command('prune')} again",
            )


def _check_layers(folder: Path, plan: Plan, network: Network) -> None:
    """Refuse a plan that states levels of layers that the network does not have."""
    known = {layer.name for layer in network.layers}
    for member in plan.subnetworks:
        unknown = sorted(member.levels.levels.keys() - known)
        if unknown:
            raise InputError(
                f"'{folder / PLAN_FILE}' states levels of '{unknown[0]}', which is not a layer of the network",
                f"run {command('prune')} again",
            )
