"""Rules for the widths that groups may have: unpruned layers, multiples, a minimum width, offers, and thinning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from reds_core.arrays import IntArray
from reds_core.errors import InputError, argument, command
from reds_core.network.description import ChannelGroup, Network

DEFAULT_MAX_OPTIONS = 512


@dataclass(frozen=True)
class WidthRules:
    """Rules for the widths that are options of each group. The full width is always an option.

    Attributes:
        keep: A shell pattern of the names of layers that are not pruned, such as 'stem*'. Groups with such a layer keep
            their full width.
        align: Allow only widths that are multiples of this number, and full widths. This suits SIMD units and NPUs.
            None means auto: multiples of 4 where they cost at most 0.1 % of the value, any width otherwise. The options
            are then all widths, and each search of a run decides.
        min_width: The fewest channels that a layer may keep. Groups that are narrower keep their full width.
        max_options: The most widths that are offered for a layer. Wider layers are offered a selection of their widths,
            which keeps tables small. The steps between these widths grow with the width, see `thinned_places`. At
            least 2.
        skip_blocks: Offer subnetworks without some residual blocks, as one more width, 0, of the channels inside each.
            What is not executed is not counted.

    Raises:
        InputError: If a number is out of range.
    """

    keep: tuple[str, ...] = ()
    align: int | None = None
    min_width: int = 1
    max_options: int = DEFAULT_MAX_OPTIONS
    skip_blocks: bool = False

    def __post_init__(self) -> None:
        for what, figure, least in (
            ("alignment", self.multiple, 1),
            ("smallest width", self.min_width, 1),
            ("largest number of options", self.max_options, 2),
        ):
            if figure < least:
                raise InputError(f"the {what} {figure} is below {least}", f"give {least} or more")

    @property
    def multiple(self) -> int:
        """The number of which all options but the full width are multiples."""
        return 1 if self.align is None else self.align

    def check(self, network: Network) -> None:
        """Refuse patterns that match no layer, since a misspelt pattern would let a layer be pruned.

        Raises:
            InputError: If a pattern matches no layer; the message names the first such pattern.
        """
        names = [layer.name for layer in network.layers]
        names += [layer for group in network.groups for layer in group.layers]  # layers inside other layers
        for pattern in self.keep:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise InputError(
                    f"no layer of network '{network.name}' matches {argument('keep', pattern)}",
                    f"see {command('inspect')} for names",
                )

    def all_widths(self, group: ChannelGroup) -> IntArray:
        """The widths of a group before thinning, int64 (widths,), in rising order."""
        if any(fnmatchcase(layer, pattern) for layer in group.layers for pattern in self.keep):
            return np.array([group.channels], np.int64)
        first = -(-self.min_width // self.multiple) * self.multiple
        # a Python range, since numbers that users give may exceed 64 bits
        possible = self.among(group, range(first, group.channels, self.multiple))
        none = (0,) if self.may_skip(group) else ()
        return np.array([*none, *possible, group.channels], np.int64)

    def may_skip(self, group: ChannelGroup) -> bool:
        """Whether a group may have no channels at all. By default none may, since that depends on the network."""
        return False

    def among(self, group: ChannelGroup, possible: range) -> Iterable[int]:
        """Which of some widths below the full one are options of a group. By default they all are."""
        return possible

    def widths(self, group: ChannelGroup) -> IntArray:
        """The widths that are options of a group, int64 (options,), in rising order. The last is its full width."""
        widths = self.all_widths(group)
        if len(widths) <= self.max_options:
            return widths
        if widths[0]:
            return widths[thinned_places(len(widths), self.max_options)]
        most = self.max_options - 1
        some = widths[1:][thinned_places(len(widths) - 1, most)] if most > 1 else widths[-1:]
        return np.concatenate([widths[:1], some])

    def free(self, network: Network) -> tuple[str, ...]:
        """The names of the groups that have more than one option, in network order. All others stay whole."""
        return tuple(g.name for g in network.groups if len(self.widths(g)) > 1)

    def thinned(self, network: Network) -> dict[str, tuple[int, int]]:
        """The thinned groups: for each the number of its options, and the number without thinning."""
        counts = {g.name: (len(self.widths(g)), len(self.all_widths(g))) for g in network.groups}
        return {name: pair for name, pair in counts.items() if pair[0] < pair[1]}

    def narrowest(self, network: Network) -> Mapping[str, int]:
        """The smallest width of each group."""
        return {g.name: int(self.widths(g)[0]) for g in network.groups}


@dataclass(frozen=True)
class OfferedWidths(WidthRules):
    """Rules for a network of which a table states some widths alone, which are the only options.

    Attributes:
        offered: The widths that the table states, by the name of the group. All other rules apply to them.
    """

    offered: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @staticmethod
    def of(rules: WidthRules, offered: Mapping[str, tuple[int, ...]]) -> WidthRules:
        """Return rules with the widths that a table states; the same rules if it states none."""
        own = (rules.keep, rules.align, rules.min_width, rules.max_options, rules.skip_blocks)
        return OfferedWidths(*own, offered) if offered else rules

    def check(self, network: Network) -> None:
        """Refuse what `WidthRules` refuses, and rules that leave none of the widths that the table states.

        Raises:
            InputError: If there are such rules.
        """
        super().check(network)
        if not network.groups or self.free(network):
            return
        group = max(network.groups, key=lambda each: len(self.offered.get(each.name, ())))
        stated = ", ".join(str(width) for width in self.offered.get(group.name, ())) or "none"
        raise InputError(
            f"no width of the table is left besides the full ones (those of '{group.name}' are {stated})",
            f"leave out {argument('keep')}, {argument('align')} or {argument('min_width')}, or make a table of more "
            f"widths with {command('latency')} and {argument('points')}",
        )

    def among(self, group: ChannelGroup, possible: range) -> Iterable[int]:
        return (width for width in self.offered.get(group.name, ()) if width in possible)


@dataclass(frozen=True)
class SkippingWidths(WidthRules):
    """Rules for a network of which some residual blocks may be skipped.

    Attributes:
        skippable: The names of the groups that may have no channels at all, whatever the other rules say of their
            widths.
    """

    skippable: tuple[str, ...] = ()

    def may_skip(self, group: ChannelGroup) -> bool:
        return group.name in self.skippable


def thinned_places(count: int, most: int) -> IntArray:
    """Which of `count` widths remain if at most `most` may: the narrow ones, then some at growing steps.

    After the first ones, half of the options are spread evenly and half by a constant ratio. The even half loses little
    value under budgets of a quarter and more; the other half leaves a choice to tiny budgets.

    Args:
        count: the number of widths, more than `most`.
        most: the number of widths that remain, at least 2.

    Returns:
        Rising indices, int64 (most,), the first 0 and the last `count` - 1.
    """
    dense = np.arange(1, most)
    density = (most - dense) * (0.5 / (count - dense) + 0.5 / (dense * np.log(count / dense)))
    begin = int(dense[np.argmax(density <= 1)])  # the fewest places after which all steps are at least 1
    spread = np.arange(begin, count + 1)
    shares = 0.5 * (spread - begin) / (count - begin) + 0.5 * np.log(spread / begin) / np.log(count / begin)
    order = np.arange(1, most - begin + 1)
    places = np.rint(np.interp(order / order[-1], shares, spread)).astype(np.int64)
    places = np.maximum.accumulate(places - order) + order  # interpolation may make a step slightly too short
    result: IntArray = np.concatenate((np.arange(1, begin + 1), places)) - 1
    return result
