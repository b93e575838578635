"""What every family promises, checked whoever made it: within its budgets, nested, as small as planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from reds_core.cost import counting
from reds_core.cost.budget import SubnetworkBudget
from reds_core.errors import ContractViolation
from reds_core.formulation import infeasibility
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.framework import Framework
from reds_core.network.description import Network
from reds_core.pruning.pruner import Pruner, PruningState


def check_reachable(
    network: Network,
    forms: Mapping[str, counting.ResourceForm],
    budgets: Sequence[SubnetworkBudget],
    full: Mapping[str, int],
    rules: WidthRules,
) -> None:
    """Refuse budgets below the narrowest network before any time is spent on scores.

    Raises:
        InfeasibleError: says the least that can be reached, and what stands in the way.
    """
    for budget in budgets:
        for resource, capacity in budget.capacities(full).items():
            infeasibility.check_reachable(
                network, budget.name, forms[resource], resource, capacity, full[resource], rules
            )


def check_family(
    pruner: Pruner,
    network: Network,
    forms: Mapping[str, counting.ResourceForm],
    budgets: Sequence[SubnetworkBudget],
    rules: WidthRules,
    state: PruningState,
) -> None:
    """Hold what a pruner decided against its contract.

    Raises:
        ContractViolation: if it is incomplete, not nested, or over a budget.
    """

    def violated(what: str) -> ContractViolation:
        return ContractViolation(f"pruner '{pruner.name}' {what}", "report it to its author, or choose another pruner")

    if state.family is None or state.order is None:
        raise violated("ended without models or without an order of channels")
    if not len(state.choices) == len(state.family.members) == len(budgets):
        raise violated(f"ended with {len(state.choices)} choices for {len(budgets)} budgets")
    channels = network.channels
    for group, count in channels.items():
        if group not in state.order or not np.array_equal(np.sort(state.order[group]), np.arange(count)):
            raise violated(f"gave no order of the {count} channels of group '{group}'")
    full = {name: form.at(channels) for name, form in forms.items()}
    options = {g.name: rules.widths(g) for g in network.groups}
    for budget, choice in zip(budgets, state.choices, strict=True):
        if choice.widths.keys() != channels.keys() or any(not 1 <= w <= channels[g] for g, w in choice.widths.items()):
            raise violated(f"gave subnetwork '{budget.name}' no width from 1 up for every group")
        for name, width in choice.widths.items():
            if width not in options[name]:
                raise violated(f"gave group '{name}' {width} channels in '{budget.name}', which is no option of it")
        for resource, capacity in budget.capacities(full).items():
            used = forms[resource].at(choice.widths)
            if used > capacity:
                raise violated(f"gave subnetwork '{budget.name}' {resource} {used}, which is above {capacity}")
    for (small, smaller), (large, larger) in pairwise(zip(budgets, state.choices, strict=True)):
        if any(smaller.widths[g] > larger.widths[g] for g in channels):
            raise violated(f"gave subnetwork '{small.name}' channels that '{large.name}' does not have")


def check_model(
    framework: Framework, model: Any, usage: Mapping[str, int], costs: counting.CostModel, name: str
) -> None:
    """Recount `model` from its own layers: a budget is a promise.

    Raises:
        ContractViolation: if the recount differs from `usage`.
    """
    network = framework.inspect(model)
    recounted = counting.usage(network, network.channels, costs)
    if recounted != dict(usage):
        raise ContractViolation(
            f"network '{name}' uses {recounted} where {dict(usage)} was planned", "report this as a bug of reds"
        )
