"""Explains why no subnetwork meets a budget.

The cause may be a rule for widths, layers that cannot be pruned, or the budget itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from reds_core.cost import counting
from reds_core.cost.budget import Amount, SubnetworkBudget, parse_amount
from reds_core.cost.counting import ResourceForm, SumForm, TableForm
from reds_core.cost.resources import RESOURCES
from reds_core.errors import InfeasibleError, InputError, argument
from reds_core.formulation.statement import Statement
from reds_core.formulation.width_rules import WidthRules
from reds_core.network.description import Network
from reds_core.scales import PERCENT

_MOST_NAMED = 3


@dataclass(frozen=True)
class _Cause:
    """What keeps a budget from being met.

    Attributes:
        reason: A clause that follows "since"; empty if the only cause is the budget.
        fix: What helps apart from a larger budget; empty if nothing does.
    """

    reason: str = ""
    fix: str = ""


def check_reachable(statement: Statement, budgets: Iterable[SubnetworkBudget]) -> None:
    """Refuse budgets that not even the narrowest network meets, before any time is spent on scores.

    Raises:
        InfeasibleError: If no subnetwork meets a budget; the message says the least that can be reached, and why.
    """
    for budget in budgets:
        for resource, amount in budget.amounts.items():
            capacity = amount.capacity(statement.full_usage(resource))
            check_capacity(statement, budget.name, resource, capacity, amount)


def check_capacity(statement: Statement, name: str, resource: str, capacity: int, amount: Amount | None = None) -> None:
    """Refuse a capacity of one resource that not even the narrowest network meets.

    Args:
        statement: The network and its resources.
        name: The name of the budget, for the message.
        resource: The name of the resource.
        capacity: How much of it may be used, in base units.
        amount: The capacity as it was typed. If it has no unit, the message asks whether one was meant.

    Raises:
        InfeasibleError: If no subnetwork meets it; the message says the least that can be reached, and why.
    """
    network, rules, form = statement.network, statement.rules, statement.form(resource)
    least = _least(network, form, rules)
    if least <= capacity:
        return
    full = statement.full_usage(resource)
    question = "" if amount is None else _question(resource, amount, least, full)
    if not network.groups:
        raise InfeasibleError(
            f"no subnetwork meets the budget '{name}': no group of the network can be pruned, which uses {full} of "
            f"{resource} where {capacity} is asked for{_warnings_clause(network)}",
            f"{question}replace the layers that stand in the way, or raise the budget to {full}, or to 1.0 of the "
            "network",
        )
    reached = form.at(rules.narrowest(network))
    cause = _cause(network, form, resource, capacity, rules)
    since = f", since {cause.reason}" if cause.reason else ""
    otherwise = f"{cause.fix}, or " if cause.fix else ""
    raise InfeasibleError(
        f"no subnetwork meets the budget '{name}': {resource} {capacity} is asked for, "
        f"the least that can be reached is {least}{since}",
        f"{question}{otherwise}raise the budget to {reached}, or to {share_above(reached, full)} of the network",
    )


def _question(resource: str, amount: Amount, least: int, full: int) -> str:
    """The question whether a number without a unit was meant as a percentage, or in a larger unit.

    It only names amounts that can be reached and that leave something to prune. Empty if there is none.
    """
    if amount.has_unit or amount.is_fraction:
        return ""
    meant = []
    for unit in (PERCENT, *RESOURCES[resource].scale.suggested):
        text = f"{amount.text}{unit}"
        with suppress(InputError):  # above 100 %
            if least <= parse_amount(resource, text).capacity(full) < full:
                meant.append(f"{resource}={text}")
    return f"did you mean {' or '.join(meant)}? If not, " if meant else ""


def least_usage(statement: Statement, resource: str) -> int:
    """The least of a resource that any subnetwork can use, in base units.

    Raises:
        InputError: If the resource cannot be counted.
    """
    return _least(statement.network, statement.form(resource), statement.rules)


def share_above(least: int, full: int) -> float:
    """The least share, rounded up to three decimals, for which floor(share x full) is at least `least`."""
    return -(-1000 * least // full) / 1000


def _least(network: Network, form: ResourceForm, rules: WidthRules) -> int:
    if isinstance(form, TableForm):  # measured costs may fall as widths rise
        return form.least({g.name: rules.widths(g) for g in network.groups})
    return form.at(rules.narrowest(network))


def _cause(network: Network, form: ResourceForm, resource: str, capacity: int, rules: WidthRules) -> _Cause:
    def meets(changed: WidthRules) -> bool:
        return _least(network, form, changed) <= capacity

    given = {
        argument("keep", rules.keep): (bool(rules.keep), replace(rules, keep=())),
        argument("align", rules.multiple): (rules.multiple > 1, replace(rules, align=1)),
        argument("min_width", rules.min_width): (rules.min_width > 1, replace(rules, min_width=1)),
    }
    without = {option: changed for option, (is_given, changed) in given.items() if is_given}
    free = WidthRules(max_options=rules.max_options)
    if not meets(free):
        return _whole_layers(network, form, resource, capacity)
    causes = [option for option, changed in without.items() if meets(changed)] or list(without)
    reachable = _least(network, form, without[causes[0]] if len(causes) == 1 else free)
    whole = all(len(rules.widths(group)) == 1 for group in network.groups)
    is_one = len(causes) == 1
    does = f"leave{'s' if is_one else ''} {'every layer whole' if whole else 'no narrower widths'}"
    return _Cause(
        f"{_listed(causes)} {does} (without {'it' if is_one else 'them'} {reachable} can be reached)",
        _loosened(rules, meets) or f"leave out {_listed(causes)}",
    )


def _loosened(rules: WidthRules, meets: Callable[[WidthRules], bool]) -> str:
    """Advice to loosen one rule, if that alone makes the budget reachable, else an empty text."""
    if rules.min_width > 1 and meets(replace(rules, min_width=1)):
        low, high = 1, rules.min_width  # the least width that meets the budget lies in [low, high)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if meets(replace(rules, min_width=middle)) else (low, middle)
        name = argument("min_width")
        return f"give a {name} of at most {low}" if low > 1 else f"leave out {name}"
    if rules.multiple > 1 and meets(replace(rules, align=1)):
        align = rules.multiple // 2
        while align > 1 and not meets(replace(rules, align=align)):
            align //= 2
        return f"give {argument('align', align)}" if align > 1 else f"leave out {argument('align')}"
    for pattern in rules.keep:
        if meets(replace(rules, keep=tuple(p for p in rules.keep if p != pattern))):
            return f"leave out {argument('keep', pattern)}"
    return ""


def _whole_layers(network: Network, form: ResourceForm, resource: str, capacity: int) -> _Cause:
    """The cause if layers that cannot be pruned use much of the budget, with the warnings of the network."""
    fixed = {name: amount for name, amount in _fixed_by_layer(network, form, resource).items() if amount}
    warnings = _warnings_clause(network)
    total = sum(fixed.values())
    if 2 * total <= capacity:
        return _Cause(f"some layers stay whole{warnings}" if warnings else "")
    heaviest = sorted(fixed, key=lambda layer: -fixed[layer])[:_MOST_NAMED]
    named = ", ".join(f"layer '{layer}' {fixed[layer]}" for layer in heaviest)
    more = f", {len(fixed) - len(heaviest)} more layers" if len(fixed) > len(heaviest) else ""
    return _Cause(f"{total} of it depends on no width ({named}{more}){warnings}")


def _fixed_by_layer(network: Network, form: ResourceForm, resource: str) -> Mapping[str, int]:
    """How much of `resource` each layer uses whatever the widths. It is empty for peaks and latencies."""
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


def _warnings_clause(network: Network) -> str:
    """The warnings of the network, worded as the end of a clause."""
    shown = network.warnings[:_MOST_NAMED]
    more = f" and {len(network.warnings) - len(shown)} more" if len(network.warnings) > len(shown) else ""
    return f": {', '.join(shown)}{more}" if shown else ""


def _listed(words: list[str]) -> str:
    return " and ".join(words)
