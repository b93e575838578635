"""The options of each group: its widths, combined with the levels of the layers that are at home in it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.formulation.space import DecisionSpace, Offer
from reds_core.formulation.width_rules import WidthRules, thinned_places
from reds_core.knapsack.levels import WIDTH, Dimension
from reds_core.network.description import Network

MAX_NODE_OPTIONS = 1024
"""The most options of a group whose options are widths combined with levels."""


@dataclass(frozen=True, eq=False)
class OptionNode:
    """The options of one group, or of one layer that touches no group.

    Options are ordered by width and then by levels. The last is the full width with all layers as they are.

    Attributes:
        name: The name of the group, or a name that no group has.
        sizes: The widths of the group, int64 (widths,), in rising order; a single 0 if it is not a group.
        offers: The offers of the layers that are at home here.
        rows: The combinations of their levels, int64 (rows, offers), the last of which leaves all layers as they are.
    """

    name: str
    sizes: IntArray
    offers: tuple[Offer, ...] = ()
    rows: IntArray = field(default_factory=lambda: np.zeros((1, 0), np.int64))

    @property
    def is_group(self) -> bool:
        """Whether it is a group of channels."""
        return bool(self.sizes[-1])

    @cached_property
    def size_at(self) -> IntArray:
        """For each option, the index of its width in `sizes`, int64 (options,)."""
        return np.repeat(np.arange(len(self.sizes)), len(self.rows))

    @cached_property
    def row_at(self) -> IntArray:
        """For each option, the index of its levels in `rows`, int64 (options,)."""
        return np.tile(np.arange(len(self.rows)), len(self.sizes))

    @cached_property
    def widths(self) -> IntArray:
        """The width of each option, int64 (options,)."""
        widths: IntArray = self.sizes[self.size_at]
        return widths

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """What the options decide; empty if they are widths alone."""
        if not self.offers:
            return ()
        own = (Dimension(self.name, WIDTH),) if self.is_group else ()
        return (*own, *(Dimension(offer.site, offer.what) for offer in self.offers))

    @property
    def levels(self) -> IntArray | None:
        """The levels of each option, int64 (options, dimensions); None if the options are widths alone."""
        if not self.offers:
            return None
        decided = self.rows[self.row_at]
        return np.column_stack((self.widths, decided)) if self.is_group else decided

    def combinations(self, site: str) -> IntArray:
        """For each row, the index of the levels of one layer among all combinations of its levels, int64 (rows,).

        Combinations are counted as `itertools.product` yields them, the levels of the last offer fastest.
        """
        places = np.zeros(len(self.rows), np.int64)
        for column, offer in enumerate(self.offers):
            if offer.site == site:
                places = places * len(offer.levels) + np.searchsorted(offer.levels, self.rows[:, column])
        return places

    def level_values(
        self,
        values: Mapping[tuple[str, str], FloatArray],
        pair_values: Mapping[tuple[str, str, str], FloatArray],
    ) -> FloatArray:
        """For each option, the sum of the values of its levels, float64 (options,). Levels without values are worth 0.

        Args:
            values: For a layer and what is decided, the value of each offered level.
            pair_values: For a layer and two that are decided, what each two levels are worth beyond that.
        """
        total = np.zeros(len(self.rows))
        places = {
            (offer.site, offer.what): np.searchsorted(offer.levels, self.rows[:, column])
            for column, offer in enumerate(self.offers)
        }
        for key, at in places.items():
            if key in values:
                total += values[key][at]
        for (site, first, second), table in pair_values.items():
            if (site, first) in places and (site, second) in places:
                total += table[places[site, first], places[site, second]]
        spread: FloatArray = total[self.row_at]
        return spread


@dataclass(frozen=True, eq=False)
class OptionNodes:
    """The options of all groups of a network, then those of layers that touch no group.

    Attributes:
        nodes: One for each group, in network order, then one for each other layer with levels.
        warnings: Choices that are not offered because options would become too many, one sentence each.
    """

    nodes: tuple[OptionNode, ...]
    warnings: tuple[str, ...] = ()


def option_nodes(
    network: Network, rules: WidthRules, space: DecisionSpace | None = None, most: int | None = MAX_NODE_OPTIONS
) -> OptionNodes:
    """Combine the widths of each group with the levels of the layers that are at home in it.

    Where the combinations are too many, all layers of one home first get one level in common. If that is not enough,
    fewer widths are offered. Warnings report both.

    Args:
        network: The network.
        rules: The widths of each group.
        space: What can be decided besides widths, and where.
        most: The most options of a group with levels; None for any number.
    """
    at_home: dict[str | None, list[Offer]] = {}
    for offer in () if space is None else space.offers:
        assert space is not None
        at_home.setdefault(space.homes[offer.site], []).append(offer)
    nodes: list[OptionNode] = []
    warnings: list[str] = []
    for group in network.groups:
        own = at_home.get(group.name, [])
        nodes.append(_limited(group.name, rules.widths(group), own, _rows(space, own), most, warnings))
    taken = {node.name for node in nodes}
    alone: dict[str, list[Offer]] = {}
    for offer in at_home.get(None, []):
        alone.setdefault(offer.site, []).append(offer)
    for site, offers in alone.items():
        name = next(n for n in itertools.chain([site], (f"{site}/{i}" for i in itertools.count(2))) if n not in taken)
        taken.add(name)
        nodes.append(_limited(name, np.zeros(1, np.int64), offers, _rows(space, offers), most, warnings))
    return OptionNodes(tuple(nodes), tuple(warnings))


def _rows(space: DecisionSpace | None, offers: Sequence[Offer]) -> list[tuple[int, ...]]:
    """The combinations of the levels of layers that are at home in one group."""
    rows = itertools.product(*(offer.levels.tolist() for offer in offers))
    return [row for row in rows if _can_be_chosen(space, offers, row)]


def _can_be_chosen(space: DecisionSpace | None, offers: Sequence[Offer], row: Sequence[int]) -> bool:
    """Whether the levels in a row can be chosen together for each layer."""
    own: dict[str, list[int]] = {}
    for offer, level in zip(offers, row, strict=True):
        own.setdefault(offer.site, []).append(level)
    return space is None or all(tuple(levels) in space.combinations[site] for site, levels in own.items())


def _limited(
    name: str,
    sizes: IntArray,
    offers: Sequence[Offer],
    possible: Sequence[tuple[int, ...]],
    most: int | None,
    warnings: list[str],
) -> OptionNode:
    """The options of one group, of which there are at most `most` if it has levels.

    Args:
        name: The name of the group.
        sizes: The widths of the group.
        offers: The offers of the layers that are at home in it.
        possible: The combinations of their levels, the last of which leaves all layers as they are.
        most: The most options; None for any number.
        warnings: Receives what is not offered because options would become too many.
    """
    if not offers:
        return OptionNode(name, sizes)
    rows = np.array(possible, np.int64)
    if most is None:
        return OptionNode(name, sizes, tuple(offers), rows)
    if len(sizes) * len(rows) > most and len({offer.site for offer in offers}) > 1:
        common = set(_common_levels(offers))
        rows = np.array([row for row in possible if row in common], np.int64)
        layers = ", ".join(dict.fromkeys(f"'{offer.site}'" for offer in offers))
        warnings.append(
            f"layers {layers} are offered only levels that they have in common, because the options of group "
            f"'{name}' would be more than {most} otherwise; offer fewer widths to allow all combinations"
        )
    if len(sizes) * len(rows) > most:
        fewer = max(most // len(rows), 2)
        if fewer < len(sizes):
            warnings.append(
                f"group '{name}' is offered {fewer} of its {len(sizes)} widths, because its options would be more than "
                f"{most} otherwise"
            )
            sizes = sizes[thinned_places(len(sizes), fewer)]
    return OptionNode(name, sizes, tuple(offers), rows)


def _common_levels(offers: Sequence[Offer]) -> list[tuple[int, ...]]:
    """The combinations in which all layers have the same level, or the next higher one that they are offered."""
    kinds = dict.fromkeys(offer.what for offer in offers)
    union = {what: sorted({int(n) for o in offers if o.what == what for n in o.levels}) for what in kinds}
    rows = []
    for common in itertools.product(*union.values()):
        level = dict(zip(kinds, common, strict=True))
        places = [min(int(np.searchsorted(o.levels, level[o.what])), len(o.levels) - 1) for o in offers]
        rows.append(tuple(int(o.levels[place]) for o, place in zip(offers, places, strict=True)))
    return list(dict.fromkeys(rows))
