"""Costs of networks that may do without residual branches: what is not executed is not counted.

How much the other layers use may depend on whether a branch is executed, since tensors are in memory together and
neighbours are fused. Networks are therefore counted with and without each branch, and the differences are used only if
the group of the branch has any channels.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import combinations
from typing import TypeVar

from reds_core.cost.activation_memory import covers, peak_form
from reds_core.cost.counting import CostTerm, ExecutedStep, PeakForm, PeakTerm, SumForm, summed, terms_form
from reds_core.network.branches import skippable_branches, without_branches
from reds_core.network.description import Network

_MOST_BRANCHES = 3
"""The most branches of which every combination is considered for one step."""

T = TypeVar("T", bound=Hashable)


def executed_sum(network: Network, terms: Callable[[Network], Iterable[CostTerm]]) -> SumForm:
    """Return the sum of what calls of layers add, of which a part is used only if branches are executed.

    It is exact as long as no call adds another amount without one branch than with it and another amount without
    another branch. It is then counted with both of them.

    Args:
        network: the network, whose branches of `skippable` groups need not be executed.
        terms: returns what the calls of a network add.
    """
    if not network.skippable:
        return terms_form(network, terms(network))
    return summed(executed_sums(network, terms).values())


def executed_sums(network: Network, terms: Callable[[Network], Iterable[CostTerm]]) -> dict[int, SumForm]:
    """Return what each call of a layer adds, by its index. Calls that add nothing are left out.

    Args:
        network: As for `executed_sum`.
        terms: As for `executed_sum`.
    """
    found = skippable_branches(network)
    forms = _by_call(network, terms(network), range(len(network.layers)))
    branch_of = {call: group for group, branch in found.items() for call in branch.calls}
    sums = {call: SumForm(executed={branch_of[call]: form}) for call, form in forms.items() if call in branch_of}
    without: dict[str, dict[int, SumForm]] = {}
    for group in found:
        reduced = without_branches(network, [group])
        without[group] = _by_call(reduced.network, terms(reduced.network), reduced.calls)
    for call in sorted({*forms, *(c for own in without.values() for c in own)} - sums.keys()):
        form = forms.get(call, SumForm())
        changed = [group for group in found if without[group].get(call, SumForm()) != form]
        if len(changed) == 1:
            least = without[changed[0]].get(call, SumForm())
            form = summed([least, SumForm(executed={changed[0]: _difference(form, least)})])
        sums[call] = form
    return dict(sorted(sums.items()))


def executed_peak(network: Network, steps: Callable[[Network], Iterable[tuple[int, PeakTerm]]]) -> PeakForm:
    """Return the largest use during any call, of which some take place only if branches are executed.

    Where more than three branches matter to one call, it is counted as if all but one of them were executed, which is
    never too little.

    Args:
        network: As for `executed_sum`.
        steps: yields the calls of a network and the use during each.
    """
    if not network.skippable:
        return peak_form(step for _, step in steps(network))
    found = skippable_branches(network)
    branch_of = {call: group for group, branch in found.items() for call in branch.calls}
    cache: dict[frozenset[str], Mapping[int, tuple[PeakTerm, ...]]] = {}

    def without(groups: frozenset[str]) -> Mapping[int, tuple[PeakTerm, ...]]:
        if groups not in cache:
            reduced = without_branches(network, groups)
            uses: dict[int, list[PeakTerm]] = {}
            for call, step in steps(reduced.network):
                uses.setdefault(reduced.calls[call], []).append(step)
            cache[groups] = {call: tuple(own) for call, own in uses.items()}
        return cache[groups]

    always: dict[PeakTerm, None] = {}
    sometimes: dict[ExecutedStep, None] = {}
    for call, whole in without(frozenset()).items():
        own = {branch_of[call]} if call in branch_of else set()
        matter = [group for group in found if group not in own and without(frozenset((group,)))[call] != whole]
        most = len(matter) if len(matter) <= _MOST_BRANCHES else 1
        for count in range(most + 1):
            for gone in combinations(matter, count):
                executed = frozenset((*own, *matter)) - {*gone}
                for step in without(frozenset(gone))[call]:
                    if executed:
                        sometimes[ExecutedStep(step, executed)] = None
                    else:
                        always[step] = None
    return PeakForm(peak_form(always).steps, _uncovered(always, sometimes))


def _uncovered(always: Iterable[PeakTerm], sometimes: Iterable[ExecutedStep]) -> tuple[ExecutedStep, ...]:
    """Remove steps that others cover whenever they take place."""
    candidates = [each for each in sometimes if not any(covers(step, each.step) for step in always)]
    left: list[ExecutedStep] = []
    for place, each in enumerate(candidates):
        rivals = (*left, *candidates[place + 1 :])
        if not any(other.groups <= each.groups and covers(other.step, each.step) for other in rivals):
            left.append(each)
    return tuple(left)


def _by_call(network: Network, terms: Iterable[CostTerm], calls: Iterable[int]) -> dict[int, SumForm]:
    """The sum of the terms of each call, by its index in the whole network."""
    at = list(calls)
    own: dict[int, list[CostTerm]] = {}
    for term in terms:
        own.setdefault(at[term.layer], []).append(term)
    return {call: terms_form(network, each) for call, each in own.items()}


def _difference(form: SumForm, other: SumForm) -> SumForm:
    """The first form minus the second, of which packed sizes are those of the first that the second does not have."""
    linear = {g: form.linear.get(g, 0) - other.linear.get(g, 0) for g in {**form.linear, **other.linear}}
    products = {p: form.products.get(p, 0) - other.products.get(p, 0) for p in {**form.products, **other.products}}
    packed = tuple(size for size in form.packed if size not in other.packed)
    return SumForm(form.constant - other.constant, linear, products, packed)
