"""Samples of functions, between which kernels for activations of 16 bits interpolate."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

INTERVALS = 512
_UNIT = 32768.0
_LEAST, _GREATEST = -(1 << 15), (1 << 15) - 1

Function = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def sampled(function: Function, least: float, greatest: float) -> tuple[int, ...]:
    """Return 513 samples of a function in units of 1/32768, as tflite-micro computes them in float32.

    Each sample but the last is moved by half of the error that interpolation has in the middle of the interval behind.

    Args:
        function: The function, of arrays in float32.
        least: The place of the first sample.
        greatest: That of the last.
    """
    single = np.float32
    step = single((greatest - least) / INTERVALS)
    places = single(least) + np.arange(INTERVALS + 1, dtype=single) * step
    values = function(places) * single(_UNIT)
    middles = _rounded(function(places[:-1] + step / single(2)) * single(_UNIT))
    ends = _rounded(values)
    errors = _rounded((values[1:] + ends[:-1]) / single(2)) - middles
    moved = ends[:-1] - _rounded(errors / single(2))
    return tuple(int(x) for x in np.clip([*moved, ends[-1]], _LEAST, _GREATEST))


def _rounded(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Round to the nearest integers, halves away from zero."""
    return np.array([math.copysign(math.floor(abs(x) + 0.5), x) for x in values.tolist()], np.float32)


EXPONENTIAL = sampled(np.exp, -10.0, 0.0)
"""exp(x) for x from -10 to 0."""
RECIPROCAL = sampled(lambda x: np.float32(1) / (np.float32(1) + x), 0.0, 1.0)
"""1 / (1 + x) for x from 0 to 1."""
