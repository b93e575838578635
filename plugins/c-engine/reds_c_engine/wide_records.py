"""Settings of the kernels for activations of 16 bits, with the fields of the structures in `c/reds_wide.h`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from reds_c_engine.kernel_records import Kernel, Pooling, Settings


@dataclass(frozen=True)
class WideConvolution(Settings):
    """Settings of convolutions of every kind and of fully connected layers."""

    structure: ClassVar[str] = "reds_wide_convolution"

    kernel: Kernel
    bias: tuple[int, ...]
    multiplier: tuple[int, ...]
    shift: tuple[int, ...]
    in_height: int
    in_width: int
    in_channels: int
    out_height: int
    out_width: int
    out_channels: int
    least: int
    greatest: int
    groups: int = 1
    kernel_height: int = 1
    kernel_width: int = 1
    stride_y: int = 1
    stride_x: int = 1
    dilation_y: int = 1
    dilation_x: int = 1
    pad_top: int = 0
    pad_left: int = 0
    depth_multiplier: int = 1


@dataclass(frozen=True)
class WidePooling(Pooling):
    """Settings of poolings, with the fields of those of 8 bits."""

    structure: ClassVar[str] = "reds_wide_pooling"


@dataclass(frozen=True)
class WideReduction(Settings):
    """Settings of means over all positions."""

    structure: ClassVar[str] = "reds_wide_reduction"

    positions: int
    channels: int
    multiplier: int
    shift: int


@dataclass(frozen=True)
class WideSlopes(Settings):
    """Settings of ReLU and of changes of scale."""

    structure: ClassVar[str] = "reds_wide_slopes"

    count: int
    multiplier: int
    negative_multiplier: int
    shift: int
    negative_shift: int
    least: int
    greatest: int


@dataclass(frozen=True)
class WideArithmetic(Settings):
    """Settings of sums and products.

    Attributes:
        constant: The elements of a constant second input; None if it is computed.
    """

    structure: ClassVar[str] = "reds_wide_arithmetic"

    count: int
    period: int
    constant: tuple[int, ...] | None
    first_multiplier: int
    second_multiplier: int
    output_multiplier: int
    first_shift: int
    second_shift: int
    output_shift: int
    left_shift: int
    least: int
    greatest: int


@dataclass(frozen=True)
class WideSoftmax(Settings):
    """Settings of softmax."""

    structure: ClassVar[str] = "reds_wide_softmax_settings"

    rows: int
    classes: int
    multiplier: int
    shift: int
    exponential: tuple[int, ...]
    reciprocal: tuple[int, ...]
