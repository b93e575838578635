"""What can be decided about the layers of a network besides widths, and in which options it is decided.

Levels of a layer are decided in the options of one group of channels, the home of the layer, so that what the layer
costs depends on the options of two groups at most.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from reds_core.arrays import IntArray
from reds_core.cost.counting import BITS_PER_BYTE, product_sum
from reds_core.errors import ContractViolation
from reds_core.formulation.homes import least_loaded
from reds_core.knapsack.levels import LevelSettings, Nesting
from reds_core.network.axis import Axis
from reds_core.network.description import Network
from reds_core.transforms.describing import described, described_part, layer_parts
from reds_core.transforms.transform import LayerPart, Stage, Transform

Refusal = Callable[[str, str, int], str | None]
"""Why no file that is asked for can have a layer at a level, from the name of the layer, the name of what is decided
and the level; None if one can."""


@dataclass(frozen=True, eq=False)
class Offer:
    """Levels of one layer that can be chosen.

    Attributes:
        site: The name of the layer.
        transform: The transform that offers them.
        levels: The levels, int64 (levels,), at least two, in rising order. The last leaves the layer as it is.
    """

    site: str
    transform: Transform
    levels: IntArray

    @property
    def what(self) -> str:
        """The name of what is decided."""
        return self.transform.what


@dataclass(frozen=True)
class NotOffered:
    """Levels of one layer that cannot be chosen.

    Attributes:
        site: The name of the layer.
        what: The name of what would be decided.
        level: The level, or None if the layer has no levels to choose from at all.
        reason: Why, as a clause.
    """

    site: str
    what: str
    level: int | None
    reason: str


@dataclass(frozen=True, eq=False)
class DecisionSpace:
    """What can be decided about the layers of a network besides widths.

    Attributes:
        network: The network. Transforms that set one level for all layers are already applied to it.
        transforms: All transforms, including those that offer nothing.
        offers: What can be chosen, by layer in execution order.
        homes: For each layer with an offer, the group in whose options its levels lie. None for a layer that touches no
            group, which gets a list of options of its own.
        not_offered: What cannot be chosen, and why.
        warnings: Layers whose levels cannot be decided although targets could have them, one sentence each.
    """

    network: Network
    transforms: tuple[Transform, ...]
    offers: tuple[Offer, ...]
    homes: Mapping[str, str | None] = field(default_factory=dict)
    not_offered: tuple[NotOffered, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def nesting(self) -> Mapping[str, Nesting]:
        """How the levels of members of a family must agree, by the name of what is decided."""
        return {offer.what: offer.transform.nests for offer in self.offers}

    @property
    def deciding(self) -> tuple[Transform, ...]:
        """The transforms that do not set one level for all layers."""
        return tuple(transform for transform in self.transforms if transform.network_level is None)

    @cached_property
    def at(self) -> Mapping[str, tuple[Offer, ...]]:
        """The offers of each layer that has any."""
        grouped: dict[str, list[Offer]] = {}
        for offer in self.offers:
            grouped.setdefault(offer.site, []).append(offer)
        return {site: tuple(offers) for site, offers in grouped.items()}

    @cached_property
    def combinations(self) -> Mapping[str, frozenset[tuple[int, ...]]]:
        """For each layer with offers, the combinations of its levels that can be chosen, in the order of its offers.

        A combination that describes the same layer as another one of higher levels costs the same and restricts the
        weights more, so it is not among them. For example, fewer bits save nothing in a layer with codebooks.
        """
        parts = layer_parts(self.network)
        return {site: _worthwhile(parts[site], offers) for site, offers in self.at.items()}

    @property
    def replacing_pairs(self) -> tuple[tuple[Offer, Offer], ...]:
        """Two offers for one layer, the first of which replaces it, where both can change it at once."""
        return tuple(
            (first, second)
            for site, offers in self.at.items()
            for i, first in enumerate(offers)
            for j, second in enumerate(offers)
            if first.transform.stage is Stage.REWRITE and second.transform.stage is not Stage.REWRITE
            and any(row[i] < first.levels[-1] and row[j] < second.levels[-1] for row in self.combinations[site])
        )  # fmt: skip

    def described(self, settings: LevelSettings) -> Network:
        """Return the network with its layers at the levels of `settings`.

        Levels that transforms set for all layers may be among them, and are not applied again.
        """
        return described(self.network, self.deciding, settings)


def decision_space(network: Network, transforms: Sequence[Transform], refusal: Refusal | None = None) -> DecisionSpace:
    """Ask transforms what they offer for each layer of a network, and find a home for each layer.

    Args:
        network: The description of the network.
        transforms: The transforms, in any order.
        refusal: Why no file that is asked for can have a layer at a level. It is not asked about last levels. By
            default every level is possible.

    Raises:
        ContractViolation: If a transform offers levels that do not rise, or describes a layer at its last level so
            that it costs something else than the layer as it is.
    """
    network = described(network, transforms, LevelSettings())  # at the levels that all layers have
    parts = layer_parts(network)
    sharing = _sharing(network)
    offers: list[Offer] = []
    not_offered: list[NotOffered] = []
    warnings: list[str] = []
    deciding = [t for t in sorted(transforms, key=lambda t: t.stage) if t.network_level is None]
    candidates: dict[str, tuple[str, ...]] = {}
    homes: dict[str, str | None] = {}
    for site, part in parts.items():
        own = []
        for transform in deciding:
            offer, without = _offer(network, part, site, transform, sharing.get(site), refusal)
            not_offered += without
            own += [] if offer is None else [offer]
        if not own:
            continue
        touched = _touched(network, part, own)
        possible = _possible_homes(touched)
        if touched and not possible:
            for offer in own:
                reason = "it depends on several groups of channels, of which none is part of everything it costs"
                not_offered.append(NotOffered(site, offer.what, None, reason))
                warnings.append(f"the {offer.what} of layer '{site}' stays {offer.levels[-1]}, because {reason}")
            continue
        offers += own
        if possible:
            candidates[site] = tuple(sorted(possible, key=network.channels.__getitem__))
        else:
            homes[site] = None
    homes.update(least_loaded(candidates))
    ordered = {offer.site: homes[offer.site] for offer in offers}
    return DecisionSpace(network, tuple(transforms), tuple(offers), ordered, tuple(not_offered), tuple(warnings))


def _offer(
    network: Network, part: LayerPart, site: str, transform: Transform, sharer: str | None, refusal: Refusal | None
) -> tuple[Offer | None, list[NotOffered]]:
    """The levels of a layer that can be chosen, and those that cannot."""
    what = transform.what
    offered = transform.offered(network, site)
    levels = np.asarray(offered.levels, np.int64)
    if levels.ndim != 1 or np.any(levels[1:] <= levels[:-1]):
        raise _violated(transform, f"offered the levels {levels.tolist()} for layer '{site}', which do not rise")
    if len(levels) < 2:
        why = offered.reason or (f"{levels[0]} is its only level" if len(levels) else "")
        return None, [NotOffered(site, what, None, why)] if why else []
    if sharer is not None:
        return None, [NotOffered(site, what, None, f"it shares weights with layer '{sharer}'")]
    last = int(levels[-1])
    if _counted(network, transform.described(part, last)) != _counted(network, part):
        raise _violated(transform, f"changed what layer '{site}' costs at its last level {last}")
    not_offered = []
    for level in levels[:-1].tolist():
        reason = None if refusal is None else refusal(site, what, level)
        if reason is not None:
            not_offered.append(NotOffered(site, what, level, reason))
    refused = {each.level for each in not_offered}
    kept = np.array([level for level in levels.tolist() if level not in refused], np.int64)
    return (Offer(site, transform, kept) if len(kept) > 1 else None), not_offered


def _violated(transform: Transform, what: str) -> ContractViolation:
    return ContractViolation(f"transform '{transform.name}' {what}", "report it to its author, or leave it out")


def _sharing(network: Network) -> Mapping[str, str]:
    """For each layer that shares a weight with a layer of another name, the name of one such layer."""
    users: dict[int, dict[str, None]] = {}
    for layer in network.layers:
        for weight in layer.weights:
            users.setdefault(weight, {})[layer.name] = None
    sharing: dict[str, str] = {}
    for names in users.values():
        for name in names if len(names) > 1 else ():
            sharing.setdefault(name, next(other for other in names if other != name))
    return sharing


def _counted(network: Network, part: LayerPart) -> tuple[object, ...]:
    """What a part costs, in a form that compares equal for parts that cost the same."""

    def bits(given: int | None) -> int:
        return BITS_PER_BYTE if given is None else given

    macs = product_sum(network, ((term.coefficient, term.factors) for layer in part.layers for term in layer.macs))
    stored = ((bits(weight.bits) * weight.density_percent, weight.axes) for weight in part.weights)
    weights = product_sum(network, stored)
    tensors = [(t.positions, t.axis, bits(t.bits)) for t in part.tensors]
    return macs, weights, tensors, [layer.inside for layer in part.layers]


def _worthwhile(part: LayerPart, offers: Sequence[Offer]) -> frozenset[tuple[int, ...]]:
    """The combinations of the levels of a layer that no other one of higher levels describes as well."""
    every = list(itertools.product(*(offer.levels.tolist() for offer in offers)))
    if len(offers) == 1:
        return frozenset(every)
    alike: dict[LayerPart, list[tuple[int, ...]]] = {}
    for levels in every:
        changed = described_part(part, [(o.transform, level) for o, level in zip(offers, levels, strict=True)])
        alike.setdefault(changed, []).append(levels)

    def is_below(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        return one != other and all(a <= b for a, b in zip(one, other, strict=True))

    return frozenset(one for same in alike.values() for one in same if not any(is_below(one, each) for each in same))


def _touched(network: Network, part: LayerPart, offers: Sequence[Offer]) -> set[frozenset[str]]:
    """The groups that occur together in a term of what a layer costs at any of its levels."""
    touched: set[frozenset[str]] = set()
    for levels in itertools.product(*(offer.levels.tolist() for offer in offers)):
        changed = described_part(part, [(o.transform, level) for o, level in zip(offers, levels, strict=True)])
        products: dict[tuple[Axis, ...], None] = {}
        for layer in changed.layers:
            products.update(dict.fromkeys(term.factors for term in layer.macs))
        products.update(dict.fromkeys(weight.axes for weight in changed.weights))
        for factors in products:
            form = product_sum(network, [(1, factors)])
            touched.update(frozenset((group,)) for group in form.linear)
            touched.update(frozenset(pair) for pair in form.products)
    return touched


def _possible_homes(touched: set[frozenset[str]]) -> set[str]:
    """The groups that are part of every term, or that another term joins to the only group of a term."""

    def fits(home: str) -> bool:
        return all(home in groups or (len(groups) == 1 and groups | {home} in touched) for groups in touched)

    return {group for groups in touched for group in groups if fits(group)}
