"""Poolings, means and maxima."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from reds_c_engine.fixed_point import QuantizedMultiplier, quantized_multiplier, scaled
from reds_c_engine.reference.call import Call
from reds_c_engine.reference.windows import steps, windows

Int8Array = npt.NDArray[np.int8]


def average_pool(call: Call) -> Int8Array:
    """Return averages over the taps inside of the image, rounded with halves away from zero."""
    x = call.integers(0)
    rows, columns = steps(call.options, x.shape[1:3], _taps(call))
    sums = windows(x, rows, columns, padding=0).sum(axis=(3, 4))
    counts = windows(np.ones_like(x[:1]), rows, columns, padding=0).sum(axis=(3, 4))
    averages = np.where(sums > 0, (sums + counts // 2) // counts, -((counts // 2 - sums) // counts))
    return call.range().clip(averages)


def max_pool(call: Call) -> Int8Array:
    """Return maxima over the taps inside of the image."""
    x = call.integers(0)
    seen = windows(x, *steps(call.options, x.shape[1:3], _taps(call)), padding=call.every().least)
    return call.range().clip(seen.max(axis=(3, 4)))


def mean(call: Call) -> Int8Array:
    """Return means, whose number of elements is divided into the multiplier."""
    x, axes = call.centred(0), _axes(call)
    count = math.prod(x.shape[axis] for axis in axes)
    by = quantized_multiplier(call.tensor(0).scale / call.output.scale)
    shift = min(count.bit_length() - 1, 32, 31 + by.shift)
    by = QuantizedMultiplier((by.multiplier << shift) // count, by.shift - shift)
    means = scaled(x.sum(axis=axes), by) + call.output.zero_point
    return call.every().clip(means).reshape(call.output_shape)


def maximum(call: Call) -> Int8Array:
    """Return maxima along axes."""
    return call.every().clip(call.integers(0).max(axis=_axes(call))).reshape(call.output_shape)


def _axes(call: Call) -> tuple[int, ...]:
    count = call.integers(0).ndim
    return tuple(sorted({int(axis) % count for axis in call.integers(1).reshape(-1)}))


def _taps(call: Call) -> tuple[int, int]:
    return int(call.options.filterHeight), int(call.options.filterWidth)
