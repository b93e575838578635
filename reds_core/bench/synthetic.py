"""Builds knapsack problems from network shapes with seeded, synthetic scores.

Scores are integer multiples of a small unit, so that their sums are exact. Problems are therefore identical on all
libraries and processors, although floating-point results differ in the last bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.bench.shapes import LayerShape, NetworkShape, Side
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, Resource, SumResource

FULL_VALUE = 2.0**31
"""Value of the full network; scores are scaled to it before they are rounded."""

UNITS = 2.0**10
"""Scores are multiples of 1 / UNITS; the mean score of a kernel is at least 1."""

UNLIMITED = 2**60
"""Capacity of resources before their budgets are set."""

KINDS = ("lognormal", "near-equal", "convex", "cost-noise")
"""Score distributions; see `_cell_scores`."""


def _cell_scores(kind: str, rows: IntArray, columns: IntArray, cost: float, rng: np.random.Generator) -> FloatArray:
    """Scores of the kernels of one layer, summed over the cells of the grid of candidate widths.

    A cell holds the kernels between two neighbouring widths on both sides; if every width is a candidate, it is a
    single kernel. Channels are in the order in which they are kept.

    The kinds of scores:
        lognormal: channels and cells differ by lognormal factors, best channels first, as in trained networks.
        near-equal: the kernels of all cells are within 1 % of each other.
        convex: later channels have higher scores, so that value grows faster than cost.
        cost-noise: the value of a cell is its cost ± 5 %.

    Args:
        kind: one of `KINDS`.
        rows, columns: candidate widths, int64 (options,).
        cost: cost of one kernel.
        rng: generator of random numbers.

    Returns:
        Integral scores, float64 (rows, columns).
    """
    shape = (rows.size, columns.size)
    kernels = np.multiply.outer(np.diff(rows, prepend=0), np.diff(columns, prepend=0)).astype(np.float64)
    if kind == "lognormal":
        sides = [_by_cell(np.sort(rng.lognormal(0.0, 1.0, int(w[-1])))[::-1], w) for w in (rows, columns)]
        scores = np.multiply.outer(*sides) * rng.lognormal(0.0, 0.5, shape)
        scores = scores / (scores.sum() / kernels.sum()) * np.sqrt(cost)
    elif kind == "near-equal":
        scores = kernels * (1.0 + 0.01 * rng.random(shape)) * np.sqrt(cost)
    elif kind == "convex":
        sides = [_by_cell(np.sqrt(np.arange(1, int(w[-1]) + 1) / int(w[-1])), w) for w in (rows, columns)]
        scores = np.multiply.outer(*sides) * (1.0 + 0.05 * rng.random(shape)) * np.sqrt(cost)
    elif kind == "cost-noise":
        scores = kernels * cost * (1.0 + 0.1 * (rng.random(shape) - 0.5))
    else:
        raise ValueError(f"unknown kind of scores '{kind}'")
    return np.rint(scores * UNITS)


def _by_cell(channels: FloatArray, widths: IntArray) -> FloatArray:
    """Sums of `channels` between neighbouring widths."""
    return np.add.reduceat(channels, np.concatenate(([0], widths[:-1])))


@dataclass
class _Tables:
    """Values and costs summed over layers, by group and by pair of groups."""

    own_value: dict[str, FloatArray]
    own_cost: dict[str, dict[str, IntArray]]
    cells: dict[tuple[str, str], FloatArray] = field(default_factory=dict)
    bilinear: dict[str, dict[tuple[str, str], int]] = field(default_factory=lambda: {"macs": {}, "params": {}})


def _widths(channels: int, step: int) -> IntArray:
    """Every `step`-th width up to the full width; all widths for groups of up to 16 channels."""
    step = step if channels > 16 else 1
    return np.arange(channels % step or step, channels + 1, step, dtype=np.int64)


def _accumulate(network: NetworkShape, widths: Mapping[str, IntArray], kind: str, seed: int) -> _Tables:
    rng = np.random.default_rng(seed)
    one = np.ones(1, np.int64)
    tables = _Tables(
        {g: np.zeros(w.size) for g, w in widths.items()},
        {r: {g: np.zeros_like(w) for g, w in widths.items()} for r in ("macs", "params")},
    )
    for layer in network.layers:
        kernels = {"macs": layer.kernel_macs, "params": layer.area}
        if not layer.depthwise and isinstance(layer.source, str) and isinstance(layer.target, str):
            a, b = layer.source, layer.target
            cells = _cell_scores(kind, widths[a], widths[b], kernels["macs"], rng)
            if (b, a) in tables.cells:
                a, b, cells = b, a, cells.T
            tables.cells[a, b] = tables.cells.get((a, b), 0.0) + cells
            for resource, cost in kernels.items():
                tables.bilinear[resource][a, b] = tables.bilinear[resource].get((a, b), 0) + cost
        else:
            group, each = _single_group(layer)
            scores = _cell_scores(kind, one, widths[group], kernels["macs"] * each, rng)[0]
            tables.own_value[group] += scores.cumsum()
            for resource, cost in kernels.items():
                tables.own_cost[resource][group] += cost * each * widths[group]
        if isinstance(layer.target, str) and layer.area:
            tables.own_cost["params"][layer.target] += widths[layer.target]  # biases
    return tables


def _single_group(layer: LayerShape) -> tuple[str, int]:
    """The only group of a layer, and the number of kernels of each of its channels."""
    if isinstance(layer.target, str):
        return layer.target, 1 if isinstance(layer.source, str) else layer.source
    assert isinstance(layer.source, str)
    return layer.source, layer.target


def _peak(network: NetworkShape, index: Mapping[str, int], widths: Mapping[str, IntArray]) -> PeakResource:
    steps = []
    for layer in network.layers:
        maps: list[tuple[Side, int]] = [(layer.source, layer.pixels_in), (layer.target, layer.pixels_out), *layer.held]
        base, costs = 0, dict[str, IntArray]()
        for side, pixels in maps:
            if isinstance(side, int):
                base += side * pixels
            else:
                costs[side] = costs.get(side, np.zeros_like(widths[side])) + widths[side] * pixels
        steps.append(PeakStep(base, tuple(index[g] for g in costs), tuple(costs.values())))
    return PeakResource("peak_ram", UNLIMITED, tuple(steps))


def knapsack(
    network: NetworkShape,
    kind: str = "lognormal",
    step: int = 1,
    resources: Sequence[str] = ("macs",),
    fraction: float | Mapping[str, float] = 0.5,
    seed: int = 0,
    kernels: bool = False,
) -> KnapsackProblem:
    """Build the problem of choosing the widths of `network`.

    Args:
        network: groups and layers.
        kind: distribution of the scores, one of `KINDS`.
        step: distance between candidate widths; groups of up to 16 channels have all widths as candidates.
        resources: a selection of "macs", "params" and "peak_ram".
        fraction: capacity of each resource as a fraction of the full network's use, for all resources or by resource.
        seed: seed of the scores.
        kernels: whether to include the kernel scores behind the pair values, which requires all widths as candidates.

    Returns:
        The problem, named after network, kind and step.

    Raises:
        ValueError: if `kind` is unknown, or if `kernels` is set and some widths are not candidates.
    """
    names = list(network.groups)
    index = {g: i for i, g in enumerate(names)}
    widths = {g: _widths(n, step) for g, n in network.groups.items()}
    if kernels and any(w.size < network.groups[g] for g, w in widths.items()):
        raise ValueError("kernel scores need all widths as candidates")
    tables = _accumulate(network, widths, kind, seed)
    values = {key: cells.cumsum(axis=0).cumsum(axis=1) for key, cells in tables.cells.items()}
    total = sum(float(t[-1]) for t in tables.own_value.values()) + sum(float(t[-1, -1]) for t in values.values())

    def whole(table: FloatArray) -> IntArray:
        return np.rint(table * (FULL_VALUE / total)).astype(np.int64)

    groups = tuple(Group(g, widths[g], whole(tables.own_value[g])) for g in names)
    pairs = tuple(
        Pair(index[a], index[b], whole(table), tables.cells[a, b] if kernels else None)
        for (a, b), table in values.items()
    )
    built: list[Resource] = []
    for name in resources:
        if name == "peak_ram":
            built.append(_peak(network, index, widths))
        else:
            costs = tuple(tables.own_cost[name][g] for g in names)
            built.append(SumResource(name, UNLIMITED, 0, costs, tuple(tables.bilinear[name][key] for key in values)))
    problem = KnapsackProblem(f"{network.name}-{kind}-{step}", groups, pairs, tuple(built))
    full = problem.evaluate([g.options - 1 for g in groups]).usage
    shares = fraction if isinstance(fraction, Mapping) else dict.fromkeys(full, fraction)
    return problem.with_capacities({r: int(shares[r] * use) for r, use in full.items()})
