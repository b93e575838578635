"""Softmax of 16-bit activations, whose exponentials and reciprocals are interpolated between samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from reds_c_engine.fixed_point import IntArray, quantized_multiplier, scaled
from reds_c_engine.reference.call import Call

Int16Array = npt.NDArray[np.int16]
FloatArray = npt.NDArray[np.float32]

_INTERVALS = 512
_INT16_MIN, _INT16_MAX = -(1 << 15), (1 << 15) - 1


def softmax(call: Call) -> Int16Array:
    """Return exp(beta * x) over its sum along the last axis, in units of 1/32768."""
    by = quantized_multiplier(call.tensor(0).scale * float(np.float32(call.options.beta)) / (10.0 / 65535.0))
    x = call.integers(0)
    below = scaled(x - x.max(axis=-1, keepdims=True), by)
    powers = _interpolated(_sampled(np.exp, -10.0, 0.0), below + _INT16_MAX)
    sums = powers.sum(axis=-1, keepdims=True)
    zeros = 32 - np.vectorize(lambda total: int(total).bit_length(), otypes=[np.int64])(sums)
    between = ((sums << (zeros - 1)) + (1 << 13)) >> 14
    reciprocal = _interpolated(
        _sampled(lambda v: np.float32(1) / (np.float32(1) + v), 0.0, 1.0), between - 3 * (1 << 15)
    )
    shift = 31 - zeros
    shares = (powers * reciprocal + (np.int64(1) << (shift - 1))) >> shift
    return np.asarray(np.clip(shares, 0, _INT16_MAX), np.int16)


def _sampled(function: Callable[[FloatArray], FloatArray], least: float, greatest: float) -> IntArray:
    """Return 513 samples of a function in units of 1/32768, moved to halve the error in the middle of intervals."""
    single = np.float32
    step = (single(greatest) - single(least)) / single(_INTERVALS)
    at = (single(least) + np.arange(_INTERVALS, dtype=single) * step).astype(single)
    after = (single(least) + np.arange(1, _INTERVALS + 1, dtype=single) * step).astype(single)
    unit = single(32768)
    samples = _rounded(function(at) * unit)
    middles = _rounded(function((at + step / single(2)).astype(single)) * unit)
    interpolated = _rounded((function(after) * unit + samples) / single(2))
    moved = samples - _rounded((interpolated - middles) / single(2))
    last = _rounded(function(np.array([greatest], single)) * unit)
    return np.clip(np.append(moved, last), _INT16_MIN, _INT16_MAX).astype(np.int64)


def _rounded(x: FloatArray) -> FloatArray:
    """Round to nearest, halves away from zero."""
    return np.asarray(np.trunc(x + np.copysign(np.float32(0.5), x)), np.float32)


def _interpolated(samples: IntArray, x: IntArray) -> IntArray:
    """Return the function between samples for inputs of 16 bits; others count as the nearest of these."""
    x = np.clip(x, _INT16_MIN, _INT16_MAX)
    index = 256 + (x >> 7)
    return np.asarray(samples[index] + (((samples[index + 1] - samples[index]) * (x & 127) + 64) >> 7), np.int64)
