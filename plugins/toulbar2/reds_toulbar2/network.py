"""A problem on a domain as a cost function network: variables, tables of nonnegative costs, and limits.

A limit of at most three groups with few joint choices is a table of forbidden tuples. Of the other limits, the one with
the largest costs of pairs becomes a weighted constraint, which bounds the cost of a second network. toulbar2 crashes on
some networks with two of those, so the others are generalised linear constraints. Where those have costs of pairs, they
are over additional variables, whose values are the joint choices of a pair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import IntArray, Table
from reds_core.knapsack import KnapsackProblem
from reds_core.knapsack.relaxation import Domain, rows_of

TUPLE_GROUPS = 3
TUPLES = 2**14
"""A limit of at most `TUPLE_GROUPS` groups with at most this many joint choices becomes a table of forbidden tuples."""

LINEAR_BELOW = 2**31
"""Costs of linear constraints must add up to less: toulbar2 silently cuts their coefficients down to 32 bits."""

OBJECTIVE, WEIGHTED, FIRST_LINEAR = 0, 1, 2
"""What a table is part of: the objective, the second network, or the first of the linear constraints."""


@dataclass(frozen=True, eq=False)
class CostTable:
    """A table of costs.

    Attributes:
        part: what it is part of: `OBJECTIVE`, `WEIGHTED`, or `FIRST_LINEAR` plus the number of a linear constraint.
        scope: the indices of its variables.
        costs: nonnegative int64, one axis for each variable.
    """

    part: int
    scope: tuple[int, ...]
    costs: IntArray


@dataclass(frozen=True, eq=False)
class Network:
    """Minimise the costs of the objective below `top`, subject to a weighted and several linear constraints.

    Attributes:
        sizes: the number of values of each variable: the groups, and then pairs whose joint choices are variables.
        tables: all tables.
        weighted_room: the most that the costs of the second network may add up to.
        linear_rooms: the most that the costs of each linear constraint may add up to.
        constant: the value of a choice is this number less its cost.
        top: costs from here on are forbidden.
    """

    sizes: tuple[int, ...]
    tables: tuple[CostTable, ...]
    weighted_room: int
    linear_rooms: tuple[int, ...]
    constant: int
    top: int


@dataclass(frozen=True, eq=False)
class _Limit:
    """A limit with its tables shifted to a least entry of 0: those of groups and of pairs, without constant ones.

    Attributes:
        most: the sum of the largest entries of all tables.
    """

    groups: Mapping[int, IntArray]
    pairs: Mapping[int, IntArray]
    room: int
    most: int

    @property
    def fits_linear(self) -> bool:
        """Whether a linear constraint can hold the costs."""
        return self.most < LINEAR_BELOW

    def scope(self, domain: Domain) -> tuple[int, ...]:
        return tuple(sorted({*self.groups, *(g for k in self.pairs for g in domain.ends[k])}))


def is_too_large(problem: KnapsackProblem) -> bool:
    """Whether more than one limit has costs that only a weighted constraint can hold."""
    if problem.magnitude < LINEAR_BELOW // 2 or any(
        a > b for a, b in zip(problem.floors, problem.ceilings, strict=True)
    ):
        return False
    domain = Domain.of(problem)
    limits = [limit for limit in _limits(problem, domain) if limit.room >= 0 and not _is_small(limit, domain)]
    return sum(not limit.fits_linear for limit in limits) > 1


def _weighted(limits: Sequence[_Limit]) -> _Limit | None:
    """The limit that becomes a weighted constraint: the largest that does not fit a linear one, or has pairs."""
    candidates = [limit for limit in limits if limit.pairs or not limit.fits_linear]
    return max(candidates, key=lambda limit: (not limit.fits_linear, limit.most), default=None)


def entries_of(problem: KnapsackProblem, domain: Domain) -> int:
    """The number of table entries of the network, without those of forbidden tuples."""
    cells = [domain.options[a].size * domain.options[b].size for a, b in domain.ends]
    limits = [limit for limit in _limits(problem, domain) if limit.room >= 0 and not _is_small(limit, domain)]
    weighted = _weighted(limits)
    entries = sum(o.size for o in domain.options) + sum(cells)
    entries += sum(2 * cells[k] for k in (weighted.pairs if weighted else ()))
    for k in {k for limit in limits if limit is not weighted for k in limit.pairs}:
        a, b = domain.ends[k]
        entries += int(np.count_nonzero(domain.cells[k])) * (domain.options[a].size + domain.options[b].size)
    return entries


def network_of(problem: KnapsackProblem, domain: Domain, incumbent: int | None) -> Network | None:
    """The network of `problem` on `domain`.

    Args:
        problem: the problem.
        domain: the choices to cover.
        incumbent: a value that choices must exceed, or None.

    Returns:
        The network, or None if it is seen without a search that the domain contains no such choice.
    """
    limits = _limits(problem, domain)
    if any(limit.room < 0 for limit in limits):
        return None
    values = [*_allowed(domain, [g.values for g in problem.groups], [p.values for p in problem.pairs])]
    constant = sum(int(allowed.max()) for *_, allowed in values)
    most = sum(int(np.ptp(allowed)) for *_, allowed in values)
    top = most + 1 if incumbent is None else min(most + 1, constant - incumbent)
    if top <= 0:
        return None
    tables = [
        CostTable(OBJECTIVE, scope, np.clip(int(allowed.max()) - table, 0, None))
        for scope, _, table, allowed in values
        if np.ptp(allowed)
    ]
    tables += [
        CostTable(OBJECTIVE, domain.ends[k], np.where(mask, 0, top))
        for k, mask in enumerate(domain.cells)
        if not mask.all()
    ]
    small = [limit for limit in limits if _is_small(limit, domain)]
    tables += [_forbidden(limit, domain, top) for limit in small]
    large = [limit for limit in limits if limit not in small]
    weighted = _weighted(large)
    if weighted is not None:
        tables += [CostTable(WEIGHTED, (g,), costs) for g, costs in weighted.groups.items()]
        tables += [CostTable(WEIGHTED, domain.ends[k], costs) for k, costs in weighted.pairs.items()]
    linear = [limit for limit in large if limit is not weighted]
    products = sorted({k for limit in linear for k in limit.pairs})
    sizes = [o.size for o in domain.options]
    for number, k in enumerate(products, len(sizes)):
        tables += _links(domain, k, number, top)
    variables = {k: number for number, k in enumerate(products, len(sizes))}
    for part, limit in enumerate(linear, FIRST_LINEAR):
        tables += [CostTable(part, (g,), costs) for g, costs in limit.groups.items()]
        tables += [
            CostTable(part, (variables[k],), costs[np.nonzero(domain.cells[k])]) for k, costs in limit.pairs.items()
        ]
    return Network(
        (*sizes, *(int(np.count_nonzero(domain.cells[k])) for k in products)),
        tuple(tables),
        0 if weighted is None else weighted.room,
        tuple(limit.room for limit in linear),
        constant,
        top,
    )


def _allowed(
    domain: Domain, groups: Sequence[Table], pairs: Sequence[Table]
) -> Iterator[tuple[tuple[int, ...], int, IntArray, IntArray]]:
    """The scope, the index of the group or pair, the table, and its entries of allowed choices, where there is one."""
    for g, table in enumerate(domain.of_groups(groups)):
        if table is not None:
            yield (g,), g, table, table
    for k, table in enumerate(domain.of_pairs(pairs)):
        if table is not None:
            yield domain.ends[k], k, table, table[domain.cells[k]]


def _limits(problem: KnapsackProblem, domain: Domain) -> list[_Limit]:
    """The limits that some choice of the domain may violate."""
    found = []
    for row in rows_of(problem):
        room, most = row.limit, 0
        groups: dict[int, IntArray] = {}
        pairs: dict[int, IntArray] = {}
        for scope, index, table, allowed in _allowed(domain, row.costs, row.pair_costs):
            least, spread = int(allowed.min()), int(np.ptp(allowed))
            room -= least
            most += spread
            if not spread:
                continue
            if len(scope) == 1:
                groups[index] = table - least
            else:
                pairs[index] = np.clip(table - least, 0, spread)
        if most > room:
            found.append(_Limit(groups, pairs, room, most))
    return found


def _is_small(limit: _Limit, domain: Domain) -> bool:
    """Whether a table of forbidden tuples can replace `limit`."""
    scope = limit.scope(domain)
    return len(scope) <= TUPLE_GROUPS and math.prod(domain.options[g].size for g in scope) <= TUPLES


def _forbidden(limit: _Limit, domain: Domain, top: int) -> CostTable:
    """The table that forbids the joint choices of a few groups that exceed `limit`."""
    scope = limit.scope(domain)
    usage = np.zeros([domain.options[g].size for g in scope], np.int64)
    parts: list[tuple[tuple[int, ...], IntArray]] = [((g,), costs) for g, costs in limit.groups.items()]
    parts += [(domain.ends[k], costs) for k, costs in limit.pairs.items()]
    for ends, costs in parts:
        axes = [scope.index(g) for g in ends]
        shape = [1] * len(scope)
        for axis in axes:
            shape[axis] = usage.shape[axis]
        usage += (costs if axes == sorted(axes) else costs.T).reshape(shape)
    return CostTable(OBJECTIVE, scope, np.where(usage > limit.room, top, 0))


def _links(domain: Domain, pair: int, variable: int, top: int) -> list[CostTable]:
    """The tables that link the variable of a pair to the variables of its two groups."""
    return [
        CostTable(
            OBJECTIVE,
            (variable, group),
            np.where(positions[:, None] == np.arange(domain.options[group].size), 0, top),
        )
        for group, positions in zip(domain.ends[pair], np.nonzero(domain.cells[pair]), strict=True)
    ]
