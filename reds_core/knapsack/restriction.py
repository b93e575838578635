"""The parts of a problem in which each group keeps only some of its options."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reds_core.arrays import IntArray, Table
from reds_core.knapsack.integers import as_integers, largest, refused
from reds_core.knapsack.parts import Group, Pair, PeakResource, PeakStep, Resource, SumResource


def kept_options(
    groups: Sequence[Group],
    floors: Sequence[int],
    ceilings: Sequence[int],
    options: Sequence[IntArray | Sequence[int]],
) -> tuple[IntArray, ...]:
    """The given options of each group, without those that its floor and ceiling exclude, int64 (kept,) each.

    Raises:
        InputError: if a group keeps no option, or its indices do not rise or are not those of options.
    """
    if len(options) != len(groups):
        raise refused("options are not given for each group", "give the options that each group keeps")
    return tuple(
        _kept(group, low, high, indices)
        for group, low, high, indices in zip(groups, floors, ceilings, options, strict=True)
    )


def _kept(group: Group, low: int, high: int, indices: IntArray | Sequence[int]) -> IntArray:
    kept = as_integers(indices, f"options that group '{group.name}' keeps")
    out_of_range = kept.size and (kept.min() < 0 or kept.max() >= group.options)
    if kept.ndim != 1 or out_of_range or np.any(kept[1:] <= kept[:-1]):
        raise refused(f"the options that group '{group.name}' keeps are not rising option indices")
    kept = kept[(kept >= low) & (kept <= high)]
    if not kept.size:
        raise refused(f"group '{group.name}' has no options", "keep one that its floor and ceiling allow")
    return kept


def restricted_parts(
    groups: Sequence[Group], pairs: Sequence[Pair], resources: Sequence[Resource], options: Sequence[IntArray]
) -> tuple[tuple[Group, ...], tuple[Pair, ...], tuple[Resource, ...]]:
    """The groups, pairs and resources of the problem in which each group has only the given options."""

    def own(group: int, table: Table) -> Table:
        return None if table is None else table[options[group]]

    def joint(pair: Pair, table: Table) -> Table:
        return None if table is None else table[np.ix_(options[pair.first], options[pair.second])]

    own_groups = tuple(
        Group(g.name, g.widths[kept], g.values[kept], g.dimensions, None if g.levels is None else g.levels[kept])
        for g, kept in zip(groups, options, strict=True)
    )
    own_pairs = tuple(
        Pair(
            pair.first,
            pair.second,
            joint(pair, pair.values),
            None
            if pair.kernel is None
            else pair.kernel[: largest(own_groups[pair.first].widths), : largest(own_groups[pair.second].widths)],
        )
        for pair in pairs
    )
    own_resources: list[Resource] = []
    for resource in resources:
        if isinstance(resource, SumResource):
            costs = tuple(own(g, table) for g, table in enumerate(resource.costs))
            pair_costs = tuple(joint(p, table) for p, table in zip(pairs, resource.pair_costs, strict=True))
            own_resources.append(
                SumResource(resource.name, resource.capacity, resource.base, costs, resource.bilinear, pair_costs)
            )
        else:
            steps = tuple(
                PeakStep(s.base, s.groups, tuple(own(g, c) for g, c in zip(s.groups, s.costs, strict=True)))
                for s in resource.steps
            )
            own_resources.append(PeakResource(resource.name, resource.capacity, steps))
    return own_groups, own_pairs, tuple(own_resources)
