"""What levels of layers cost, as functions of widths: counted on the described layers, then laid out as tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import IntArray
from reds_core.cost.counting import (
    BITS_PER_BYTE,
    CostTerm,
    PeakForm,
    ResourceForm,
    SumForm,
    covers,
    peak_form,
    terms_form,
)
from reds_core.cost.resources import RESOURCES, CostModel
from reds_core.errors import UnsupportedError
from reds_core.formulation.nodes import OptionNode
from reds_core.formulation.space import DecisionSpace
from reds_core.knapsack.levels import LevelSettings
from reds_core.knapsack.problem import PeakResource, PeakStep
from reds_core.network.axis import LinearForm
from reds_core.transforms.describing import DescribedNetwork, described_sites


@dataclass(frozen=True, eq=False)
class LevelForm:
    """The use of a resource as a function of widths and of the levels of layers.

    Attributes:
        rest: What does not depend on levels.
        sites: For each layer whose levels matter, the use at each combination of its levels, in the order of
            `OptionNode.combinations`. These forms are of the kind of `rest`, and the whole is their sum or maximum.
    """

    rest: ResourceForm
    sites: Mapping[str, tuple[SumForm | PeakForm, ...]]

    def least(self, widths: Mapping[str, int]) -> int:
        """The use at given widths with each layer at its cheapest levels."""
        least = [self.rest.at(widths), *(min(f.at(widths) for f in forms) for forms in self.sites.values())]
        return max(least) if isinstance(self.rest, PeakForm) else sum(least)


def level_form(space: DecisionSpace, resource: str, costs: CostModel) -> LevelForm:
    """Count a resource at every combination of levels of every layer.

    The network is described once for each combination, with all layers at their own combination of that number,
    because what one layer costs does not depend on the levels of others.

    Raises:
        UnsupportedError: If levels change a resource that cannot be attributed to layers, or the tensors between
            layers where these are counted.
    """
    counted, terms, steps = RESOURCES[resource], RESOURCES[resource].terms, RESOURCES[resource].steps
    if terms is None and steps is None:
        return LevelForm(counted.form(space.network, costs), {})
    combinations = {
        site: list(itertools.product(*(offer.levels.tolist() for offer in offers))) for site, offers in space.at.items()
    }
    forms: dict[str, dict[int, SumForm | PeakForm]] = {site: {} for site in combinations}
    fixed: dict[str, SumForm | PeakForm] = {}
    for back in range(1, max(map(len, combinations.values()), default=1) + 1):
        # counted from the last combination, which leaves every layer as it is
        chosen = {site: max(len(rows) - back, 0) for site, rows in combinations.items()}
        settings = LevelSettings(
            {
                site: {o.what: level for o, level in zip(space.at[site], combinations[site][place], strict=True)}
                for site, place in chosen.items()
            }
        )
        found = described_sites(space.network, space.deciding, settings)
        if terms is not None:
            by_site = _summed_by_site(space, found, terms(found.network, costs))
        else:
            assert steps is not None
            if found.network.tensors[: len(space.network.tensors)] != space.network.tensors:
                raise UnsupportedError(
                    f"the levels of {_named(space)} change tensors between layers, so {resource} cannot be limited",
                    f"leave out the budget of {resource}, or the transform",
                )
            by_site = _largest_by_site(found, steps(found.network, costs))
        fixed = fixed or by_site
        for site, place in chosen.items():
            forms[site].setdefault(place, by_site.get(site, SumForm() if terms is not None else PeakForm(())))
    listed = {site: tuple(own[place] for place in range(len(own))) for site, own in forms.items()}
    varying = {site: own for site, own in listed.items() if any(form != own[-1] for form in own)}
    still = [form for site, form in fixed.items() if site not in varying]
    if terms is not None:
        return LevelForm(summed(form for form in still if isinstance(form, SumForm)), varying)
    return LevelForm(peak_form(s for form in still if isinstance(form, PeakForm) for s in form.steps), varying)


def _summed_by_site(
    space: DecisionSpace, found: DescribedNetwork, terms: Iterable[CostTerm]
) -> dict[str, SumForm | PeakForm]:
    """What the calls of each layer add up to."""
    own: dict[str, list[CostTerm]] = {}
    for term in terms:
        own.setdefault(found.sites[term.layer], []).append(term)
    return {site: terms_form(space.network, each) for site, each in own.items()}


def _largest_by_site(found: DescribedNetwork, steps: Iterable[tuple[int, LinearForm]]) -> dict[str, SumForm | PeakForm]:
    """The largest use during the calls of each layer."""
    own: dict[str, list[LinearForm]] = {}
    for call, step in steps:
        own.setdefault(found.sites[call], []).append(step)
    return {site: peak_form(each) for site, each in own.items()}


def _named(space: DecisionSpace) -> str:
    return " and ".join(dict.fromkeys(f"transform '{offer.transform.name}'" for offer in space.offers))


def summed(forms: Iterable[SumForm]) -> SumForm:
    """Return the sum of forms."""
    constant = 0
    packed: list[SumForm] = []
    linear: dict[str, int] = {}
    products: dict[tuple[str, str], int] = {}
    for form in forms:
        constant += form.constant
        packed += form.packed
        for group, c in form.linear.items():
            linear[group] = linear.get(group, 0) + c
        for pair, c in form.products.items():
            products[pair] = products.get(pair, 0) + c
    return SumForm(constant, linear, products, tuple(packed))


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
        for bits in form.packed:
            for piece in _pieces(bits):
                self._add_packed(piece, min(piece.groups, key=self._rank.__getitem__, default=None))

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
            for bits in form.packed:
                for piece in _pieces(bits, home):
                    self._add_packed(piece, home, at == place)

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

    def _add_packed(self, bits: SumForm, home: str | None, where: IntArray | None = None) -> None:
        """Add a size in bits, rounded up to bytes, for the options of a home that `where` selects."""
        others = sorted(bits.groups - {home}, key=self._rank.__getitem__)
        if home is None:
            self.base += -(-bits.constant // BITS_PER_BYTE)
            return
        node = self._nodes[home]
        widths = {home: node.widths[:, None]} | {other: self._nodes[other].sizes[None, :] for other in others}
        size = bits.constant + sum(c * widths[g] for g, c in bits.linear.items())
        size = size + sum(c * widths[a] * widths[b] for (a, b), c in bits.products.items())
        costs = -(-np.broadcast_to(size, (len(node.widths), len(self._nodes[others[0]].sizes) if others else 1)) // 8)
        if where is not None:
            costs = np.where(where[:, None], costs, 0)
        if others:
            self._add_joint(home, others[0], costs)
        else:
            self._add_own(home, costs[:, 0])


def _pieces(bits: SumForm, home: str | None = None) -> list[SumForm]:
    """A size in bits in pieces of two groups at most, with the home among them if there is one.

    Most sizes are one piece. The kernel behind a concatenation of several groups has one piece for each, and each is
    rounded up by itself, so that the sum is less than a byte a piece above the size as a whole.
    """
    groups = bits.groups | ({home} if home is not None else set())
    if len(groups) <= 2:
        return [bits]
    pieces = [SumForm(bits.constant)] if bits.constant else []
    pieces += [SumForm(0, {group: c}) for group, c in bits.linear.items()]
    pieces += [SumForm(0, {}, {pair: c}) for pair, c in bits.products.items()]
    return pieces


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

    def stated(step: LinearForm, own: Mapping[str, IntArray]) -> PeakStep:
        costs = {group: c * nodes[index[group]].widths for group, c in step.coefficients}
        costs |= {name: costs[name] + extra if name in costs else extra for name, extra in own.items()}
        return PeakStep(step.constant, tuple(index[group] for group in costs), tuple(costs.values()))

    steps = [stated(step, {}) for step in form.rest.steps]
    for node in nodes:
        for site in (site for site in dict.fromkeys(offer.site for offer in node.offers) if site in form.sites):
            at = node.combinations(site)[node.row_at]
            for place, peak in enumerate(form.sites[site]):
                assert isinstance(peak, PeakForm)
                for step in peak.steps:
                    if not any(covers(other, step) for other in form.rest.steps):
                        most = step.constant + sum(c * int(nodes[index[g]].widths[-1]) for g, c in step.coefficients)
                        steps.append(stated(step, {node.name: np.where(at == place, 0, -most)}))
    return PeakResource(name, capacity, tuple(steps))
