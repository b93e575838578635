"""Elementwise arithmetic, where the smaller tensor is broadcast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reds_c_engine.fixed_point import IntArray, quantized_multiplier, scaled
from reds_c_engine.reference.call import Call

Int8Array = npt.NDArray[np.int8]

_LEFT_SHIFT, _WIDE_LEFT_SHIFT = 20, 15
"""The extra bits with which tensors of different scales are added, of 8 and of 16 bits."""


def add(call: Call) -> Int8Array:
    """Return a sum."""
    first, second = _on_one_scale(call)
    return _to_output(call, first + second)


def subtract(call: Call) -> Int8Array:
    """Return a difference."""
    first, second = _on_one_scale(call)
    return _to_output(call, first - second)


def multiply(call: Call) -> Int8Array:
    """Return a product."""
    by = quantized_multiplier(call.tensor(0).scale * call.tensor(1).scale / call.output.scale)
    product = scaled(_aligned(call, 0) * _aligned(call, 1), by)
    return call.range().clip(product + call.output.zero_point)


def quantize(call: Call) -> Int8Array:
    """Return a tensor with another scale and zero point."""
    by = quantized_multiplier(call.tensor(0).scale / call.output.scale)
    return call.every().clip(scaled(call.centred(0), by) + call.output.zero_point)


def _aligned(call: Call, index: int) -> IntArray:
    """Return an input less its zero point, with as many axes as the output if its first axis is that of examples."""
    x = call.centred(index)
    missing = len(call.output.shape) - x.ndim
    if call.tensor(index).data is not None or missing <= 0:
        return x
    return x.reshape(len(x), *[1] * missing, *x.shape[1:])


def _left_shift(call: Call) -> int:
    return _WIDE_LEFT_SHIFT if call.is_wide else _LEFT_SHIFT


def _common_scale(call: Call) -> float:
    return 2 * max(call.tensor(0).scale, call.tensor(1).scale)


def _on_one_scale(call: Call) -> tuple[IntArray, IntArray]:
    common = _common_scale(call)
    first, second = (
        scaled(_aligned(call, index) << _left_shift(call), quantized_multiplier(call.tensor(index).scale / common))
        for index in (0, 1)
    )
    return first, second


def _to_output(call: Call, sums: IntArray) -> Int8Array:
    by = quantized_multiplier(_common_scale(call) / ((1 << _left_shift(call)) * call.output.scale))
    return call.range().clip(scaled(sums, by) + call.output.zero_point)
