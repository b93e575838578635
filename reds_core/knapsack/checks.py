"""Checks of the parts of a knapsack problem against each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reds_core.knapsack.integers import as_integer, checked_table, is_sealed, largest, refused
from reds_core.knapsack.parts import Group, Pair, PeakResource, PeakStep, Resource, SumResource


def checked_pair(groups: Sequence[Group], pair: Pair) -> Pair:
    """`pair` with validated tables.

    Raises:
        InputError: if it does not join two of the groups, or its tables are invalid.
    """
    first, second = pair.first, pair.second
    if first == second or not (0 <= first < len(groups) and 0 <= second < len(groups)):
        raise refused(f"a pair joins groups {first} and {second}; it must join two different groups")
    a, b = groups[first], groups[second]
    what = f"pair values of '{a.name}' and '{b.name}'"
    kernel = pair.kernel
    if kernel is not None and (a.dimensions or b.dimensions):
        raise refused(f"kernel scores of '{a.name}' and '{b.name}' belong to groups with dimensions", "omit them")
    if kernel is not None:
        if np.asarray(kernel).dtype.kind not in "iuf":
            raise refused(f"kernel scores of '{a.name}' and '{b.name}' are not real numbers", "give an array of floats")
        kernel = kernel if is_sealed(kernel, np.float64) else np.array(kernel, dtype=np.float64)
        if kernel.shape != (largest(a.widths), largest(b.widths)) or not np.all(np.isfinite(kernel)):
            raise refused(f"kernel scores of '{a.name}' and '{b.name}' are not finite numbers, channels x channels")
        kernel.setflags(write=False)
    return Pair(first, second, checked_table(pair.values, (a.options, b.options), what), kernel)


def checked_resource(groups: Sequence[Group], pairs: Sequence[Pair], resource: Resource) -> Resource:
    """`resource` with validated numbers and tables.

    Raises:
        InputError: if it does not fit the groups and pairs, or a table is invalid.
    """
    if isinstance(resource, SumResource):
        return _checked_sum(groups, pairs, resource)
    steps = []
    for step in resource.steps:
        if len(set(step.groups)) != len(step.groups) or len(step.costs) != len(step.groups):
            raise refused(f"a step of '{resource.name}' names a group twice or lacks its costs")
        if any(not 0 <= g < len(groups) for g in step.groups):
            raise refused(f"a step of '{resource.name}' names a group that does not exist")
        costs = tuple(
            checked_table(c, (groups[g].options,), f"costs of '{resource.name}'")
            for g, c in zip(step.groups, step.costs, strict=True)
        )
        base = as_integer(step.base, f"a base of '{resource.name}'")
        steps.append(PeakStep(base, tuple(step.groups), costs))
    capacity = as_integer(resource.capacity, f"the capacity of '{resource.name}'")
    return PeakResource(resource.name, capacity, tuple(steps))


def _checked_sum(groups: Sequence[Group], pairs: Sequence[Pair], resource: SumResource) -> SumResource:
    what = f"costs of '{resource.name}'"
    costs = resource.costs or (None,) * len(groups)
    bilinear = resource.bilinear or (0,) * len(pairs)
    pair_costs = resource.pair_costs or (None,) * len(pairs)
    if len(costs) != len(groups) or len(bilinear) != len(pairs) or len(pair_costs) != len(pairs):
        raise refused(f"{what} do not have one entry for each group and each pair")
    for coefficient, pair in zip(bilinear, pairs, strict=True):
        lacking = [g.name for g in (groups[pair.first], groups[pair.second]) if not g.has_widths]
        if coefficient and lacking:
            raise refused(f"'{resource.name}' multiplies the widths of '{lacking[0]}', which has no widths")
    return SumResource(
        resource.name,
        as_integer(resource.capacity, f"the capacity of '{resource.name}'"),
        as_integer(resource.base, f"the base of '{resource.name}'"),
        tuple(checked_table(c, (g.options,), what) for c, g in zip(costs, groups, strict=True)),
        tuple(as_integer(b, f"a bilinear coefficient of '{resource.name}'") for b in bilinear),
        tuple(
            checked_table(c, (groups[p.first].options, groups[p.second].options), what)
            for c, p in zip(pair_costs, pairs, strict=True)
        ),
    )
