"""Which options of a smaller and of a larger member of a family go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from reds_core.arrays import BoolArray
from reds_core.knapsack.integers import refused
from reds_core.knapsack.levels import WIDTH, Nesting
from reds_core.knapsack.parts import Group


def checked_nesting(groups: Sequence[Group], nesting: Mapping[str, Nesting]) -> Mapping[str, Nesting]:
    """The nesting of each kind of dimension that `groups` have, in the order of their names.

    Raises:
        InputError: if a dimension occurs in two groups, or the nesting of a kind other than the width is missing.
    """
    dimensions = [d for g in groups for d in g.dimensions]
    if len(set(dimensions)) != len(dimensions):
        twice = next(d for d in dimensions if dimensions.count(d) > 1)
        raise refused(f"'{twice.what}' of '{twice.site}' is a dimension of two groups")
    known = {WIDTH: Nesting.RISING, **nesting}
    kinds = sorted({d.what for d in dimensions})
    for what in kinds:
        if not isinstance(known.get(what), Nesting):
            raise refused(f"it does not say how levels of '{what}' nest", "give rising, equal or free")
    return {what: known[what] for what in kinds}


def order_of(group: Group, nesting: Mapping[str, Nesting]) -> BoolArray:
    """Which option of a smaller member may lie within which option of a larger one, bool (options, options).

    Entry [i, j] says whether option i may lie within option j.
    """
    if group.levels is None:
        return ~np.tri(group.options, k=-1, dtype=bool)
    order = np.ones((group.options, group.options), bool)
    for dimension, column in zip(group.dimensions, group.levels.T, strict=True):
        order &= nesting[dimension.what].allows(column[:, None], column[None])
    return order
