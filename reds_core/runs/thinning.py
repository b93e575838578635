"""What thinned options cost in value."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from reds_core.cost.budget import SubnetworkBudget
from reds_core.cost.counting import joined_groups
from reds_core.errors import RedsError
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
"""Joint choices of neighbours beyond which not even a bound on the whole problem is asked for."""


@dataclass(frozen=True)
class ThinningPrice:
    """What thinned options cost at most.

    Attributes:
        value: by how much the value could rise if all widths were on offer; None where that is not known.
        share: the same as a share of the value; None where that is not known, or the value is 0.
        told: in a sentence, for the user.
    """

    value: int | None
    share: float | None
    told: str


def thinning_warning(network: Network, rules: WidthRules) -> str | None:
    """Which groups have fewer widths on offer than the other rules allow; None where none has."""
    thinned = rules.thinned(network)
    if not thinned:
        return None
    group, (few, all_of_them) = max(thinned.items(), key=lambda item: item[1][1])
    return (
        f"{len(thinned)} of {len(network.groups)} groups have thinned widths, such as {few} of {all_of_them} for "
        f"'{group}'; --max-options {all_of_them} offers all"
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
    """The most by which `value` could rise if all widths were on offer; None where no group is thinned.

    From a proven bound on the problem with all widths, nesting left aside. A solver that fails leaves it unknown.

    Args:
        controls: of the solve; its time limit is at most `TIME_LIMIT_S`.
    """
    if not statement.rules.thinned(statement.network):
        return None
    channels = statement.network.channels
    joined = {pair for r in budget.amounts for pair in joined_groups(statement.form(r))} | set(scores.pairs)
    entries = sum(channels[a] * channels[b] for a, b in joined)
    unknown = f"what all widths on offer could add to '{budget.name}' is not known: "
    if entries > TABLE_ENTRIES_LIMIT:
        return ThinningPrice(None, None, f"{unknown}their tables would have {entries:,} entries")
    rules = dataclasses.replace(statement.rules, max_options=max(2, *channels.values()))
    whole = dataclasses.replace(statement, rules=rules).formulate(scores, budget, order, "all-widths")
    limit_s = min(TIME_LIMIT_S, controls.time_limit_s or TIME_LIMIT_S)
    search = Search(registry, controls=dataclasses.replace(controls, time_limit_s=limit_s))
    try:
        bound = search.answer(whole.problem).bound
    except RedsError as error:  # a finished family is not lost for a figure beside it
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
