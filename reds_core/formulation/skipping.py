"""Which residual blocks of a network may be skipped, as a choice of the knapsack: no channels in the group inside."""

from __future__ import annotations

from dataclasses import fields, replace
from fnmatch import fnmatchcase

from reds_core.errors import argument
from reds_core.formulation.width_rules import SkippingWidths, WidthRules
from reds_core.network.branches import residual_branches
from reds_core.network.description import Network


def unskippable(network: Network, rules: WidthRules) -> dict[str, str]:
    """Return why residual blocks cannot be skipped, as a clause, by the name of the layer that adds each.

    Args:
        network: The description of the network.
        rules: Rules for widths, which may keep layers.
    """
    found = residual_branches(network)
    reasons = {whole.sum: whole.reason for whole in found.whole}
    for branch in found.found.values():
        names = {network.layers[call].name for call in (*branch.calls, branch.sum)}
        kept = sorted(n for n in names if any(fnmatchcase(n, pattern) for pattern in rules.keep))
        if kept:
            reasons[network.layers[branch.sum].name] = f"layer '{kept[0]}' is among those of {argument('keep')}"
    return reasons


def with_skipping(network: Network, rules: WidthRules) -> tuple[Network, WidthRules]:
    """Return a network and its rules for widths in which residual blocks may be skipped, if the rules ask for it.

    Both are returned as they are if no residual block can be skipped.
    """
    if not rules.skip_blocks:
        return network, rules
    reasons = unskippable(network, rules)
    found = residual_branches(network).found
    groups = tuple(group for group, branch in found.items() if network.layers[branch.sum].name not in reasons)
    if not groups:
        return network, rules
    own = {each.name: getattr(rules, each.name) for each in fields(WidthRules)}
    return replace(network, skippable=groups), SkippingWidths(**own, skippable=groups)


def skipping_warnings(network: Network, rules: WidthRules) -> tuple[str, ...]:
    """Return one sentence for each residual block that cannot be skipped although the rules ask for it."""
    if not rules.skip_blocks:
        return ()
    return tuple(
        f"the residual block that '{layer}' adds is not skipped, because {reason}"
        for layer, reason in unskippable(network, rules).items()
    )
