"""Checks of the contract of pruning strategies: families are within budget, nested, and as small as planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from reds_core.cost import resources
from reds_core.cost.budget import SubnetworkBudget
from reds_core.errors import ContractViolation
from reds_core.formulation.space import Offer
from reds_core.formulation.statement import Statement
from reds_core.framework.family import Family
from reds_core.framework.framework import Framework
from reds_core.knapsack.levels import UNTOUCHED, LevelSettings
from reds_core.pruning.pruner import Decision, Pruner, PruningState, Step
from reds_core.scoring.scorer import ScoreTable
from reds_core.transforms.describing import described
from reds_core.transforms.transform import Transform


def check_state(pruner: Pruner, step: Step, state: object) -> None:
    """Check the types of what a step returned, since plugins may not have been checked by a type checker.

    Raises:
        ContractViolation: If it is not a PruningState, or one of its parts is of the wrong type.
    """
    if not isinstance(state, PruningState):
        raise _violated(pruner, f"returned {type(state).__name__}, not a PruningState, from step '{step.name}'")
    wanted = {"scores": ScoreTable, "order": Mapping, "choices": tuple, "family": Family}
    for name, kind in wanted.items():
        part = getattr(state, name)
        if not isinstance(part, kind):
            raise _violated(pruner, f"returned a state whose {name} is {type(part).__name__} from step '{step.name}'")


def _violated(pruner: Pruner, what: str) -> ContractViolation:
    return ContractViolation(f"pruner '{pruner.name}' {what}", "report it to its author, or choose another pruner")


def check_family(
    pruner: Pruner, statement: Statement, budgets: Sequence[SubnetworkBudget], state: PruningState
) -> None:
    """Check that the family that a pruner decided keeps the contract.

    Args:
        pruner: The pruner, for the message.
        statement: The network, its resources and its width rules.
        budgets: The budgets, smallest first.
        state: The state after the last step.

    Raises:
        ContractViolation: If the family is incomplete, not nested, or over a budget.
    """

    def violated(what: str) -> ContractViolation:
        return _violated(pruner, what)

    if not state.family.members or not state.order:
        raise violated("ended without models or without an order of channels")
    if not len(state.choices) == len(state.family.members) == len(budgets):
        raise violated(f"ended with {len(state.choices)} choices for {len(budgets)} budgets")
    channels = statement.network.channels
    for group, count in channels.items():
        if group not in state.order or not np.array_equal(np.sort(state.order[group]), np.arange(count)):
            raise violated(f"did not give an order of the {count} channels of group '{group}'")
    options = {g.name: statement.rules.widths(g) for g in statement.network.groups}
    for budget, choice in zip(budgets, state.choices, strict=True):
        if choice.exit not in statement.exits:
            raise violated(f"gave subnetwork '{budget.name}' the exit '{choice.exit}', which the network does not have")
        part = statement.part(choice.exit)
        own = part.network.channels
        if choice.widths.keys() != own.keys() or any(
            not min(1, options[g][0]) <= w <= own[g] for g, w in choice.widths.items()
        ):
            raise violated(f"did not give subnetwork '{budget.name}' a width of at least 1 for every group")
        for name, width in choice.widths.items():
            if width not in options[name]:
                gave = f"gave group '{name}' {width} channels in '{budget.name}'"
                raise violated(f"{gave}, which is not one of the widths that it may have")
        _check_levels(pruner, part, budget, choice)
        for excess in part.excesses(budget, choice.widths, choice.settings):
            above = f"{excess.resource} {excess.used}, which is above {excess.capacity}"
            raise violated(f"gave subnetwork '{budget.name}' {above}")
    for (small, smaller), (large, larger) in combinations(zip(budgets, state.choices, strict=True), 2):
        shared = smaller.widths.keys() & larger.widths.keys()
        if any(smaller.widths[g] > larger.widths[g] for g in shared):
            raise violated(f"gave subnetwork '{small.name}' channels that '{large.name}' does not have")
        for offer in _common_offers(statement, smaller, larger):
            lower, upper = (_level(offer, choice.settings) for choice in (smaller, larger))
            if not offer.transform.nests.allows(np.array(lower), np.array(upper)):
                levels = f"{offer.what} {lower} in '{small.name}' and {upper} in '{large.name}'"
                raise violated(f"gave layer '{offer.site}' {levels}, which do not nest")


def _check_levels(pruner: Pruner, statement: Statement, budget: SubnetworkBudget, choice: Decision) -> None:
    """Check that every level of a choice is one that is offered.

    Raises:
        ContractViolation: If a level is not.
    """
    space = statement.space
    offered = {} if space is None else {(offer.site, offer.what): offer.levels for offer in space.offers}
    for dimension, level in choice.settings.chosen():
        if level not in offered.get((dimension.site, dimension.what), ()):
            gave = f"gave layer '{dimension.site}' {dimension.what} {level} in '{budget.name}'"
            raise _violated(pruner, f"{gave}, which is not one of the levels that it may have")


def _common_offers(statement: Statement, smaller: Decision, larger: Decision) -> Iterator[Offer]:
    """Yield the offers to layers that both of two subnetworks execute."""
    spaces = (statement.part(smaller.exit).space, statement.part(larger.exit).space)
    if spaces[0] is not None and spaces[1] is not None:
        others = {(offer.site, offer.what) for offer in spaces[1].offers}
        yield from (offer for offer in spaces[0].offers if (offer.site, offer.what) in others)


def _level(offer: Offer, settings: LevelSettings) -> int:
    """The level of an offer in some settings. What they do not name is untouched."""
    level = settings.at(offer.site, offer.what)
    return int(offer.levels[-1]) if level is None else level


def check_model(
    framework: Framework,
    model: Any,
    usage: Mapping[str, int],
    costs: resources.CostModel,
    name: str,
    transforms: Sequence[Transform] = (),
    settings: LevelSettings = UNTOUCHED,
) -> None:
    """Count what `model` uses again from its own layers, since a budget is a guarantee.

    Args:
        framework: The framework of the model.
        model: The model.
        usage: The planned use of every resource, in base units.
        costs: How resources are counted.
        name: The name of the network, for the message.
        transforms: The transforms whose levels are in `settings`.
        settings: The levels of the layers of the model.

    Raises:
        ContractViolation: If the model does not use what was planned.
    """
    network = described(framework.inspect(model), transforms, settings)
    recounted = resources.usage(network, network.channels, costs)
    if recounted != dict(usage):
        raise ContractViolation(
            f"network '{name}' uses {recounted} where {dict(usage)} was planned", "report this as a bug in reds"
        )
