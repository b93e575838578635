"""Limits and roundings of quantised tensors, as tflite-micro computes them."""

from __future__ import annotations

import math

import numpy as np
from reds_litert.graph import FileTensor

LEAST, GREATEST = -128, 127
NO_ACTIVATION = 0
"""What files have as the activation function of an operator without one."""
ACTIVATIONS: dict[int, tuple[float | None, float | None]] = {
    NO_ACTIVATION: (None, None),
    1: (0.0, None),  # RELU
    2: (-1.0, 1.0),  # RELU_N1_TO_1
    3: (0.0, 6.0),  # RELU6
}
"""The least and the greatest real output of each activation function that can be part of an operator."""
SAME_PADDING = 0
"""What files have as the padding of an operator whose output is as large as its input, but for strides."""


def rounded(value: float) -> int:
    """Return a number rounded to the nearest integer, halves away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def quantized(value: float, tensor: FileTensor) -> int:
    """Return the integer of a tensor for a real number, without limits. The quotient is computed in float32."""
    return tensor.zero_point + rounded(float(np.float32(value) / np.float32(tensor.scale)))


def limits(activation: int, tensor: FileTensor, least: int = LEAST, greatest: int = GREATEST) -> tuple[int, int]:
    """Return the least and the greatest integer that an operator with an activation function may write.

    Args:
        activation: The activation function.
        tensor: The output of the operator.
        least: The least integer of its type.
        greatest: The greatest one.

    Raises:
        KeyError: If the activation function cannot be part of an operator.
    """
    low, high = ACTIVATIONS[activation]
    return (
        least if low is None else max(least, quantized(low, tensor)),
        greatest if high is None else min(greatest, quantized(high, tensor)),
    )


def input_radius(integer_bits: int, left_shift: int) -> int:
    """Return the largest absolute input that can be shifted to the left in fixed point with some integer bits."""
    return math.floor(((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / (1 << left_shift))
