"""In which order to eliminate the groups of a problem, and how large the tables of max-sum then are.

Bucket elimination (Dechter, Artificial Intelligence 113, 1999) takes groups one at a time: the bucket of a group is a
table over the group and its separator, the groups eliminated later that share a term with it, directly or through a
group eliminated before. The order is found in two steps: greedy elimination fills the group graph up to a chordal
graph; maximum cardinality search (Tarjan and Yannakakis, SIAM J. Comput. 13, 1984) from an end of that graph gives an
order that adds no further edge and leaves few groups open at a time.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from reds_core.knapsack.problem import KnapsackProblem

Scope = tuple[int, ...]

_FILL_COUNTED = 16
"""Neighbours up to which the edges that an elimination would add are counted."""


@dataclass(frozen=True)
class Elimination:
    """An elimination order.

    Attributes:
        processing: all groups in the reverse of the elimination order: the last eliminated comes first.
        separators: for each group the groups its bucket spans besides itself, in processing order.
        sizes: options of each group.
    """

    processing: tuple[int, ...]
    separators: tuple[Scope, ...]
    sizes: tuple[int, ...]

    @property
    def entries(self) -> tuple[int, ...]:
        """For each group, how many entries its bucket's table has."""
        return tuple(
            self.sizes[g] * math.prod(self.sizes[s] for s in separator) for g, separator in enumerate(self.separators)
        )


def pair_scopes(problem: KnapsackProblem) -> list[Scope]:
    """The pairs of groups that share a value or a cost."""
    return [(p.first, p.second) for p in problem.pairs]


def peak_scopes(problem: KnapsackProblem) -> list[Scope]:
    """The sets of two or more groups that meet in a step of a peak resource, each once."""
    steps = (s for r in problem.peak_resources for s in r.steps)
    return sorted({tuple(sorted(s.groups)) for s in steps if len(s.groups) > 1})


def open_sizes(problem: KnapsackProblem) -> tuple[int, ...]:
    """How many options of each group lie within its floor and ceiling (at least 1)."""
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
    """A chordal supergraph: eliminate the group with the smallest bucket first, then the one that adds fewest edges."""
    left = [set(n) for n in neighbours]
    filled = [set(n) for n in neighbours]
    todo = set(range(len(left)))

    def cost(g: int) -> tuple[float, int, int]:
        near = left[g]
        # a tie-break that would take long to count where it no longer matters
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
    """Maximum cardinality search from `start`; ties go to the group that leaves the smallest frontier.

    Returns:
        The sum over steps of the number of frontier assignments, and the groups as visited.
    """
    visited: set[int] = set()
    order: list[int] = []
    cardinality = dict.fromkeys(component, 0)
    waiting = {g: len(direct[g]) for g in component}
    frontier_weight, total = 0.0, 0.0

    def change(g: int) -> float:
        """By how much the frontier's log size grows when `g` is visited."""
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
        sizes: options of each group.
        scopes: sets of groups that must stand together in one bucket.
        open_scopes: further sets whose groups should be close in the order, without need of a common bucket.
    """
    scopes = list(scopes)
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
    """Entries of the largest table that exact max-sum over the pairs of `problem` needs; nothing is allocated."""
    return max(eliminate(open_sizes(problem), pair_scopes(problem)).entries)
