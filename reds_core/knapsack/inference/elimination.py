"""Elimination orders of the groups of a problem, and the sizes of the resulting max-sum tables.

Bucket elimination (Dechter, Artificial Intelligence 113, 1999) eliminates one group at a time. The bucket of a group is
a
table over the group and its separator: the groups that are eliminated later and share a term with it, directly or
through a group that was eliminated before. The order is found in two steps. Greedy elimination adds edges to the group
graph until it is chordal. Maximum cardinality search (Tarjan and Yannakakis, SIAM J. Comput. 13, 1984) from an end of
that graph then gives an order that adds no further edges and leaves few groups open at a time.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from reds_core.arrays import IntArray
from reds_core.knapsack.compiled.program import encode
from reds_core.knapsack.problem import KnapsackProblem

Scope = tuple[int, ...]

_FILL_COUNTED = 16
"""The largest number of neighbours for which the edges that an elimination would add are counted."""


@dataclass(frozen=True)
class Elimination:
    """An elimination order.

    Attributes:
        processing: all groups in reverse elimination order, so that the group eliminated last comes first.
        separators: for each group, the other groups in its bucket, in processing order.
        sizes: number of options of each group.
    """

    processing: tuple[int, ...]
    separators: tuple[Scope, ...]
    sizes: tuple[int, ...]
    _codes: dict[tuple[Sequence[Scope], int], IntArray] = field(default_factory=dict, repr=False, compare=False)

    def with_sizes(self, sizes: Sequence[int]) -> Elimination:
        """The same order for other numbers of options."""
        return Elimination(self.processing, self.separators, tuple(sizes), self._codes)

    def code(self, scopes: tuple[Scope, ...], masks: int) -> IntArray:
        """The max-sum program along this order as compiled code reads it; see `reds_core.knapsack.compiled.encode`."""
        key = scopes, masks
        if key not in self._codes:
            self._codes[key] = encode(self.processing, self.separators, scopes, masks)
        return self._codes[key]

    @property
    def entries(self) -> tuple[int, ...]:
        """For each group, the number of entries of the table of its bucket."""
        return tuple(
            self.sizes[g] * math.prod(self.sizes[s] for s in separator) for g, separator in enumerate(self.separators)
        )


def pair_scopes(problem: KnapsackProblem) -> list[Scope]:
    """The pairs of groups that share pairwise terms."""
    return [(p.first, p.second) for p in problem.pairs]


def peak_scopes(problem: KnapsackProblem) -> list[Scope]:
    """The distinct sets of two or more groups that take part in a step of a peak resource."""
    steps = (s for r in problem.peak_resources for s in r.steps)
    return sorted({tuple(sorted(s.groups)) for s in steps if len(s.groups) > 1})


def open_sizes(problem: KnapsackProblem) -> tuple[int, ...]:
    """The number of options of each group within its floor and ceiling, counted as at least 1."""
    return tuple(max(high - low + 1, 1) for low, high in zip(problem.floors, problem.ceilings, strict=True))


def _neighbours(count: int, scopes: Iterable[Scope]) -> list[set[int]]:
    neighbours: list[set[int]] = [set() for _ in range(count)]
    for scope in scopes:
        for g in scope:
            neighbours[g].update(scope)
    for g, others in enumerate(neighbours):
        others.discard(g)
    return neighbours


def _fill(neighbours: Sequence[Collection[int]], weights: Sequence[float]) -> list[set[int]]:
    """A chordal supergraph, by greedy elimination: the smallest bucket first, then the fewest new edges."""
    left = [set(n) for n in neighbours]
    filled = [set(n) for n in neighbours]
    todo = set(range(len(left)))

    def cost(g: int) -> tuple[float, int, int]:
        near = left[g]
        # only a tie-break, which is slow to compute and hardly matters for many neighbours
        missing = sum(len(near - left[a]) - 1 for a in near) // 2 if len(near) <= _FILL_COUNTED else len(near) ** 2
        return weights[g] + sum(weights[a] for a in near), missing, g

    costs = {g: cost(g) for g in todo}
    while todo:
        g = min(todo, key=costs.__getitem__)
        todo.remove(g)
        near = left[g]
        touched = set(near)
        for a in near:
            left[a].discard(g)
            if not near - {a} <= left[a]:
                left[a] |= near - {a}
                filled[a] |= near - {a}
                touched |= left[a]
        for a in touched:
            costs[a] = cost(a)
    return filled


def _components(neighbours: Sequence[Collection[int]]) -> list[list[int]]:
    seen: set[int] = set()
    components = []
    for start in range(len(neighbours)):
        if start in seen:
            continue
        reached = _breadth_first(neighbours, start)
        seen.update(reached)
        components.append(sorted(reached))
    return components


def _breadth_first(neighbours: Sequence[Collection[int]], start: int) -> list[int]:
    order, seen = [start], {start}
    for g in order:
        for other in sorted(neighbours[g]):
            if other not in seen:
                seen.add(other)
                order.append(other)
    return order


def _search(
    start: int,
    component: Sequence[int],
    filled: Sequence[set[int]],
    direct: Sequence[set[int]],
    weights: Sequence[float],
) -> tuple[float, list[int]]:
    """Maximum cardinality search from `start`. Among ties, the group that leaves the smallest frontier comes first.

    Returns:
        The number of frontier assignments summed over all steps, and the groups in the order visited.
    """
    visited: set[int] = set()
    order: list[int] = []
    cardinality = dict.fromkeys(component, 0)
    waiting = {g: len(direct[g]) for g in component}
    frontier_weight, total = 0.0, 0.0

    def change(g: int) -> float:
        """The growth of the logarithm of the frontier size when `g` is visited."""
        closed = sum(weights[a] for a in direct[g] if a in visited and waiting[a] == 1)
        return (weights[g] if waiting[g] else 0.0) - closed

    following = start
    while True:
        frontier_weight += change(following)
        total += math.exp(min(frontier_weight, 600.0))
        visited.add(following)
        order.append(following)
        del cardinality[following]
        for a in filled[following]:
            if a in cardinality:
                cardinality[a] += 1
        for a in direct[following]:
            waiting[a] -= 1
        if not cardinality:
            return total, order
        most = max(cardinality.values())
        following = min((g for g, c in cardinality.items() if c == most), key=lambda g: (change(g), g))


def eliminate(sizes: Sequence[int], scopes: Iterable[Scope], open_scopes: Iterable[Scope] = ()) -> Elimination:
    """A good elimination order for terms over `scopes`.

    Args:
        sizes: number of options of each group.
        scopes: sets of groups that must share a bucket.
        open_scopes: further sets of groups that should be close in the order, but need not share a bucket.
    """
    return _eliminated(tuple(sizes), tuple(map(tuple, scopes)), tuple(map(tuple, open_scopes)))


@lru_cache(maxsize=16)  # a solver asks for the same order when it accepts a problem and when it solves it
def _eliminated(sizes: Scope, scopes: tuple[Scope, ...], open_scopes: tuple[Scope, ...]) -> Elimination:
    weights = [math.log(n) for n in sizes]
    filled = _fill(_neighbours(len(sizes), scopes), weights)
    direct = _neighbours(len(sizes), [*scopes, *open_scopes])
    linked = [near | close for near, close in zip(filled, direct, strict=True)]
    processing: list[int] = []
    for component in _components(linked):
        far = _breadth_first(linked, component[0])[-1]
        other = _breadth_first(linked, far)[-1]
        busiest = max(component, key=lambda g: (len(filled[g]), -g))
        starts = sorted({far, other, busiest})
        processing += min(_search(start, component, filled, direct, weights) for start in starts)[1]
    rank = {g: i for i, g in enumerate(processing)}
    separators = tuple(
        tuple(sorted((a for a in filled[g] if rank[a] < rank[g]), key=rank.__getitem__)) for g in range(len(sizes))
    )
    return Elimination(tuple(processing), separators, tuple(sizes))


def largest_table(problem: KnapsackProblem) -> int:
    """The number of entries of the largest table that exact max-sum over the pairs of `problem` needs.

    Nothing is allocated.
    """
    return max(eliminate(open_sizes(problem), pair_scopes(problem)).entries)
