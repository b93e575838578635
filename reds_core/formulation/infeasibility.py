"""Why no subnetwork meets a budget and by how much: because of a rule for widths, of layers that stay whole, or of the
budget itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from reds_core.cost import counting
from reds_core.cost.budget import SubnetworkBudget
from reds_core.cost.counting import ResourceForm, SumForm, TableForm
from reds_core.errors import InfeasibleError
from reds_core.formulation.statement import Statement
from reds_core.formulation.width_rules import WidthRules
from reds_core.network.description import Network

_MOST_NAMED = 3


@dataclass(frozen=True)
class _Cause:
    """What keeps a budget from being met.

    Attributes:
        reason: a clause that follows "since"; empty if only the budget is to blame.
        fix: what helps beside a larger budget; empty likewise.
    """

    reason: str = ""
    fix: str = ""


def check_reachable(statement: Statement, budgets: Iterable[SubnetworkBudget]) -> None:
    """Refuse budgets below the narrowest network, before any time is spent on scores.

    Raises:
        InfeasibleError: says the least that can be reached, and what stands in the way.
    """
    for budget in budgets:
        for resource, capacity in statement.capacities(budget).items():
            check_capacity(statement, budget.name, resource, capacity)


def check_capacity(statement: Statement, name: str, resource: str, capacity: int) -> None:
    """Refuse a capacity of one resource below the narrowest network.

    Args:
        name: of the budget.

    Raises:
        InfeasibleError: says the least that can be reached, and what stands in the way.
    """
    network, rules, form = statement.network, statement.rules, statement.form(resource)
    least = _least(network, form, rules)
    if least <= capacity:
        return
    full = statement.full_usage(resource)
    if not network.groups:
        raise InfeasibleError(
            f"no subnetwork meets the budget '{name}': no group of the network can be pruned, which uses {full} of "
            f"{resource} where {capacity} is asked for{_told_warnings(network)}",
            f"replace the layers that stand in the way, or raise the budget to {full}, or to 1.0 of the network",
        )
    reached = form.at(rules.narrowest(network))
    cause = _cause(network, form, resource, capacity, rules)
    since = f", since {cause.reason}" if cause.reason else ""
    otherwise = f"{cause.fix}, or " if cause.fix else ""
    raise InfeasibleError(
        f"no subnetwork meets the budget '{name}': {resource} {capacity} is asked for, "
        f"the least that can be reached is {least}{since}",
        f"{otherwise}raise the budget to {reached}, or to {share_above(reached, full)} of the network",
    )


def share_above(least: int, full: int) -> float:
    """The least share of three decimals, as a user would type it, for which floor(share x full) is `least` or more."""
    return -(-1000 * least // full) / 1000


def _least(network: Network, form: ResourceForm, rules: WidthRules) -> int:
    if isinstance(form, TableForm):  # what is measured may fall where widths rise
        return form.least({g.name: rules.widths(g) for g in network.groups})
    return form.at(rules.narrowest(network))


def _cause(network: Network, form: ResourceForm, resource: str, capacity: int, rules: WidthRules) -> _Cause:
    def meets(changed: WidthRules) -> bool:
        return _least(network, form, changed) <= capacity

    given = {
        "--keep " + " ".join(f"'{pattern}'" for pattern in rules.keep): (bool(rules.keep), replace(rules, keep=())),
        f"--align {rules.align}": (rules.align > 1, replace(rules, align=1)),
        f"--min-width {rules.min_width}": (rules.min_width > 1, replace(rules, min_width=1)),
    }
    without = {option: changed for option, (is_given, changed) in given.items() if is_given}
    free = WidthRules(max_options=rules.max_options)
    if not meets(free):
        return _whole_layers(network, form, resource, capacity)
    to_blame = [option for option, changed in without.items() if meets(changed)] or list(without)
    reachable = _least(network, form, without[to_blame[0]] if len(to_blame) == 1 else free)
    whole = all(len(rules.widths(group)) == 1 for group in network.groups)
    is_one = len(to_blame) == 1
    does = f"leave{'s' if is_one else ''} {'every layer whole' if whole else 'no narrower widths'}"
    return _Cause(
        f"{_listed(to_blame)} {does} (without {'it' if is_one else 'them'} {reachable} can be reached)",
        _loosened(rules, meets) or f"leave out {_listed(to_blame)}",
    )


def _loosened(rules: WidthRules, meets: Callable[[WidthRules], bool]) -> str:
    """One rule made looser, as a user would type it, if that alone meets the budget; else an empty text."""
    if rules.min_width > 1 and meets(replace(rules, min_width=1)):
        low, high = 1, rules.min_width  # the least width that meets the budget lies in [low, high)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if meets(replace(rules, min_width=middle)) else (low, middle)
        return f"give a --min-width of at most {low}" if low > 1 else "leave out --min-width"
    if rules.align > 1 and meets(replace(rules, align=1)):
        align = rules.align // 2
        while align > 1 and not meets(replace(rules, align=align)):
            align //= 2
        return f"give --align {align}" if align > 1 else "leave out --align"
    for pattern in rules.keep:
        if meets(replace(rules, keep=tuple(p for p in rules.keep if p != pattern))):
            return f"leave out --keep '{pattern}'"
    return ""


def _whole_layers(network: Network, form: ResourceForm, resource: str, capacity: int) -> _Cause:
    """The layers whose use depends on no width, if that matters, and what the network's description says of them."""
    fixed = {name: amount for name, amount in _fixed_by_layer(network, form, resource).items() if amount}
    told = _told_warnings(network)
    total = sum(fixed.values())
    if 2 * total <= capacity:
        return _Cause(f"some layers stay whole{told}" if told else "")
    heaviest = sorted(fixed, key=lambda layer: -fixed[layer])[:_MOST_NAMED]
    named = ", ".join(f"layer '{layer}' {fixed[layer]}" for layer in heaviest)
    more = f", {len(fixed) - len(heaviest)} more layers" if len(fixed) > len(heaviest) else ""
    return _Cause(f"{total} of it depends on no width ({named}{more}){told}")


def _fixed_by_layer(network: Network, form: ResourceForm, resource: str) -> Mapping[str, int]:
    """How much of `resource` each layer uses at any widths. It is empty for peaks and latencies."""
    if not isinstance(form, SumForm):
        return {}
    amounts: dict[str, int] = {}
    seen: set[int] = set()
    for layer in network.layers:
        if resource == "macs":
            products = [(term.coefficient, term.factors) for term in layer.macs]
        elif resource == "params":
            own = [w for w in layer.weights if w not in seen]
            seen.update(own)
            products = [(1, network.weights[w].axes) for w in own]
        else:
            continue
        amounts[layer.name] = amounts.get(layer.name, 0) + counting.product_sum(network, products).constant
    total = sum(amounts.values())
    scale = form.constant // total if total else 1  # the bytes of an element
    return {name: scale * amount for name, amount in amounts.items()}


def _told_warnings(network: Network) -> str:
    """The warnings of the network, worded as the end of a clause."""
    told = network.warnings[:_MOST_NAMED]
    more = f" and {len(network.warnings) - len(told)} more" if len(network.warnings) > len(told) else ""
    return f": {', '.join(told)}{more}" if told else ""


def _listed(words: list[str]) -> str:
    return " and ".join(words)
