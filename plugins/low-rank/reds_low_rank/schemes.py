"""Schemes: which kernels of low rank take the place of one kernel."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray
from reds_low_rank.decomposition import split, tucker

Spatial = tuple[int, ...]
"""The lengths of a kernel along the spatial axes; empty for dense layers."""


@dataclass(frozen=True)
class Shape:
    """The shape of the kernel of a dense layer or of a convolution: its spatial lengths, its inputs and its outputs."""

    spatial: Spatial
    inputs: int
    outputs: int

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Shape:
        """Return the shape of an array (*spatial, inputs, outputs)."""
        return cls(shape[:-2], shape[-2], shape[-1])

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.spatial) * self.inputs * self.outputs


@dataclass(frozen=True)
class Factor:
    """One kernel of a chain.

    Attributes:
        spatial: Its spatial lengths.
        reads: The rank of what it reads, or None if it reads the inputs of the layer.
        makes: The rank of what it computes, or None if it computes the outputs of the layer.
    """

    spatial: Spatial
    reads: int | None
    makes: int | None


class Scheme(ABC):
    """How a kernel becomes a chain of kernels."""

    @abstractmethod
    def ranks(self, shape: Shape, percent: int) -> tuple[int, ...]:
        """Return the ranks at a percentage of those at which the chain has as many weights as the kernel.

        Args:
            shape: The shape of the kernel at full width.
            percent: The percentage.
        """

    @abstractmethod
    def chain(self, spatial: Spatial, ranks: tuple[int, ...]) -> tuple[Factor, ...]:
        """Return the kernels that take the place of one, first to last."""

    @abstractmethod
    def factors(self, kernel: FloatArray, ranks: tuple[int, ...], moments: FloatArray | None) -> tuple[FloatArray, ...]:
        """Return the values of the kernels of `chain` for a kernel (*spatial, inputs, outputs) of any width."""

    def projected(self, kernel: FloatArray, ranks: tuple[int, ...], moments: FloatArray | None) -> FloatArray:
        """Return the kernel that computes what the chain computes, of the same shape."""
        first, *others = self.factors(kernel, ranks, moments)
        for other in others:
            # Kernels of a chain have a length above 1 on different axes, so sums over offsets have a single term.
            first = first @ other
        return first

    def size(self, shape: Shape, ranks: tuple[int, ...]) -> int:
        """Return the number of weights of a chain."""
        factors = self.chain(shape.spatial, ranks)
        return sum(
            math.prod(f.spatial)
            * (shape.inputs if f.reads is None else f.reads)
            * (shape.outputs if f.makes is None else f.makes)
            for f in factors
        )


class Split(Scheme):
    """Two kernels, by the truncated singular value decomposition of the kernel as a matrix."""

    @abstractmethod
    def first(self, spatial: Spatial) -> Spatial:
        """Return the spatial lengths of the first kernel, each either that of the layer or 1."""

    def ranks(self, shape: Shape, percent: int) -> tuple[int, ...]:
        before = math.prod(self.first(shape.spatial)) * shape.inputs
        after = shape.size // before
        return (_share(before * after / (before + after), percent),)

    def chain(self, spatial: Spatial, ranks: tuple[int, ...]) -> tuple[Factor, ...]:
        (rank,) = ranks
        first = self.first(spatial)
        return Factor(first, None, rank), Factor(_rest(spatial, first), rank, None)

    def factors(self, kernel: FloatArray, ranks: tuple[int, ...], moments: FloatArray | None) -> tuple[FloatArray, ...]:
        (rank,) = ranks
        *spatial, inputs, outputs = kernel.shape
        first = self.first(tuple(spatial))
        rest = _rest(tuple(spatial), first)
        early = [axis for axis, length in enumerate(first) if length > 1]
        late = [axis for axis in range(len(first)) if axis not in early]
        order = [*early, len(first), *late, len(first) + 1]
        matrix = kernel.transpose(order).reshape(math.prod(first) * inputs, -1)
        left, right = split(matrix, rank, moments)
        return (
            left.reshape(*first, inputs, rank),
            np.moveaxis(right.reshape(rank, *rest, outputs), 0, -2),
        )


class ChannelSplit(Split):
    """A kernel of the same spatial lengths that computes r channels, then a kernel of length 1.

    Zhang et al., "Accelerating very deep convolutional networks", arXiv 1505.06798.
    """

    def first(self, spatial: Spatial) -> Spatial:
        return spatial


class SpatialSplit(Split):
    """A kernel along the first spatial axis (k x 1), then one along the others (1 x k).

    Jaderberg et al., arXiv 1405.3866; Tai et al., arXiv 1511.06067. Kernels with at most one spatial length above 1
    are split as `ChannelSplit` does it.
    """

    def first(self, spatial: Spatial) -> Spatial:
        axis = next((axis for axis, length in enumerate(spatial) if length > 1), -1)
        return tuple(length if each == axis else 1 for each, length in enumerate(spatial))


class Tucker(Scheme):
    """A kernel of length 1 to r channels, one of the same spatial lengths to s channels, and one of length 1.

    Kim et al., "Compression of deep convolutional neural networks for fast and low power mobile applications", arXiv
    1511.06530. Both ranks are the same share of the numbers of channels.
    """

    def ranks(self, shape: Shape, percent: int) -> tuple[int, ...]:
        inside = shape.size
        around = shape.inputs**2 + shape.outputs**2
        # The share p of the channels at which p * inputs^2 + p^2 * size + p * outputs^2 = size.
        share = (math.sqrt(around**2 + 4 * inside**2) - around) / (2 * inside)
        return _share(share * shape.inputs, percent), _share(share * shape.outputs, percent)

    def chain(self, spatial: Spatial, ranks: tuple[int, ...]) -> tuple[Factor, ...]:
        before, after = ranks
        ones = (1,) * len(spatial)
        return Factor(ones, None, before), Factor(spatial, before, after), Factor(ones, after, None)

    def factors(self, kernel: FloatArray, ranks: tuple[int, ...], moments: FloatArray | None) -> tuple[FloatArray, ...]:
        before, after = ranks
        *spatial, inputs, outputs = kernel.shape
        ones = [1] * len(spatial)
        first, core, last = tucker(kernel.reshape(-1, inputs, outputs), (before, after), moments)
        return (
            first.reshape(*ones, inputs, before),
            core.reshape(*spatial, before, after),
            last.reshape(*ones, after, outputs),
        )


def _share(of: float, percent: int) -> int:
    return max(1, round(percent / 100 * of))


def _rest(spatial: Spatial, first: Spatial) -> Spatial:
    """Return the lengths that the first kernel leaves to the second."""
    return tuple(1 if taken == length else length for length, taken in zip(spatial, first, strict=True))
