"""Weights of 4 bits that are the upper halves of codes of 8 bits, so that both are stored once.

A code q of 8 bits, from -127 to 127, is 16 h + l with an upper half h from -8 to 7 and a lower half l from 0 to 15. A
network that reads h alone knows l only as one of 16 numbers, whose middle is 7.5. With h alone in place of q / 16 the
weights would all be too small by half a step of 16. The truncated code is therefore 16 h + 8: it is wrong by at most 8,
which is half a step, and by -0.5 on average over all l. There are 16 such codes, from -120 to 120, none of which is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray, IntArray
from reds_core.errors import InputError
from reds_core.transforms.quantiser import UniformQuantiser

CODE_BITS = 8
"""The number of bits of the codes that are truncated."""
TRUNCATED_BITS = 4
"""The number of bits of their upper halves."""
TRUNCATION_STEP = 1 << (CODE_BITS - TRUNCATED_BITS)
"""The difference between one truncated code and the next."""
LARGEST_TRUNCATED = 127 // TRUNCATION_STEP * TRUNCATION_STEP + TRUNCATION_STEP // 2
"""The largest truncated code."""
NEGLIGIBLE_SCALE = 2.0**-20
"""The scale of a channel of zeros, as a part of the largest scale of the weight."""
TRUNCATION_GRID = 1e-3
"""How far weights that are truncated already may be from whole codes, in codes."""


def truncated_codes(codes: npt.NDArray[Any]) -> IntArray:
    """Return what a network computes with that reads the upper halves of some codes, int64, in their shape.

    Args:
        codes: The codes, of any type. Numbers between codes are truncated to the nearest truncated code.
    """
    return (np.floor(np.asarray(codes) / TRUNCATION_STEP) * TRUNCATION_STEP + TRUNCATION_STEP // 2).astype(np.int64)


def are_truncated(codes: npt.NDArray[Any]) -> bool:
    """Return whether all codes are truncated ones."""
    return bool(np.array_equal(truncated_codes(codes), codes))


def codes_of_truncated(rows: npt.NDArray[Any]) -> IntArray:
    """Return truncated codes of which weights are multiples, int64 (channels, elements).

    A part of a channel need not have its largest code, so the scale of the channel is not known from it. These are the
    smallest codes that fit. Weights that no codes fit are quantised.

    Args:
        rows: The weights, (channels, elements).
    """
    values = np.asarray(rows, np.float64)
    found = TruncatedQuantiser().integers(values, 0)
    largest = np.abs(values).max(axis=1, keepdims=True, initial=0)
    is_open = (largest > 0)[:, 0]
    for code in range(TRUNCATION_STEP // 2, LARGEST_TRUNCATED + 1, TRUNCATION_STEP):
        codes = values / np.where(largest > 0, largest / code, 1)
        nearest = truncated_codes(codes)
        fits = is_open & (np.abs(codes - nearest).max(axis=1, initial=0) <= TRUNCATION_GRID)
        found[fits] = nearest[fits]
        is_open &= ~fits
    return found


@dataclass(frozen=True)
class TruncatedQuantiser(UniformQuantiser):
    """Rounds weights to codes of 8 bits times one scale for each channel, and truncates the codes to 4 bits.

    The codes and scales are those of `UniformQuantiser(8)`. Channels whose weights are truncated codes already are left
    as they are, so that quantising twice changes nothing.

    Attributes:
        bits: The number of bits that are left, 4.

    Raises:
        InputError: If it is another number.
    """

    bits: int = TRUNCATED_BITS

    def __post_init__(self) -> None:
        if self.bits != TRUNCATED_BITS:
            raise InputError(f"codes cannot be truncated to {self.bits} bits", f"give {TRUNCATED_BITS}")

    def scales(self, weight: npt.NDArray[Any], axis: int | tuple[int, ...] | None) -> FloatArray:
        found = self._codes_scales(weight, axis)
        magnitudes = np.abs(np.asarray(weight, np.float64)).max(self._others(weight, axis), keepdims=True, initial=0)
        return np.where(self._is_truncated(weight, axis), magnitudes / LARGEST_TRUNCATED, found)

    def integers(self, weight: npt.NDArray[Any], axis: int | tuple[int, ...] | None) -> IntArray:
        """Return the truncated codes, int64, in the shape of `weight`. The arguments are those of `scales`."""
        plain = truncated_codes(UniformQuantiser(CODE_BITS).integers(weight, axis))
        with np.errstate(divide="ignore", invalid="ignore"):
            present = np.rint(np.asarray(weight, np.float64) / self.scales(weight, axis))
        return np.where(self._is_truncated(weight, axis), present, plain).astype(np.int64)

    def quantised(self, weight: npt.NDArray[Any], axis: int | tuple[int, ...] | None) -> FloatArray:
        values = truncated_codes(UniformQuantiser(CODE_BITS).integers(weight, axis)) * self._codes_scales(weight, axis)
        kept = np.asarray(weight, np.float32).astype(np.float64)
        return np.where(self._is_truncated(weight, axis), kept, values)

    def _codes_scales(self, weight: npt.NDArray[Any], axis: int | tuple[int, ...] | None) -> FloatArray:
        found = UniformQuantiser(CODE_BITS).scales(weight, axis)
        magnitudes = np.abs(np.asarray(weight, np.float64)).max(self._others(weight, axis), keepdims=True, initial=0)
        # No truncated code is 0, so a channel of zeros needs a scale that is next to nothing.
        least = NEGLIGIBLE_SCALE * np.max(found, where=magnitudes > 0, initial=NEGLIGIBLE_SCALE)
        return np.where(magnitudes > 0, found, least)

    def _others(self, weight: npt.NDArray[Any], axis: int | tuple[int, ...] | None) -> tuple[int, ...]:
        """Return the axes along which there is one scale."""
        axes = () if axis is None else (axis,) if isinstance(axis, int) else axis
        scaled = {each % weight.ndim for each in axes}
        return tuple(each for each in range(weight.ndim) if each not in scaled)

    def _is_truncated(self, weight: npt.NDArray[Any], axis: int | tuple[int, ...] | None) -> npt.NDArray[np.bool_]:
        """Return which channels are truncated codes times a scale, of which the largest is one of the two ends."""
        values, others = np.asarray(weight, np.float32).astype(np.float64), self._others(weight, axis)
        if not values.size:
            return np.zeros([1 if each in others else n for each, n in enumerate(values.shape)], np.bool_)
        largest = np.abs(values).max(others, keepdims=True)
        codes = values / np.where(largest > 0, largest / LARGEST_TRUNCATED, 1)
        differences = np.abs(codes - (np.floor(codes / TRUNCATION_STEP) * TRUNCATION_STEP + TRUNCATION_STEP // 2))
        found: npt.NDArray[np.bool_] = (differences.max(others, keepdims=True) <= TRUNCATION_GRID) & (largest > 0)
        return found
