"""Formulates a knapsack problem from a network, scores, costs and capacities.

This is the only place where scores are rounded to integers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray, IntArray
from reds_core.cost.counting import PeakForm, ResourceForm, TableForm, joined_groups
from reds_core.errors import UnsupportedError
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, Resource, SumResource
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
        problem: the problem, whose groups are those of the network, in the same order.
        order: for each group its channels, the most important first. The option of width w keeps the first w of them.
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
    forms: Mapping[str, ResourceForm],
    capacities: Mapping[str, int],
    name: str,
    order: Kept | None = None,
    rules: WidthRules | None = None,
) -> Formulation:
    """Formulate the problem of which width each group should have.

    Args:
        network: The description of the network.
        scores: The scores of the channels.
        forms: the use of each resource that has a budget, from `reds_core.cost.counting`.
        capacities: how much of each of these resources may be used.
        name: The name of the problem.
        order: The order of the channels of each group; None orders them by descending score.
        rules: which widths are options; None offers every width.

    Raises:
        UnsupportedError: if no group of the network can be pruned.
    """
    if not network.groups:
        why = f": {', '.join(network.warnings[:3])}" if network.warnings else ""
        raise UnsupportedError(f"no group of network '{network.name}' can be pruned{why}", "choose another model")
    order = channel_order(scores) if order is None else order
    names = [g.name for g in network.groups]
    index = {g: i for i, g in enumerate(names)}
    widths = {
        g.name: np.arange(1, g.channels + 1, dtype=np.int64) if rules is None else rules.widths(g)
        for g in network.groups
    }
    total = _total(scores)
    pairs, kernels = _pairs(names, forms, scores)
    groups = tuple(
        Group(g, widths[g], _rounded(_own_value(g, order[g], scores, kernels)[widths[g] - 1], total)) for g in names
    )
    problem_pairs = []
    for a, b in pairs:
        kernel = kernels.get((a, b))
        if kernel is None:
            problem_pairs.append(Pair(index[a], index[b]))
        else:
            ordered = kernel[np.ix_(order[a], order[b])]
            prefix_sums = _prefix_sums(ordered)[np.ix_(widths[a] - 1, widths[b] - 1)]
            problem_pairs.append(Pair(index[a], index[b], _rounded(prefix_sums, total), ordered))
    resources = tuple(_resource(r, capacities[r], form, index, widths, pairs) for r, form in forms.items())
    return Formulation(KnapsackProblem(name, groups, tuple(problem_pairs), resources), order)


def _total(scores: ScoreTable) -> float:
    """The value of the full network in units of the scores. The sum is exact, so the order of channels does not matter.

    If scores of both signs, or curves that fall, nearly cancel, it is the sum of all magnitudes instead.
    """
    summed = (*(t for g, t in scores.channels.items() if g not in scores.curves), *scores.pairs.values())
    entries = [entry for table in summed for entry in table.ravel().tolist()]
    curves = [_from_one_channel(curve) for curve in scores.curves.values()]
    magnitude = math.fsum((*map(abs, entries), *(float(np.abs(c).max()) for c in curves)))
    full = math.fsum((*entries, *(float(c[-1]) for c in curves)))
    return full if full > magnitude / _CANCELLED else magnitude or 1.0


def _from_one_channel(curve: FloatArray) -> FloatArray:
    """A curve shifted to start at 0, since only its differences matter."""
    gained: FloatArray = curve - curve[0]
    return gained


def _rounded(values: FloatArray, total: float) -> IntArray:
    # dividing first avoids overflow and underflow of scores of any finite size
    return np.rint(values / total * FULL_VALUE).astype(np.int64)


def _prefix_sums(kernel: FloatArray) -> FloatArray:
    return kernel.cumsum(axis=0).cumsum(axis=1)


def _own_value(
    group: str, order: IntArray, scores: ScoreTable, kernels: Mapping[tuple[str, str], FloatArray]
) -> FloatArray:
    """The value of each width from 1 up, from the curve or the scores, and from kernels within the group."""
    curve = scores.curves.get(group)
    value = np.cumsum(scores.channels[group][order]) if curve is None else _from_one_channel(curve)
    if (group, group) in kernels:
        value += np.diagonal(_prefix_sums(kernels[group, group][np.ix_(order, order)]))
    return value


def _pairs(
    names: list[str], forms: Mapping[str, ResourceForm], scores: ScoreTable
) -> tuple[list[tuple[str, str]], dict[tuple[str, str], FloatArray]]:
    """The pairs of different groups that have a cost or a score in common, in network order, and their kernels."""
    rank = {g: i for i, g in enumerate(names)}
    joined = {pair for form in forms.values() for pair in joined_groups(form)}
    kernels: dict[tuple[str, str], FloatArray] = {}
    for (a, b), kernel in scores.pairs.items():
        key, table = ((a, b), kernel) if rank[a] <= rank[b] else ((b, a), kernel.T)
        kernels[key] = kernels[key] + table if key in kernels else table
    pairs = sorted(joined | {k for k in kernels if k[0] != k[1]}, key=lambda p: (rank[p[0]], rank[p[1]]))
    return pairs, kernels


def _resource(
    name: str,
    capacity: int,
    form: ResourceForm,
    index: Mapping[str, int],
    widths: Mapping[str, npt.NDArray[np.int64]],
    pairs: list[tuple[str, str]],
) -> Resource:
    if isinstance(form, PeakForm):
        steps = tuple(
            PeakStep(
                s.constant,
                tuple(index[g] for g, _ in s.coefficients),
                tuple(c * widths[g] for g, c in s.coefficients),
            )
            for s in form.steps
        )
        return PeakResource(name, capacity, steps)
    if isinstance(form, TableForm):
        own = tuple(
            form.groups[g][w - 1] if g in form.groups else np.zeros(len(w), np.int64) for g, w in widths.items()
        )
        tables = tuple(
            form.pairs[a, b][np.ix_(widths[a] - 1, widths[b] - 1)] if (a, b) in form.pairs else None for a, b in pairs
        )
        return SumResource(name, capacity, form.constant, own, pair_costs=tables)
    costs = tuple(form.linear.get(g, 0) * w + form.products.get((g, g), 0) * w * w for g, w in widths.items())
    bilinear = tuple(form.products.get(pair, 0) for pair in pairs)
    return SumResource(name, capacity, form.constant, costs, bilinear)
