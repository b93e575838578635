"""Uniform symmetric quantisation of weights, one scale for each output channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray, IntArray
from reds_core.errors import InputError

SMALLEST_SCALE = 2.0**-100
"""Products with smaller scales might not be exact in float32."""
ZERO_BELOW = 0.999 * SMALLEST_SCALE
"""Channels with a smaller scale are rounded to zero."""
REFINEMENTS = 2
"""How often the best of the scales that are tried is refined by least squares."""

_Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class UniformQuantiser:
    """Rounds weights to integers of `bits` bits times one scale for each output channel.

    The integers range from -(2^(bits - 1) - 1) to 2^(bits - 1) - 1, so that 0 is exact and the range is symmetric. With
    8 bits, the scale is the largest magnitude of a channel divided by 127, as stock converters do. With fewer
    bits, larger weights are clipped: of several scales, the one with the least mean squared error is taken. It is then
    refined twice by least squares, since the best scale for given integers q is sum(|w| q) / sum(q^2).

    The largest integer occurs in every channel that is not zero. Quantising quantised weights again therefore returns
    the same integers, scales and values, and so does any quantiser that divides the largest magnitude by the largest
    integer. For this, scales are rounded such that integer times scale is exact in float32.

    Attributes:
        bits: The number of bits, 2 to 8.

    Raises:
        InputError: If the number of bits is out of range.
    """

    bits: int

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise InputError(f"weights cannot have {self.bits} bits", "give a number of bits from 2 to 8")

    @property
    def largest(self) -> int:
        """The largest integer."""
        return int(2 ** (self.bits - 1) - 1)

    @property
    def dropped_bits(self) -> int:
        """How many bits at the end of the significand of a float32 scale are zero."""
        return self.largest.bit_length()

    @property
    def fractions(self) -> tuple[float, ...]:
        """The scales that are tried, as fractions of the scale that clips nothing, in falling order from 1."""
        eighths = {8: 0, 3: 16, 2: 22}.get(self.bits, 12)
        return tuple(float(np.float32(2.0 ** (-i / 8))) for i in range(eighths + 1))

    def scales(self, weight: npt.NDArray[Any], axis: int | tuple[int, ...] | None) -> FloatArray:
        """Return the scale of each channel, float64, in the shape of `weight` with other axes of length 1.

        Args:
            weight: The weights, which are read as float32.
            axis: The axis along which each position has a scale of its own; several axes, or None for a single scale.
        """
        columns = _Columns.of(weight, axis)
        return columns.restored(self._scales(columns.values), 1).astype(np.float64)

    def integers(self, weight: npt.NDArray[Any], axis: int | tuple[int, ...] | None) -> IntArray:
        """Return the integers, int64, in the shape of `weight`. The arguments are those of `scales`."""
        columns = _Columns.of(weight, axis)
        values = self._integers(columns.values, self._scales(columns.values))
        return columns.restored(values, len(values)).astype(np.int64)

    def quantised(self, weight: npt.NDArray[Any], axis: int | tuple[int, ...] | None) -> FloatArray:
        """Return the integers times the scales, float64, all of which are exact in float32.

        The arguments are those of `scales`.
        """
        columns = _Columns.of(weight, axis)
        scales = self._scales(columns.values)
        values = self._integers(columns.values, scales) * scales
        return columns.restored(values, len(values)).astype(np.float64)

    def _scales(self, values: _Float32) -> _Float32:
        """Return scales, float32 (channels,), of weights (elements, channels)."""
        magnitudes = np.abs(values)
        # A product, since graph compilers turn divisions by a constant into products as well.
        whole = magnitudes.max(axis=0, initial=0) * np.float32(1 / self.largest)
        best = self._rounded(whole)
        if len(self.fractions) > 1:
            least = self._errors(magnitudes, best)
            for fraction in self.fractions[1:]:
                scales = self._rounded(whole * np.float32(fraction))
                errors = self._errors(magnitudes, scales)
                is_better = errors < least  # the first of equal ones clips the least
                best, least = np.where(is_better, scales, best), np.where(is_better, errors, least)
            for _ in range(REFINEMENTS):
                best = self._rounded(np.minimum(self._refined(magnitudes, best), whole))
        return np.where(whole < ZERO_BELOW, np.float32(1), best)

    def _refined(self, magnitudes: _Float32, scales: _Float32) -> _Float32:
        """Return the scales with the least squared error for the integers that `scales` lead to.

        Sums are in float64, in which they are exact for weights that are quantised, so that these do not change.
        """
        integers = np.minimum(np.rint(magnitudes / scales), np.float32(self.largest)).astype(np.float64)
        products, squares = (magnitudes * integers).sum(axis=0), np.square(integers).sum(axis=0)
        refined: _Float32 = (products / np.maximum(squares, 1)).astype(np.float32)
        return refined

    def _rounded(self, scales: _Float32) -> _Float32:
        """Return scales whose products with all integers are exact in float32."""
        half, mask = 1 << (self.dropped_bits - 1), -(1 << self.dropped_bits)
        rounded: _Float32 = ((scales.astype(np.float32).view(np.int32) + half) & mask).view(np.float32)
        at_least: _Float32 = np.maximum(rounded, np.float32(SMALLEST_SCALE))
        return at_least

    def _errors(self, magnitudes: _Float32, scales: _Float32) -> FloatArray:
        found = magnitudes / scales
        np.minimum(np.rint(found, out=found), np.float32(self.largest), out=found)
        found *= scales
        found -= magnitudes
        squared: FloatArray = np.square(found, out=found).sum(axis=0, dtype=np.float64)
        return squared

    def _integers(self, values: _Float32, scales: _Float32) -> _Float32:
        integers: _Float32 = np.clip(np.rint(values / scales), -self.largest, self.largest)
        return integers


@dataclass(frozen=True, eq=False)
class _Columns:
    """Weights with one column for each scale.

    Attributes:
        values: The weights, float32 (elements, channels).
        order: The axes of the original array in the order of `shape`: those without scales first.
        shape: The lengths of those axes.
        scaled: How many of the axes have scales.
    """

    values: _Float32
    order: tuple[int, ...]
    shape: tuple[int, ...]
    scaled: int

    @classmethod
    def of(cls, weight: npt.NDArray[Any], axis: int | tuple[int, ...] | None) -> _Columns:
        array = np.asarray(weight, np.float32)
        axes = () if axis is None else (axis,) if isinstance(axis, int) else axis
        scaled = tuple(sorted(a % array.ndim for a in axes))
        order = (*(a for a in range(array.ndim) if a not in scaled), *scaled)
        shape = tuple(array.shape[a] for a in order)
        count = math.prod(array.shape[a] for a in scaled)
        return cls(
            array.transpose(order).reshape(-1, count) if array.size else np.zeros((0, count), np.float32),
            order,
            shape,
            len(scaled),
        )

    def restored(self, values: _Float32, elements: int) -> _Float32:
        """Return values (elements, channels), or (channels,), in the shape of the original array."""
        others = len(self.shape) - self.scaled
        shape = self.shape if elements != 1 or values.ndim == 2 else (*[1] * others, *self.shape[others:])
        restored: _Float32 = values.reshape(shape).transpose(np.argsort(self.order))
        return restored
