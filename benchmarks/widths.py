"""Measures the loss by thinning wide layers: `--max-options` compared with the same number of evenly spaced options.

python benchmarks/widths.py

Scores are lognormal within each group; the value of a width is the logarithm of the share of the group's score that it
keeps, as a run has it by default. Figures are the most by which the value could rise if all widths were on offer, from
a proven bound, as a share of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from reds_lagrangian import LagrangianSolver

from reds_core import Registry, Search
from reds_core.arrays import IntArray
from reds_core.bench import NETWORKS, NetworkShape, chain
from reds_core.formulation import thinned_places
from reds_core.knapsack import Controls, Group, KnapsackProblem, Pair, SumResource, solve

BUDGETS = (0.5, 0.25, 0.1, 0.05, 0.01)
FULL_VALUE = 2**31
LEAST_LOG = -12.0
"""The offset of logarithms of shares, which makes all values positive."""

Spread = Callable[[int, int], IntArray]


def evenly(count: int, most: int) -> IntArray:
    """Indices of `most` of `count` widths at equal distances."""
    return np.rint(np.linspace(0, count - 1, most)).astype(np.int64)


def problem(network: NetworkShape, spread: Spread, most: int | None, budget: float) -> KnapsackProblem:
    """Widths of `network` under a budget of MACs; at most `most` options for each group, or all if None."""
    rng = np.random.default_rng(0)
    index = {name: g for g, name in enumerate(network.groups)}
    groups = []
    for name, channels in network.groups.items():
        places = np.arange(channels) if most is None or channels <= most else spread(channels, most)
        kept = np.sort(rng.lognormal(0.0, 1.0, channels))[::-1].cumsum()
        values = (np.log(kept / kept[-1]) - LEAST_LOG) / -LEAST_LOG
        scaled = np.rint(values[places] * (FULL_VALUE / len(network.groups))).astype(np.int64)
        groups.append(Group(name, places + 1, scaled))
    costs = [np.zeros(g.options, np.int64) for g in groups]
    pairs: dict[tuple[int, int], int] = {}
    for layer in network.layers:
        sides = [index[s] for s in dict.fromkeys((layer.source, layer.target)) if isinstance(s, str)]
        if len(sides) == 2:
            key = min(sides), max(sides)
            pairs[key] = pairs.get(key, 0) + layer.kernel_macs
        else:
            fixed = next((s for s in (layer.source, layer.target) if isinstance(s, int)), 1)
            costs[sides[0]] += layer.kernel_macs * fixed * groups[sides[0]].widths
    macs = SumResource("macs", 2**60, 0, tuple(costs), tuple(pairs.values()))
    stated = KnapsackProblem(network.name, tuple(groups), tuple(Pair(a, b) for a, b in pairs), (macs,))
    full = stated.evaluate([g.options - 1 for g in groups]).usage["macs"]
    return stated.with_capacities({"macs": int(budget * full)})


def rows(network: NetworkShape, options: list[int], time_limit_s: float) -> list[str]:
    """Lines of the table, one for each number of options and spacing."""
    search = Search(Registry(), controls=Controls(time_limit_s))
    bounds = {b: solve(problem(network, evenly, None, b), LagrangianSolver(), Controls(60)).bound for b in BUDGETS}
    lines = []
    for most in options:
        for name, spread in (("evenly", evenly), ("as reds does", thinned_places)):
            cells = []
            for budget in BUDGETS:
                found, bound = search.answer(problem(network, spread, most, budget)), bounds[budget]
                known = found.value is not None and bound is not None
                cells.append(f"{(bound - found.value) / found.value:.4%}" if known else "none")
            lines.append(f"| {network.name} | {most} | {name} | " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--options", type=int, nargs="+", default=[16, 64, 512])
    parser.add_argument("--time-limit", type=float, default=20.0)
    arguments = parser.parse_args()
    print("| network | options | spread | " + " | ".join(f"{b:.0%}" for b in BUDGETS) + " |")
    print("| --- | --- | --- |" + " --- |" * len(BUDGETS))
    for network in (NETWORKS["resnet-50"](), chain(4, 4096)):
        for line in rows(network, arguments.options, arguments.time_limit):
            print(line, flush=True)
