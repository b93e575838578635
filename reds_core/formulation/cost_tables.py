"""Costs of widths and levels as tables of the options of groups, as resources of problems have them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from reds_core.arrays import BoolArray, IntArray
from reds_core.cost.activation_memory import covers
from reds_core.cost.counting import (
    GroupTables,
    PackedSize,
    PeakForm,
    PeakTerm,
    SumForm,
    summed,
)
from reds_core.formulation.level_costs import LevelForm
from reds_core.formulation.nodes import OptionNode
from reds_core.knapsack.problem import PeakResource, PeakStep
from reds_core.network.axis import LinearForm


class CostTables:
    """The cost of a sum resource as tables of options, accumulated form by form.

    Attributes:
        base: Usage that does not depend on any option.
        bilinear: Coefficients of products of two widths, by pair of groups in network order.
    """

    def __init__(self, nodes: Sequence[OptionNode]) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._rank = {node.name: rank for rank, node in enumerate(nodes)}
        self._own: dict[str, IntArray] = {}
        # by home and other group: int64 (options of the home, widths of the other group)
        self._joint: dict[tuple[str, str], IntArray] = {}
        self.base = 0
        self.bilinear: dict[tuple[str, str], int] = {}

    def add(self, form: SumForm) -> None:
        """Add a form that depends on widths alone."""
        self.base += form.constant
        for group, c in form.linear.items():
            self._add_own(group, c * self._nodes[group].widths)
        for (a, b), c in form.products.items():
            if a == b:
                self._add_own(a, c * self._nodes[a].widths ** 2)
            else:
                self.bilinear[a, b] = self.bilinear.get((a, b), 0) + c
        for size in form.packed:
            for piece in _pieces(size):
                self._add_packed(piece, min(piece.amount.groups, key=self._rank.__getitem__, default=None))
        for group, part in form.executed.items():
            if self._nodes[group].widths[0]:
                self.add(part)
            else:
                self._add_executed(group, part)

    def add_site(self, home: str, combinations: IntArray, forms: Sequence[SumForm]) -> None:
        """Add what one layer costs.

        Args:
            home: The name of the node in whose options its levels lie.
            combinations: For each row of levels of that node, the index of the combination of the layer's levels.
            forms: What it costs at each combination.
        """
        node = self._nodes[home]
        at = combinations[node.row_at]
        self._add_own(home, np.array([form.constant for form in forms], np.int64)[at])
        for group in dict.fromkeys(g for form in forms for g in form.linear):
            c = np.array([form.linear.get(group, 0) for form in forms], np.int64)
            self._add_product(home, group, c[at], power=1)
        for pair in dict.fromkeys(p for form in forms for p in form.products):
            c = np.array([form.products.get(pair, 0) for form in forms], np.int64)
            if pair[0] == pair[1]:
                self._add_product(home, pair[0], c[at], power=2)
            elif np.all(c == c[0]):
                self.bilinear[pair] = self.bilinear.get(pair, 0) + int(c[0])
            else:
                other = pair[1] if pair[0] == home else pair[0]
                self._add_product(home, other, c[at] * node.widths, power=1)
        for place, form in enumerate(forms):
            for size in form.packed:
                for piece in _pieces(size, home):
                    self._add_packed(piece, home, at == place)
        for group in dict.fromkeys(g for form in forms for g in form.executed):
            parts = [form.executed.get(group, SumForm()) for form in forms]
            if self._nodes[group].widths[0]:
                self.add_site(home, combinations, parts)
            elif all(part == parts[0] for part in parts):
                self._add_executed(group, parts[0])
            else:
                for place, part in enumerate(parts):
                    self._add_executed(group, part, home, at == place)

    def pairs(self) -> set[tuple[str, str]]:
        """The pairs of groups that have a cost together, in network order."""
        joint = {pair if self._rank[pair[0]] < self._rank[pair[1]] else pair[::-1] for pair in self._joint}
        return {pair for pair, c in self.bilinear.items() if c} | joint

    def own(self, name: str) -> IntArray:
        """The cost of each option of a group, int64 (options,)."""
        return self._own.get(name, np.zeros(len(self._nodes[name].widths), np.int64))

    def joint(self, first: str, second: str) -> IntArray | None:
        """The cost of two groups together without bilinear terms, int64 (options, options), or None for zeros."""
        here, there = self._joint.get((first, second)), self._joint.get((second, first))
        a, b = self._nodes[first], self._nodes[second]
        total: IntArray | None = None
        if here is not None:
            total = here[:, b.size_at]
        if there is not None:
            turned = there[:, a.size_at].T
            total = turned if total is None else total + turned
        return None if total is None or not total.any() else np.ascontiguousarray(total)

    def _add_executed(self, group: str, form: SumForm, home: str | None = None, where: IntArray | None = None) -> None:
        """Add what is used only if a group has any channels.

        Args:
            group: the name of the group.
            form: what is used.
            home: the group in whose options the levels lie at which it is used; None for any levels.
            where: the options of the home at which it is used, bool (options,).
        """
        others = sorted((form.all_groups | ({home} if home else set())) - {group}, key=self._rank.__getitem__)
        for terms in _by_other(form, group, others, home):
            names = sorted(terms.all_groups - {group}, key=self._rank.__getitem__) or ([home] if home else [])
            if home is not None and home not in (group, *names):
                names.append(home)
            if len(names) > 1:
                raise AssertionError("what a branch costs depends on three groups")
            own = self._nodes[group]
            is_on: BoolArray = own.widths > 0
            if home == group and where is not None:
                is_on = is_on & where.astype(bool)
            other = self._nodes[names[0]] if names else None
            if other is None:
                self._add_own(group, np.where(is_on, _amounts(terms, {group: own.widths}), 0))
            elif home == other.name and where is not None:
                found = _amounts(terms, {group: own.sizes[None, :], other.name: other.widths[:, None]})
                shape = (len(other.widths), len(own.sizes))
                on = where[:, None] & (own.sizes > 0)[None, :]
                self._add_joint(other.name, group, np.where(on, np.broadcast_to(found, shape), 0))
            else:
                found = _amounts(terms, {group: own.widths[:, None], other.name: other.sizes[None, :]})
                shape = (len(own.widths), len(other.sizes))
                self._add_joint(group, other.name, np.where(is_on[:, None], np.broadcast_to(found, shape), 0))

    def _add_own(self, name: str, costs: IntArray) -> None:
        self._own[name] = self._own[name] + costs if name in self._own else costs

    def _add_product(self, home: str, group: str, coefficients: IntArray, power: int) -> None:
        """Add coefficient x width^power of a group, where coefficients are those of the options of a home."""
        if group == home:
            self._add_own(home, coefficients * self._nodes[home].widths ** power)
        elif np.all(coefficients == coefficients[0]):
            self._add_own(group, coefficients[0] * self._nodes[group].widths ** power)
        else:
            self._add_joint(home, group, coefficients[:, None] * self._nodes[group].sizes[None, :] ** power)

    def _add_joint(self, home: str, other: str, costs: IntArray) -> None:
        key = (home, other)
        self._joint[key] = self._joint[key] + costs if key in self._joint else costs

    def _add_packed(self, size: PackedSize, home: str | None, where: IntArray | None = None) -> None:
        """Add a size that is rounded up to bytes for the options of a home that `where` selects."""
        others = sorted(size.amount.groups - {home}, key=self._rank.__getitem__)
        if home is None:
            self.base += -(-size.amount.constant // size.per_byte)
            return
        node = self._nodes[home]
        widths = {home: node.widths[:, None]} | {other: self._nodes[other].sizes[None, :] for other in others}
        amount = size.amount.constant + sum(c * widths[g] for g, c in size.amount.linear.items())
        amount = amount + sum(c * widths[a] * widths[b] for (a, b), c in size.amount.products.items())
        shape = (len(node.widths), len(self._nodes[others[0]].sizes) if others else 1)
        costs = -(-np.broadcast_to(amount, shape) // size.per_byte)
        if where is not None:
            costs = np.where(where[:, None], costs, 0)
        if others:
            self._add_joint(home, others[0], costs)
        else:
            self._add_own(home, costs[:, 0])


def _by_other(form: SumForm, group: str, others: Sequence[str], home: str | None) -> list[SumForm]:
    """The parts of a form that depend on a group and at most one other, the constant with the home if there is one."""
    parts: dict[str | None, SumForm] = {}

    def add(groups: Collection[str], part: SumForm) -> None:
        other = next((each for each in others if each in groups), home if home != group else None)
        parts[other] = summed([parts.get(other, SumForm()), part])

    add((), SumForm(form.constant))
    for name, c in form.linear.items():
        add((name,), SumForm(0, {name: c}))
    for pair, c in form.products.items():
        add(pair, SumForm(0, {}, {pair: c}))
    for size in form.packed:
        add(size.amount.groups, SumForm(packed=(size,)))
    return list(parts.values())


def _amounts(form: SumForm, widths: Mapping[str, IntArray]) -> IntArray:
    """The values of a form for arrays of widths, which are broadcast."""
    total = np.int64(form.constant) + sum(c * widths[g] for g, c in form.linear.items())
    total = total + sum(c * widths[a] * widths[b] for (a, b), c in form.products.items())
    for size in form.packed:
        total = total + -(-_amounts(size.amount, widths) // size.per_byte)
    return np.asarray(total, np.int64)


def _pieces(size: PackedSize, home: str | None = None) -> list[PackedSize]:
    """A size that is rounded up, in pieces of two groups at most, with the home among them if there is one.

    Most sizes are one piece. The kernel behind a concatenation of several groups has one piece for each, and each is
    rounded up by itself, so that the sum is less than a byte a piece above the size as a whole.
    """
    amount = size.amount
    groups = amount.groups | ({home} if home is not None else set())
    if len(groups) <= 2:
        return [size]
    pieces = [SumForm(amount.constant)] if amount.constant else []
    pieces += [SumForm(0, {group: c}) for group, c in amount.linear.items()]
    pieces += [SumForm(0, {}, {pair: c}) for pair, c in amount.products.items()]
    return [PackedSize(piece, size.per_byte) for piece in pieces]


def peak_resource(name: str, capacity: int, form: LevelForm, nodes: Sequence[OptionNode]) -> PeakResource:
    """Return a peak resource with the steps of a form as tables of options.

    A step that a layer only has at some of its levels costs so little in options of other levels that it is never the
    largest.

    Args:
        name: The name of the resource.
        capacity: How much of it may be used.
        form: Its use, the maximum of steps.
        nodes: The options of each group.
    """
    assert isinstance(form.rest, PeakForm)
    index = {node.name: i for i, node in enumerate(nodes)}

    widths = {node.name: node.widths for node in nodes}

    def stated(step: PeakTerm, own: Mapping[str, IntArray]) -> PeakStep:
        base, costs = _step_tables(step, widths)
        costs |= {name: costs[name] + extra if name in costs else extra for name, extra in own.items()}
        return PeakStep(base, tuple(index[group] for group in costs), tuple(costs.values()))

    steps = [stated(step, {}) for step in form.rest.steps]
    for each in form.rest.executed:
        skipping = [name for name in each.groups if not widths[name][0]]
        base, costs = _step_tables(each.step, widths)
        most = base + sum(int(own.max()) for own in costs.values())
        steps.append(stated(each.step, {name: np.where(widths[name] > 0, 0, -most) for name in sorted(skipping)}))
    for node in nodes:
        for site in (site for site in dict.fromkeys(offer.site for offer in node.offers) if site in form.sites):
            at = node.combinations(site)[node.row_at]
            for place, peak in enumerate(form.sites[site]):
                assert isinstance(peak, PeakForm)
                for step in peak.steps:
                    if not any(covers(other, step) for other in form.rest.steps):
                        base, costs = _step_tables(step, widths)
                        most = base + sum(int(own.max()) for own in costs.values())
                        steps.append(stated(step, {node.name: np.where(at == place, 0, -most)}))
    return PeakResource(name, capacity, tuple(steps))


def _step_tables(step: PeakTerm, widths: Mapping[str, IntArray]) -> tuple[int, dict[str, IntArray]]:
    """Return a constant and tables of options, by group, whose sum is what a step uses.

    A part of a rounded sum that depends on several groups, such as the size of a concatenation, has no such tables. For
    such a part, the sum is an upper bound, which is too large by less than the multiple, and exact if what each option
    adds to the part is a multiple as well.

    Args:
        step: The step.
        widths: The width of each option, by group, int64 (options,).
    """
    if isinstance(step, LinearForm):
        return step.constant, {group: c * widths[group] for group, c in step.coefficients}
    if isinstance(step, GroupTables):
        return step.constant, {group: table[widths[group] - 1] for group, table in step.groups.items()}
    base, costs = 0, dict[str, IntArray]()
    for part in step.parts:
        own = {group: c * widths[group] for group, c in part.coefficients}
        if len(own) == 1:
            own = {group: _rounded_up(part.constant + cost, step.multiple) for group, cost in own.items()}
        elif not own:
            base += int(_rounded_up(np.array(part.constant), step.multiple))
        else:
            values = np.concatenate([[part.constant, step.multiple], *own.values()])
            base += part.constant + step.multiple - int(np.gcd.reduce(values))
        for group, cost in own.items():
            costs[group] = costs[group] + cost if group in costs else cost
    return base, costs


def _rounded_up(sizes: IntArray, multiple: int) -> IntArray:
    return -(-sizes // multiple) * multiple
