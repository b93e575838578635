"""Max-sum over a spanning forest of the group graph: the exact maximum, a maximiser, and max-marginals.

Message passing as in Kschischang, Frey and Loeliger, "Factor graphs and the sum-product algorithm" (2001), in the
max-plus semiring. Tables may contain -inf, but every option must have a partner of finite value in every table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray


@dataclass(frozen=True)
class Link:
    """The edge from a group to its parent.

    Attributes:
        pair: index of the pair.
        parent: index of the parent group.
        child_first: whether the child is the first group of the pair.
    """

    pair: int
    parent: int
    child_first: bool


@dataclass(frozen=True, eq=False)
class ForestMarginals:
    """Max-marginals and reduced costs of each option and cell of a forest.

    Attributes:
        roots: the maximum of each tree.
        tops: for each group, the maximum of its tree.
        groups: for each group, the maximum of its tree with each option forced, float64 (positions,).
        root_reduced: for each group, the reduced costs of its options: the maximum of the tree minus the sum of
            messages at roots, 0 elsewhere.
        reduced: the reduced costs of cells, by index of the pair, for the pairs in the forest. For every choice, these
            and those of the roots add up to the maximum minus the function.
        pair_losses: the maximum of the tree minus the maximum with each cell forced, by index of the pair.
    """

    roots: list[float]
    tops: list[float]
    groups: list[FloatArray]
    root_reduced: list[FloatArray]
    reduced: dict[int, FloatArray]
    pair_losses: dict[int, FloatArray]


def _oriented(table: FloatArray, link: Link) -> FloatArray:
    """The table of the link's pair, with the child's options as rows."""
    return table if link.child_first else table.T


@dataclass(frozen=True)
class Forest:
    """A spanning forest of the group graph.

    Attributes:
        order: all groups, parents before their children.
        links: for each group, the edge to its parent; None for roots.
        chords: indices of the pairs that are not in the forest, in rising order.
    """

    order: tuple[int, ...]
    links: tuple[Link | None, ...]
    chords: tuple[int, ...]

    @classmethod
    def spanning(cls, sizes: Sequence[int], ends: Sequence[tuple[int, int] | None]) -> Forest:
        """The spanning forest of the largest tables, by Kruskal's algorithm.

        Args:
            sizes: number of options of each group.
            ends: the two groups of each pair, or None to leave the pair out.
        """
        leader = list(range(len(sizes)))

        def find(g: int) -> int:
            while leader[g] != g:
                leader[g] = leader[leader[g]]
                g = leader[g]
            return g

        neighbours: list[list[tuple[int, Link]]] = [[] for _ in sizes]
        chords = []
        present = [(k, e) for k, e in enumerate(ends) if e is not None]
        for k, (a, b) in sorted(present, key=lambda item: -sizes[item[1][0]] * sizes[item[1][1]]):
            if find(a) == find(b):
                chords.append(k)
                continue
            leader[find(a)] = find(b)
            neighbours[a].append((b, Link(k, a, child_first=False)))
            neighbours[b].append((a, Link(k, b, child_first=True)))
        links: list[Link | None] = [None] * len(sizes)
        order: list[int] = []
        seen = [False] * len(sizes)
        for root in range(len(sizes)):
            stack = [] if seen[root] else [root]
            seen[root] = True
            while stack:
                group = stack.pop()
                order.append(group)
                for child, link in neighbours[group]:
                    if not seen[child]:
                        seen[child] = True
                        links[child] = link
                        stack.append(child)
        return cls(tuple(order), tuple(links), tuple(sorted(chords)))

    def _upward(
        self, groups: Sequence[FloatArray], pairs: Mapping[int, FloatArray]
    ) -> tuple[list[FloatArray], list[FloatArray | None]]:
        """For each group, the maximum of its subtree by option, and its message to its parent (None at roots)."""
        totals = list(groups)
        messages: list[FloatArray | None] = [None] * len(totals)
        for group in reversed(self.order):
            link = self.links[group]
            if link is not None:
                message = (totals[group][:, None] + _oriented(pairs[link.pair], link)).max(axis=0)
                totals[link.parent] = totals[link.parent] + message
                messages[group] = message
        return totals, messages

    def maximise(self, groups: Sequence[FloatArray], pairs: Mapping[int, FloatArray]) -> tuple[float, tuple[int, ...]]:
        """Maximise over the forest.

        Args:
            groups: for each group, float64 (positions,).
            pairs: float64 (positions of first, positions of second), by index of the pair; chords are ignored.

        Returns:
            The maximum, and a maximiser as one position for each group.
        """
        totals, _ = self._upward(groups, pairs)
        positions = [0] * len(totals)
        value = 0.0
        for group in self.order:
            link = self.links[group]
            if link is None:
                positions[group] = int(np.argmax(totals[group]))
                value += float(totals[group][positions[group]])
            else:
                column = _oriented(pairs[link.pair], link)[:, positions[link.parent]]
                positions[group] = int(np.argmax(totals[group] + column))
        return value, tuple(positions)

    def marginals(self, groups: Sequence[FloatArray], pairs: Mapping[int, FloatArray]) -> ForestMarginals:
        """Max-marginals and reduced costs, by one upward and one downward sweep. Arguments: see `maximise`."""
        totals, messages = self._upward(groups, pairs)
        beliefs = list(totals)
        tops = [0.0] * len(totals)
        roots = []
        root_reduced = [np.zeros(t.size) for t in totals]
        reduced: dict[int, FloatArray] = {}
        losses: dict[int, FloatArray] = {}
        for group in self.order:
            link, message = self.links[group], messages[group]
            if link is None or message is None:
                tops[group] = float(totals[group].max())
                roots.append(tops[group])
                root_reduced[group] = tops[group] - totals[group]
                continue
            tops[group] = tops[link.parent]
            below = totals[group][:, None] + _oriented(pairs[link.pair], link)
            joint = below + (beliefs[link.parent] - message)
            beliefs[group] = joint.max(axis=1)
            short, loss = message - below, tops[group] - joint
            reduced[link.pair] = short if link.child_first else short.T
            losses[link.pair] = loss if link.child_first else loss.T
        return ForestMarginals(roots, tops, beliefs, root_reduced, reduced, losses)
