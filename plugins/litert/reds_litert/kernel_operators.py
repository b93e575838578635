"""The operators of .tflite files that multiply their input by a kernel, and where they have their tensors."""

from __future__ import annotations

from reds_litert.schema import BIAS, INPUT

CONV, DEPTHWISE, DENSE, TRANSPOSED = "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"
WITH_KERNELS = (CONV, TRANSPOSED, DEPTHWISE, DENSE)
"""These operators. Their second input is the kernel."""


def input_place(kind: str) -> int:
    """Return the index of the input image among the inputs of an operator with a kernel."""
    return 2 if kind == TRANSPOSED else INPUT


def bias_place(kind: str) -> int:
    """Return the index of the bias among the inputs of an operator with a kernel."""
    return 3 if kind == TRANSPOSED else BIAS


def channel_axis(kind: str) -> int:
    """Return the axis of the output channels of a kernel."""
    return 3 if kind == DEPTHWISE else 0
