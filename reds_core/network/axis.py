"""Channel axes: which channels of which groups are at which positions along an axis of a tensor or a weight.

An axis is a tree. Its leaves are fixed lengths and channel groups. Its inner nodes describe the layout: axes are
concatenated (`Concat`: a Concatenate layer), the whole axis is repeated (`Tile`: Flatten of channels-last maps, the
gates of an LSTM), or each element is repeated (`Repeat`: Flatten of channels-first maps, the features of an attention
head). The tree gives the length of the axis for any widths of the groups, and the positions of the kept channels, which
is all that costs, slicing and permutation need.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray, IntArray

Kept = Mapping[str, IntArray]
"""Group name -> indices of the kept channels, int64, in their new order."""

Combined = Mapping[str, FloatArray]
"""Group name -> the coefficients of each new channel in those it replaces, float64 (new channels, channels)."""


@dataclass(frozen=True)
class LinearForm:
    """A linear function of group widths: constant + sum over groups of coefficient x width."""

    constant: int
    coefficients: tuple[tuple[str, int], ...] = ()

    def at(self, widths: Mapping[str, int]) -> int:
        """Return the value of the form if group g has `widths[g]` channels."""
        return self.constant + sum(c * int(widths[g]) for g, c in self.coefficients)

    def plus(self, other: LinearForm) -> LinearForm:
        """Return the sum of the two forms."""
        total = dict(self.coefficients)
        for group, coefficient in other.coefficients:
            total[group] = total.get(group, 0) + coefficient
        return LinearForm(self.constant + other.constant, tuple(total.items()))

    def times(self, factor: int) -> LinearForm:
        """Return the form multiplied by a constant."""
        return LinearForm(self.constant * factor, tuple((g, c * factor) for g, c in self.coefficients))


class Axis(ABC):
    """Base class of axes, which are immutable and hashable."""

    @abstractmethod
    def length(self) -> LinearForm:
        """Return the length of the axis as a linear form in the widths of its groups."""

    @abstractmethod
    def positions(self, kept: Kept, channels: Mapping[str, int]) -> IntArray:
        """Return the positions of the full axis that are kept, int64, in their new order.

        Args:
            kept: the kept channels of each group; groups that are not named keep all their channels.
            channels: the full number of channels of each group.
        """

    @abstractmethod
    def owners(self, group: str, channels: Mapping[str, int]) -> IntArray:
        """Return, for each position of the full axis, the channel of `group` at that position, or -1, int64."""

    @abstractmethod
    def combined(
        self, array: FloatArray, dimension: int, combined: Combined, channels: Mapping[str, int]
    ) -> FloatArray:
        """Return an array whose channels along one dimension are linear combinations of those of `array`.

        Args:
            array: values at full width, with this axis along `dimension`.
            dimension: the index of the dimension.
            combined: the coefficients; groups that are not named keep all their channels.
            channels: the full number of channels of each group.
        """

    @abstractmethod
    def replaced(self, replacements: Mapping[str, Axis]) -> Axis:
        """Return the axis with the groups named in `replacements` replaced by other axes."""

    def groups(self) -> tuple[str, ...]:
        """Return the names of the groups on the axis, each once, in order of appearance."""
        return tuple(g for g, _ in self.length().coefficients)

    def full(self, channels: Mapping[str, int]) -> int:
        """Return the length of the axis with all channels kept."""
        return self.length().at(channels)


@dataclass(frozen=True)
class Fixed(Axis):
    """An axis of `size` elements that are never pruned."""

    size: int

    def length(self) -> LinearForm:
        return LinearForm(self.size)

    def positions(self, kept: Kept, channels: Mapping[str, int]) -> IntArray:
        return np.arange(self.size, dtype=np.int64)

    def owners(self, group: str, channels: Mapping[str, int]) -> IntArray:
        return np.full(self.size, -1, dtype=np.int64)

    def combined(
        self, array: FloatArray, dimension: int, combined: Combined, channels: Mapping[str, int]
    ) -> FloatArray:
        return array

    def replaced(self, replacements: Mapping[str, Axis]) -> Axis:
        return self


@dataclass(frozen=True)
class Channels(Axis):
    """The channels of one group, in their order."""

    group: str

    def length(self) -> LinearForm:
        return LinearForm(0, ((self.group, 1),))

    def positions(self, kept: Kept, channels: Mapping[str, int]) -> IntArray:
        if self.group in kept:
            return np.asarray(kept[self.group], dtype=np.int64)
        return np.arange(channels[self.group], dtype=np.int64)

    def owners(self, group: str, channels: Mapping[str, int]) -> IntArray:
        size = channels[self.group]
        return np.arange(size, dtype=np.int64) if self.group == group else np.full(size, -1, dtype=np.int64)

    def combined(
        self, array: FloatArray, dimension: int, combined: Combined, channels: Mapping[str, int]
    ) -> FloatArray:
        if self.group not in combined:
            return array
        return np.moveaxis(np.tensordot(combined[self.group], array, (1, dimension)), 0, dimension)

    def replaced(self, replacements: Mapping[str, Axis]) -> Axis:
        return replacements.get(self.group, self)


@dataclass(frozen=True)
class Concat(Axis):
    """Several axes, one after the other."""

    parts: tuple[Axis, ...]

    def length(self) -> LinearForm:
        total = LinearForm(0)
        for part in self.parts:
            total = total.plus(part.length())
        return total

    def positions(self, kept: Kept, channels: Mapping[str, int]) -> IntArray:
        offset, found = 0, []
        for part in self.parts:
            found.append(part.positions(kept, channels) + offset)
            offset += part.full(channels)
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def owners(self, group: str, channels: Mapping[str, int]) -> IntArray:
        return np.concatenate([part.owners(group, channels) for part in self.parts])

    def combined(
        self, array: FloatArray, dimension: int, combined: Combined, channels: Mapping[str, int]
    ) -> FloatArray:
        if not self.parts:
            return array
        ends = np.cumsum([part.full(channels) for part in self.parts])
        pieces = zip(self.parts, np.split(array, ends[:-1], axis=dimension), strict=True)
        return np.concatenate(
            [part.combined(piece, dimension, combined, channels) for part, piece in pieces], dimension
        )

    def replaced(self, replacements: Mapping[str, Axis]) -> Axis:
        return Concat(tuple(p.replaced(replacements) for p in self.parts))


@dataclass(frozen=True)
class Tile(Axis):
    """The whole inner axis, `times` times, as `numpy.tile` does: Flatten of channels-last maps."""

    inner: Axis
    times: int

    def length(self) -> LinearForm:
        return self.inner.length().times(self.times)

    def positions(self, kept: Kept, channels: Mapping[str, int]) -> IntArray:
        inner = self.inner.positions(kept, channels)
        starts = np.arange(self.times, dtype=np.int64) * self.inner.full(channels)
        return (starts[:, None] + inner[None, :]).ravel()

    def owners(self, group: str, channels: Mapping[str, int]) -> IntArray:
        return np.tile(self.inner.owners(group, channels), self.times)

    def combined(
        self, array: FloatArray, dimension: int, combined: Combined, channels: Mapping[str, int]
    ) -> FloatArray:
        inner = self.inner.full(channels)
        tiles = array.reshape(*array.shape[:dimension], self.times, inner, *array.shape[dimension + 1 :])
        tiles = self.inner.combined(tiles, dimension + 1, combined, channels)
        length = self.times * tiles.shape[dimension + 1]
        return tiles.reshape(*array.shape[:dimension], length, *array.shape[dimension + 1 :])

    def replaced(self, replacements: Mapping[str, Axis]) -> Axis:
        return Tile(self.inner.replaced(replacements), self.times)


@dataclass(frozen=True)
class Repeat(Axis):
    """Each element of the inner axis, `times` times, as `numpy.repeat` does: depth multipliers."""

    inner: Axis
    times: int

    def length(self) -> LinearForm:
        return self.inner.length().times(self.times)

    def positions(self, kept: Kept, channels: Mapping[str, int]) -> IntArray:
        inner = self.inner.positions(kept, channels)
        return (inner[:, None] * self.times + np.arange(self.times, dtype=np.int64)[None, :]).ravel()

    def owners(self, group: str, channels: Mapping[str, int]) -> IntArray:
        return np.repeat(self.inner.owners(group, channels), self.times)

    def combined(
        self, array: FloatArray, dimension: int, combined: Combined, channels: Mapping[str, int]
    ) -> FloatArray:
        inner = self.inner.full(channels)
        elements = array.reshape(*array.shape[:dimension], inner, self.times, *array.shape[dimension + 1 :])
        elements = self.inner.combined(elements, dimension, combined, channels)
        length = elements.shape[dimension] * self.times
        return elements.reshape(*array.shape[:dimension], length, *array.shape[dimension + 1 :])

    def replaced(self, replacements: Mapping[str, Axis]) -> Axis:
        return Repeat(self.inner.replaced(replacements), self.times)
