"""Turns problems whose options are widths into problems whose options are rows of levels."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from reds_core.knapsack.levels import WIDTH, Dimension, Nesting
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, Resource, SumResource


def leveled(problem: KnapsackProblem, seed: int) -> KnapsackProblem:
    """The same values and costs, but the options of most groups are rows of levels, and their widths do not rise.

    Products of the widths of a group are left out if the group has no widths afterwards, so the optimum may differ. The
    kinds of levels are `weight_bits` (EQUAL), `activation_bits` (FREE), `rank` (RISING) and the width.
    """
    rng = np.random.default_rng(seed)
    groups = tuple(group if rng.random() < 0.2 else _with_rows(group, rng) for group in problem.groups)
    lacking = {g for g, group in enumerate(groups) if not group.has_widths}
    resources: list[Resource] = []
    for r in problem.resources:
        if isinstance(r, SumResource):
            bilinear = tuple(
                0 if {p.first, p.second} & lacking else coefficient
                for p, coefficient in zip(problem.pairs, r.bilinear, strict=True)
            )
            resources.append(replace(r, bilinear=bilinear))
        else:
            resources.append(r)
    nesting = {"weight_bits": Nesting.EQUAL, "activation_bits": Nesting.FREE, "rank": Nesting.RISING}
    name = f"leveled({problem.name}, seed={seed})"
    pairs = tuple(Pair(p.first, p.second, p.values) for p in problem.pairs)
    return KnapsackProblem(name, groups, pairs, tuple(resources), problem.floors, problem.ceilings, nesting)


def _with_rows(group: Group, rng: np.random.Generator) -> Group:
    """`group` with a row of levels for each option, the largest of all last and the others in any order."""
    layer = f"{group.name}/layer"
    possible = [
        Dimension(group.name, WIDTH),
        Dimension(group.name, "activation_bits"),
        Dimension(layer, "weight_bits"),
        Dimension(layer, "rank"),
    ]
    chosen = sorted(rng.choice(len(possible), int(rng.integers(1, 4)), replace=False).tolist())
    counts = [2] * len(chosen)
    counts[0] = max(2, -(-group.options // 2 ** (len(chosen) - 1)))
    rows = np.array(list(itertools.product(*(range(1, n + 1) for n in counts))), np.int64)
    others = rng.choice(len(rows) - 1, group.options - 1, replace=False)
    levels = rows[[*others.tolist(), len(rows) - 1]]
    widths = levels[:, 0] if 0 in chosen else np.zeros(group.options, np.int64)
    return Group(group.name, widths, group.values, tuple(possible[d] for d in chosen), levels)
