"""Operators that move elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reds_c_engine.reference.call import Call
from reds_core.errors import UnsupportedError


def reshape(call: Call) -> npt.NDArray[Any]:
    """Return the input in the shape of the output."""
    return call.integers(0).astype(call.output.dtype).reshape(call.output_shape)


def concatenation(call: Call) -> npt.NDArray[Any]:
    """Return the inputs one after another; constants are repeated for each example.

    Raises:
        UnsupportedError: If an input has another scale or zero point than the output, which tflite-micro refuses.
    """
    parts = []
    for index in range(len(call.tensors)):
        tensor, part = call.tensor(index), call.integers(index).astype(call.output.dtype)
        if (tensor.scale, tensor.zero_point) != (call.output.scale, call.output.zero_point):
            raise UnsupportedError(f"input {index} of CONCATENATION has a scale of its own", "quantise it before")
        alone = tensor.data is not None and len(part) == 1
        parts.append(np.repeat(part, call.examples, axis=0) if alone else part)
    return np.concatenate(parts, axis=int(call.options.axis))


def pad(call: Call) -> npt.NDArray[Any]:
    """Return the input with elements around it, which are zeros or the value of a third input."""
    sides = [(int(before), int(after)) for before, after in call.integers(1)]
    given = len(call.values) > 2 and call.values[2] is not None
    value = int(call.integers(2).reshape(-1)[0]) if given else call.output.zero_point
    return np.pad(call.integers(0), sides, constant_values=value).astype(call.output.dtype)
