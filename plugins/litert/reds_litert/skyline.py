"""The exact search for the smallest placement of buffers in memory."""

from __future__ import annotations

from collections.abc import Sequence

STEPS = 2_000_000
"""How many buffers the search may look at, about a second."""


class Skyline:
    """A branch and bound over the orders in which buffers are stacked.

    Any placement can be pushed down until each buffer lies on the bottom or on another one. In the order of their
    offsets, each buffer then lies on top of what is already there at its times. So only the order has to be searched.

    Args:
        sizes: The size of each buffer.
        spans: The times of each buffer, at least one of them.
    """

    def __init__(self, sizes: Sequence[int], spans: Sequence[Sequence[int]]) -> None:
        self._sizes, self._spans = sizes, spans
        self._rank = sorted(range(len(sizes)), key=lambda i: (-sizes[i] * len(spans[i]), i))
        self._offsets = [-1] * len(sizes)
        count = max((t for span in spans for t in span), default=-1) + 1
        self._tops = [0] * count
        self._rest = [0] * count
        for size, span in zip(sizes, spans, strict=True):
            for t in span:
                self._rest[t] += size

    def least(self, size: int, bound: int) -> tuple[list[int] | None, bool]:
        """Search for the smallest placement.

        Args:
            size: The size of a known placement.
            bound: A lower bound, at which the search ends.

        Returns:
            Offsets whose placement is smaller than `size`, None if none were found, and whether no smaller placement
            than the one that is known then exists.
        """
        best: list[int] | None = None
        left = STEPS
        trail: list[tuple[int, list[int]]] = []
        stack = [iter(self._choices(0, size))]
        while stack:
            if left <= 0:
                return best, False
            choice = next(stack[-1], None)
            if choice is None:
                stack.pop()
                if trail:
                    self._undo(*trail.pop())
                continue
            offset, index = choice
            left -= len(self._sizes)
            trail.append((index, self._put(offset, index)))
            if len(trail) < len(self._sizes):
                stack.append(iter(self._choices(offset, size)))
                continue
            found = max(self._tops)
            if found < size:
                best, size = list(self._offsets), found
                if size <= bound:
                    return best, True
            self._undo(*trail.pop())
        return best, True

    def _put(self, offset: int, index: int) -> list[int]:
        """Place a buffer, and return the tops that it has changed."""
        before = [self._tops[t] for t in self._spans[index]]
        self._offsets[index] = offset
        for t in self._spans[index]:
            self._tops[t] = offset + self._sizes[index]
            self._rest[t] -= self._sizes[index]
        return before

    def _undo(self, index: int, before: Sequence[int]) -> None:
        self._offsets[index] = -1
        for t, top in zip(self._spans[index], before, strict=True):
            self._tops[t] = top
            self._rest[t] += self._sizes[index]

    def _choices(self, floor: int, size: int) -> list[tuple[int, int]]:
        """Return the offsets and indices of the buffers that may come next, none of them below `floor`."""
        if any(max(top, floor) + left >= size for top, left in zip(self._tops, self._rest, strict=True) if left):
            return []
        waiting = [i for i in self._rank if self._offsets[i] < 0]
        offered = [(max(floor, max(self._tops[t] for t in self._spans[i])), i) for i in waiting]
        # a buffer that fits below another can be moved there, so the other need not come before it
        ceiling = min(offset + max(self._sizes[i], 1) for offset, i in offered)
        return sorted((choice for choice in offered if choice[0] < ceiling), key=lambda choice: choice[0])
