"""Bounds on the value that is lost because widths are thinned."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from reds_core.cost.budget import SubnetworkBudget
from reds_core.cost.counting import joined_groups
from reds_core.errors import RedsError, argument
from reds_core.formulation.statement import Statement
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.solver import Controls
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.registry import Registry
from reds_core.runs.search import Search
from reds_core.scoring.scorer import ScoreTable

TIME_LIMIT_S = 60.0
TABLE_ENTRIES_LIMIT = 50_000_000
"""The number of pairs of widths above which no bound on the problem with all widths is computed."""


@dataclass(frozen=True)
class ThinningPrice:
    """The most that thinned widths can cost.

    Attributes:
        value: The most by which the value could rise if all widths were options; None if unknown.
        share: The same as a share of the value; None if unknown or if the value is 0.
        sentence: A sentence for the user.
    """

    value: int | None
    share: float | None
    sentence: str


def thinning_warning(network: Network, rules: WidthRules) -> str | None:
    """A warning that names how many groups have thinned widths; None if no group has."""
    thinned = rules.thinned(network)
    if not thinned:
        return None
    group, (few, all_of_them) = max(thinned.items(), key=lambda item: item[1][1])
    return (
        f"{len(thinned)} of {len(network.groups)} groups have thinned widths, such as {few} of {all_of_them} for "
        f"'{group}'; {argument('max_options', all_of_them)} offers all"
    )


def thinning_price(
    statement: Statement,
    scores: ScoreTable,
    order: Kept,
    budget: SubnetworkBudget,
    value: int,
    registry: Registry,
    controls: Controls,
) -> ThinningPrice | None:
    """The most by which `value` could rise if all widths were options; None if no group is thinned.

    It follows from a proven bound on the problem with all widths, without the limits of nesting. If the solver fails,
    the price is unknown.

    Args:
        statement: The common part of the problems of the network.
        scores: The scores of the channels.
        order: The order of the channels of each group.
        budget: The budget of the subnetwork.
        value: The value of the subnetwork.
        registry: The solvers to choose from.
        controls: The limits of the solve. Its time limit is at most `TIME_LIMIT_S`.
    """
    if not statement.rules.thinned(statement.network):
        return None
    channels = statement.network.channels
    joined = {pair for r in budget.amounts for pair in joined_groups(statement.form(r))}
    joined |= {pair for pair in scores.pairs if channels.keys() >= set(pair)}  # others are behind the exit
    rules = dataclasses.replace(statement.rules, max_options=max(2, *channels.values()))
    every = dataclasses.replace(statement, rules=rules, max_node_options=None)
    options = {node.name: len(node.widths) for node in every.nodes.nodes}
    entries = sum(options[a] * options[b] for a, b in joined)
    unknown = f"how much more '{budget.name}' could be worth with all widths is not known: "
    if entries > TABLE_ENTRIES_LIMIT:
        return ThinningPrice(None, None, f"{unknown}their tables would have {entries:,} entries")
    whole = every.formulate(scores, budget, order, "all-widths")
    limit_s = min(TIME_LIMIT_S, controls.time_limit_s or TIME_LIMIT_S)
    search = Search(registry, controls=dataclasses.replace(controls, time_limit_s=limit_s))
    try:
        bound = search.answer(whole.problem).bound
    except RedsError as error:  # a finished family must not be lost because of a secondary figure
        return ThinningPrice(None, None, f"{unknown}{error.what}")
    if bound is None:
        return ThinningPrice(None, None, f"{unknown}no bound was found within {limit_s:g} s")
    more = max(bound - value, 0)
    share = more / abs(value) if value else None
    amount = f"{more:,}" if share is None else f"{share:.2%}"
    of_what = " than its value of 0" if share is None else " than its negative value" if value < 0 else ""
    return ThinningPrice(
        more, share, f"with all widths on offer '{budget.name}' could be worth at most {amount} more{of_what}"
    )
