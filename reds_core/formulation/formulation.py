"""Formulates a knapsack problem from a network, scores, costs and capacities.

This is the only place where scores are rounded to integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.cost.counting import PeakForm, ResourceForm, SumForm, TableForm, joined_groups
from reds_core.errors import UnsupportedError
from reds_core.formulation.cost_tables import CostTables, peak_resource
from reds_core.formulation.level_costs import LevelForm
from reds_core.formulation.nodes import OptionNode, option_nodes
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.levels import Dimension, Nesting
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, Resource, SumResource
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.scoring.scorer import ScoreTable

FULL_VALUE = 2.0**31
"""The value of the full network. It is large enough for rounding to matter little, and sums stay far below 2^62."""
_CANCELLED = 1024
"""The full value is no longer used as the unit if the sum of all magnitudes is more than this many times as large."""


@dataclass(frozen=True)
class Formulation:
    """A problem and the order of channels for which it was stated.

    Attributes:
        problem: the problem, whose groups are those of the network, in the same order. Layers with levels that touch no
            group follow.
        order: for each group its channels, the most important first. Options of width w keep the first w of them.
    """

    problem: KnapsackProblem
    order: Kept


def channel_order(scores: ScoreTable, first: Kept | None = None) -> dict[str, IntArray]:
    """The channels of each group by descending total score. Channels of equal scores stay in the order of their index.

    Args:
        first: channels that come before all others whatever their score, such as those that are kept already.
    """
    order = {}
    for group, totals in scores.totals().items():
        ranking = np.argsort(-totals, kind="stable").astype(np.int64)
        if first is not None and group in first:
            held = np.isin(ranking, first[group])
            ranking = np.concatenate([ranking[held], ranking[~held]])
        order[group] = ranking
    return order


def formulate(
    network: Network,
    scores: ScoreTable,
    forms: Mapping[str, ResourceForm | LevelForm],
    capacities: Mapping[str, int],
    name: str,
    order: Kept | None = None,
    rules: WidthRules | None = None,
    nodes: Sequence[OptionNode] | None = None,
    nesting: Mapping[str, Nesting] | None = None,
) -> Formulation:
    """Formulate the problem of which width each group should have, and which levels each layer.

    Args:
        network: The description of the network.
        scores: The scores of the channels, and the values of levels.
        forms: the use of each resource that has a budget, from `reds_core.cost.counting`, or from `level_form`.
        capacities: how much of each of these resources may be used.
        name: The name of the problem.
        order: The order of the channels of each group; None orders them by descending score.
        rules: which widths are options; None offers every width. Not used if `nodes` are given.
        nodes: The options of each group, and of layers that touch none; None offers widths alone.
        nesting: How levels of the members of a family must agree, by what is decided.

    Raises:
        UnsupportedError: if there is nothing to decide: no group of the network can be pruned and no levels are
            offered.
    """
    if nodes is None:
        rules = WidthRules(max_options=max((2, *(g.channels for g in network.groups)))) if rules is None else rules
        nodes = option_nodes(network, rules).nodes
    if not nodes:
        why = f": {', '.join(network.warnings[:3])}" if network.warnings else ""
        raise UnsupportedError(f"no group of network '{network.name}' can be pruned{why}", "choose another model")
    order = channel_order(scores) if order is None else order
    names = [node.name for node in nodes]
    index = {g: i for i, g in enumerate(names)}
    total = _total(scores)
    kernels = _kernels(names, scores)
    groups = tuple(
        Group(node.name, node.widths, _rounded(_values(node, order, scores, kernels), total), *_levels(node))
        for node in nodes
    )
    tables = {r: _tables(form, nodes) for r, form in forms.items()}
    pairs = _pairs(names, tables.values(), kernels)
    problem_pairs = []
    for a, b in pairs:
        kernel, first, second = kernels.get((a, b)), nodes[index[a]], nodes[index[b]]
        if kernel is None:
            problem_pairs.append(Pair(index[a], index[b]))
        else:
            ordered = kernel[np.ix_(order[a], order[b])]
            prefix_sums = np.pad(_prefix_sums(ordered), ((1, 0), (1, 0)))[np.ix_(first.widths, second.widths)]
            own = None if first.offers or second.offers else ordered
            problem_pairs.append(Pair(index[a], index[b], _rounded(prefix_sums, total), own))
    resources = tuple(_resource(r, capacities[r], form, nodes, pairs) for r, form in tables.items())
    problem = KnapsackProblem(name, groups, tuple(problem_pairs), resources, nesting=nesting or {})
    return Formulation(problem, order)


def _total(scores: ScoreTable) -> float:
    """The value of the full network in units of the scores. The sum is exact, so the order of channels does not matter.

    If scores of both signs, or curves that fall, nearly cancel, it is the sum of all magnitudes instead. Without any
    scores, it is the sum of the largest magnitudes of the values of levels.
    """
    summed = (*(t for g, t in scores.channels.items() if g not in scores.curves), *scores.pairs.values())
    entries = [entry for table in summed for entry in table.ravel().tolist()]
    curves = [_from_one_channel(curve) for curve in scores.curves.values()]
    magnitude = math.fsum((*map(abs, entries), *(float(np.abs(c).max()) for c in curves)))
    full = math.fsum((*entries, *(float(c[-1]) for c in curves)))
    if full > magnitude / _CANCELLED:
        return full
    return magnitude or math.fsum(float(np.abs(values).max()) for values in scores.level_values.values()) or 1.0


def _from_one_channel(curve: FloatArray) -> FloatArray:
    """A curve shifted to start at 0, since only its differences matter."""
    gained: FloatArray = curve - curve[0]
    return gained


def _rounded(values: FloatArray, total: float) -> IntArray:
    # dividing first avoids overflow and underflow of scores of any finite size
    return np.rint(values / total * FULL_VALUE).astype(np.int64)


def _prefix_sums(kernel: FloatArray) -> FloatArray:
    return kernel.cumsum(axis=0).cumsum(axis=1)


def _levels(node: OptionNode) -> tuple[tuple[Dimension, ...], IntArray | None]:
    return node.dimensions, node.levels


def _values(
    node: OptionNode, order: Kept, scores: ScoreTable, kernels: Mapping[tuple[str, str], FloatArray]
) -> FloatArray:
    """The value of each option, in units of the scores: that of its width and those of its levels."""
    levels = node.level_values(scores.level_values, scores.level_pair_values)
    if not node.is_group:
        return levels
    values = _own_value(node.name, order[node.name], scores, kernels)
    own: FloatArray = np.concatenate([[_no_value(node.name, values, scores)], values])[node.widths] + levels
    return own


def _no_value(group: str, values: FloatArray, scores: ScoreTable) -> float:
    """The value of no channels at all, as `ScoreTable.skipped` says.

    Args:
        group: The name of the group.
        values: The value of each width from 1 up.
        scores: The scores.
    """
    if group in scores.skipped:
        return float(values[-1] + scores.skipped[group])
    if group not in scores.curves:
        return 0.0
    return float(2 * values[0] - values[1]) if len(values) > 1 else float(values[0])


def _own_value(
    group: str, order: IntArray, scores: ScoreTable, kernels: Mapping[tuple[str, str], FloatArray]
) -> FloatArray:
    """The value of each width from 1 up, from the curve or the scores, and from kernels within the group."""
    curve = scores.curves.get(group)
    value = np.cumsum(scores.channels[group][order]) if curve is None else _from_one_channel(curve)
    if (group, group) in kernels:
        value += np.diagonal(_prefix_sums(kernels[group, group][np.ix_(order, order)]))
    return value


def _kernels(names: list[str], scores: ScoreTable) -> dict[tuple[str, str], FloatArray]:
    """The kernel scores of each pair of groups in network order, and of groups with themselves.

    Scores of groups that are not named belong to layers that an early exit does not need.
    """
    rank = {g: i for i, g in enumerate(names)}
    kernels: dict[tuple[str, str], FloatArray] = {}
    for (a, b), kernel in scores.pairs.items():
        if a not in rank or b not in rank:
            continue
        key, table = ((a, b), kernel) if rank[a] <= rank[b] else ((b, a), kernel.T)
        kernels[key] = kernels[key] + table if key in kernels else table
    return kernels


def _pairs(
    names: list[str], tables: Iterable[_Tables], kernels: Mapping[tuple[str, str], FloatArray]
) -> list[tuple[str, str]]:
    """The pairs of different groups that have a cost or a score in common, in network order."""
    rank = {g: i for i, g in enumerate(names)}
    joined = {
        pair for form in tables for pair in (form.pairs() if isinstance(form, CostTables) else joined_groups(form.rest))
    }
    return sorted(joined | {k for k in kernels if k[0] != k[1]}, key=lambda p: (rank[p[0]], rank[p[1]]))


_Tables = CostTables | LevelForm


def _tables(form: ResourceForm | LevelForm, nodes: Sequence[OptionNode]) -> _Tables:
    """The costs of a resource that adds up as tables of options; other forms as they are."""
    levelled = form if isinstance(form, LevelForm) else LevelForm(form, {})
    if not isinstance(levelled.rest, SumForm):
        return levelled
    tables = CostTables(nodes)
    tables.add(levelled.rest)
    for node in nodes:
        for site in dict.fromkeys(offer.site for offer in node.offers):
            if site in levelled.sites:
                forms = [form for form in levelled.sites[site] if isinstance(form, SumForm)]
                tables.add_site(node.name, node.combinations(site), forms)
    return tables


def _resource(
    name: str, capacity: int, form: _Tables, nodes: Sequence[OptionNode], pairs: Sequence[tuple[str, str]]
) -> Resource:
    if isinstance(form, CostTables):
        own = tuple(form.own(node.name) for node in nodes)
        bilinear = tuple(form.bilinear.get(pair, 0) for pair in pairs)
        return SumResource(name, capacity, form.base, own, bilinear, tuple(form.joint(*pair) for pair in pairs))
    if isinstance(form.rest, PeakForm):
        return peak_resource(name, capacity, form, nodes)
    assert isinstance(form.rest, TableForm)
    table, widths = form.rest, {node.name: node.widths for node in nodes}
    own = tuple(table.groups[g][w - 1] if g in table.groups else np.zeros(len(w), np.int64) for g, w in widths.items())
    tables = tuple(
        table.pairs[a, b][np.ix_(widths[a] - 1, widths[b] - 1)] if (a, b) in table.pairs else None for a, b in pairs
    )
    return SumResource(name, capacity, table.constant, own, pair_costs=tables)
