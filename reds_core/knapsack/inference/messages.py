"""The results of max-sum sweeps: messages and max-marginals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reds_core.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Messages:
    """One sweep from the leaves to the root.

    Attributes:
        weights: the weight vectors, float64 (k, rows).
        upward: for each group, the maximum of its subtree, float64 (k, options of each group of its separator).
        best: the largest weighted sum over all choices, float64 (k,); at most FORBIDDEN if there is no choice.
        flat: all of `upward` as compiled code lays it out; None if NumPy made it.
    """

    weights: FloatArray
    upward: Sequence[FloatArray]
    best: FloatArray
    flat: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Marginals:
    """The largest weighted sum with a part of the choice fixed.

    Attributes:
        groups: for each group, float64 (k, options).
        pairs: for each pair, float64 (k, options of first, options of second); empty unless requested.
        flat: all of `groups` in processing order, float64 (k, options of all groups); None if NumPy made them.
    """

    groups: Sequence[FloatArray]
    pairs: tuple[FloatArray, ...]
    flat: FloatArray | None = None


class LazyParts(Sequence[FloatArray]):
    """The parts of one array, which are cut out when they are asked for."""

    def __init__(self, count: int, cut: Callable[[int], FloatArray]) -> None:
        self._count = count
        self._cut = cut

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._cut(i) for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self._cut(index % self._count)
