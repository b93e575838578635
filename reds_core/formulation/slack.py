"""Budgets that the full network already meets, so that nothing has to be pruned."""

from __future__ import annotations

from collections.abc import Iterable

from reds_core.cost.budget import SubnetworkBudget
from reds_core.formulation.statement import Statement


def slack_warnings(statement: Statement, budgets: Iterable[SubnetworkBudget]) -> list[str]:
    """A warning for each budget that the full network meets in every resource, with what the full network uses.

    A budget that is tight in one resource and slack in another is not reported: limits of a device may be slack.

    Raises:
        InputError: If a resource of a budget cannot be counted.
    """
    warnings = []
    for budget in budgets:
        if statement.excesses(budget, statement.network.channels):
            continue
        used = " and ".join(f"{statement.full_usage(r):,} of {r}" for r in budget.amounts)
        allowed = " and ".join(f"{capacity:,}" for capacity in statement.capacities(budget).values())
        warnings.append(
            f"budget '{budget.name}' does not bind: the full network uses {used} and {allowed} may be used, so "
            "nothing has to be pruned; give a smaller amount, or a share such as 0.5"
        )
    return warnings
