"""Explains why no subnetwork meets a budget.

The cause may be a rule for widths, layers that cannot be pruned, or the budget itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from reds_core.cost.budget import Amount, SubnetworkBudget, parse_amount
from reds_core.cost.counting import DEFAULT_ELEMENT_SIZE_BYTES, CostTerm, GroupTables, PeakForm, TableForm, terms_form
from reds_core.cost.resources import RESOURCES
from reds_core.errors import InfeasibleError, InputError, argument
from reds_core.formulation.level_costs import LevelForm
from reds_core.formulation.statement import Statement
from reds_core.formulation.width_rules import WidthRules
from reds_core.network.description import Network, WeightKind
from reds_core.scales import PERCENT

_MOST_NAMED = 3
_FEW_BITS = 4
"""The bits of kernels that advice to decide them names."""


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

    If the network has early exits, a budget is met if a part that ends at one of them meets it.

    Raises:
        InfeasibleError: If no subnetwork meets a budget; the message says the least that can be reached, and why.
    """
    for budget in budgets:
        earlier, *later = (statement.part(exit) for exit in statement.exits)
        try:
            _check_budget(earlier, budget)
        except InfeasibleError:
            if not any(_is_reachable(part, budget) for part in later):
                raise


def _is_reachable(statement: Statement, budget: SubnetworkBudget) -> bool:
    try:
        _check_budget(statement, budget)
    except InfeasibleError:
        return False
    return True


def _check_budget(statement: Statement, budget: SubnetworkBudget) -> None:
    """Refuse a budget that not even the narrowest network meets."""
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
    network, rules, form = statement.network, statement.rules, statement.level_form(resource)
    least = _least(network, form, rules)
    if least <= capacity:
        return
    fewer_bits = _fewer_bits(statement, resource, capacity)
    full = statement.full_usage(resource)
    question = "" if amount is None else _question(resource, amount, least, full)
    if not network.groups:
        raise InfeasibleError(
            f"no subnetwork meets the budget '{name}': {resource} is limited to {capacity}, the network uses {full}, "
            f"and none of its channel groups can be pruned{_warnings_clause(network)}",
            f"{question}replace the layers that stand in the way, or raise the budget to {full}, or to 1.0 of the "
            f"network{fewer_bits}",
        )
    reached = least if form.sites else form.rest.at(rules.narrowest(network))
    cause = _cause(statement, form, resource, capacity)
    since = f", since {cause.reason}" if cause.reason else ""
    otherwise = f"{cause.fix}, or " if cause.fix else ""
    raise InfeasibleError(
        f"no subnetwork meets the budget '{name}': {resource} is limited to {capacity}, "
        f"but the least that can be reached is {least}{since}",
        f"{question}{otherwise}raise the budget to {reached}, or to {share_above(reached, full)} of the network"
        f"{fewer_bits}",
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
    """The least of a resource that any subnetwork can use, with each layer at its cheapest levels, in base units.

    Raises:
        InputError: If the resource cannot be counted.
        UnsupportedError: If levels change the resource, and it does not add up over layers.
    """
    return _least(statement.network, statement.level_form(resource), statement.rules)


def share_above(least: int, full: int) -> float:
    """The least share, rounded up to three decimals, for which floor(share x full) is at least `least`."""
    return -(-1000 * least // full) / 1000


def _least(network: Network, form: LevelForm, rules: WidthRules) -> int:
    # measured costs may fall as widths rise
    options = {g.name: rules.widths(g) for g in network.groups}
    if isinstance(form.rest, TableForm):
        return form.rest.least(options)
    steps = form.rest.steps if isinstance(form.rest, PeakForm) else ()
    tables = [step for step in steps if isinstance(step, GroupTables)]
    if tables:
        return max(step.least(options) for step in tables)
    return form.least(rules.narrowest(network))


def _fewer_bits(statement: Statement, resource: str, capacity: int) -> str:
    """The advice to let weights have fewer bits, if nothing but widths is decided and it makes a budget reachable."""
    if statement.space is not None or statement.costs.element_size_bytes != DEFAULT_ELEMENT_SIZE_BYTES:
        return ""
    network = statement.network
    weights = (replace(w, bits=_FEW_BITS) if w.kind is WeightKind.KERNEL else w for w in network.weights)
    narrow = replace(network, weights=tuple(weights))
    least = statement.costs.form(narrow, resource).at(statement.rules.narrowest(network))
    if least > capacity or RESOURCES[resource].is_measured:
        return ""
    return (
        f", or give {argument('transforms', 'weight-bits')}: if all kernels can have {_FEW_BITS} bits, {least} can be "
        "reached"
    )


def _cause(statement: Statement, form: LevelForm, resource: str, capacity: int) -> _Cause:
    network, rules = statement.network, statement.rules

    def meets(changed: WidthRules) -> bool:
        return _least(network, form, changed) <= capacity

    given = {
        argument("keep", rules.keep): (bool(rules.keep), replace(rules, keep=())),
        argument("align", rules.multiple): (rules.multiple > 1, replace(rules, align=1)),
        argument("min_width", rules.min_width): (rules.min_width > 1, replace(rules, min_width=1)),
    }
    without = {option: changed for option, (is_given, changed) in given.items() if is_given}
    free = replace(rules, keep=(), align=None, min_width=1)
    if not meets(free):
        return _whole_layers(statement, form, resource, capacity)
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


def _whole_layers(statement: Statement, form: LevelForm, resource: str, capacity: int) -> _Cause:
    """The cause if layers that cannot be pruned use much of the budget, with the warnings of the network."""
    fixed = {name: amount for name, amount in _fixed_by_layer(statement, form, resource).items() if amount}
    warnings = _warnings_clause(statement.network)
    total = sum(fixed.values())
    if 2 * total <= capacity:
        return _Cause(f"some layers stay whole{warnings}" if warnings else "")
    heaviest = sorted(fixed, key=lambda layer: -fixed[layer])[:_MOST_NAMED]
    named = ", ".join(f"layer '{layer}' {fixed[layer]}" for layer in heaviest)
    more = f", {len(fixed) - len(heaviest)} more layers" if len(fixed) > len(heaviest) else ""
    return _Cause(f"{total} of it depends on no width ({named}{more}){warnings}")


def _fixed_by_layer(statement: Statement, form: LevelForm, resource: str) -> Mapping[str, int]:
    """How much of `resource` each layer uses at its cheapest levels, whatever the widths.

    It is empty for peaks and latencies.
    """
    network = statement.network if statement.space is None else statement.space.network
    terms = statement.costs.terms(network, resource)
    if terms is None:
        return {}
    own: dict[str, list[CostTerm]] = {layer.name: [] for layer in network.layers}
    for term in terms:
        own[network.layers[term.layer].name].append(term)
    levels = {layer: form.sites.get(layer, (terms_form(network, each),)) for layer, each in own.items()}
    no_width = dict.fromkeys(network.channels, 0)
    return {layer: min(each.at(no_width) for each in forms) for layer, forms in levels.items()}


def _warnings_clause(network: Network) -> str:
    """The warnings of the network, worded as the end of a clause."""
    shown = network.warnings[:_MOST_NAMED]
    more = f" and {len(network.warnings) - len(shown)} more" if len(network.warnings) > len(shown) else ""
    return f": {', '.join(shown)}{more}" if shown else ""


def _listed(words: list[str]) -> str:
    return " and ".join(words)
