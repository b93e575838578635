"""The settings of kernels, with the fields of the structures in `c/reds_engine.h`.

Arrays in them are bytes objects and tuples, so that settings can be compared and stored once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from reds_litert.kernel_packing import KernelPacking

OUTPUT_RANGE = (-128, 127)


@dataclass(frozen=True)
class Segment:
    """A run of consecutive input channels whose weights are consecutive in a row of the store.

    For depthwise convolutions, it is one of output channels.

    Attributes:
        input: The first of them among the channels of the layer.
        weight: The place of its weight in a row, in elements.
        count: The number of channels.
    """

    input: int
    weight: int
    count: int


@dataclass(frozen=True)
class Coding:
    """Where the codebooks and the mask of a kernel lie in the store: `reds_coded_weights`.

    Attributes:
        packing: How the kernel is packed.
        codebook_bytes: The place of the codebook of the first output channel, if there are codebooks.
        mask_bytes: The place of the mask of the first output channel, if there is a mask.
        starts: The index of the first value of each output channel, if there is a mask.
    """

    packing: KernelPacking
    codebook_bytes: int = 0
    mask_bytes: int = 0
    starts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Halves:
    """The halves of the weights of 8 bits of a kernel: `reds_split_weights`. The upper ones lie where the kernel does.

    Attributes:
        lower_bytes: The place of the lower halves in the store; None if only the upper ones are read.
    """

    lower_bytes: int | None


@dataclass(frozen=True)
class Kernel:
    """Where the weights of a layer lie in the store.

    Attributes:
        offset_bytes: The place of the first weight in the store; of all of them if there is a mask.
        row: The number of elements from the weights of one tap to those of the next.
        taps: The number of rows that follow each other for each output channel, where the file has a single one: the
            positions of an image that a fully connected layer reads. 1 otherwise.
        segments: The runs of input channels; empty if they are the first ones of a row.
        bits: The number of bits of a weight, of an index into a codebook, or of a half of a weight.
        is_shared: Whether the weights are those of the full network. Otherwise the layer has its own copy.
        coding: Where its codebooks and its mask lie; None if it has neither.
        halves: Where the lower halves of its weights lie, if they are stored in two halves; None if they are not.
    """

    offset_bytes: int
    row: int
    taps: int = 1
    segments: tuple[Segment, ...] = ()
    bits: int = 8
    is_shared: bool = True
    coding: Coding | None = None
    halves: Halves | None = None


@dataclass(frozen=True)
class Settings:
    """Base class of the settings of kernels.

    Attributes:
        structure: The structure in C that holds them.
    """

    structure: ClassVar[str]


@dataclass(frozen=True)
class Convolution(Settings):
    """Settings of convolutions of every kind and of fully connected layers: `reds_convolution`."""

    structure: ClassVar[str] = "reds_convolution"

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
    input_zero: int
    output_zero: int
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
class Pooling(Settings):
    """Settings of poolings: `reds_pooling`."""

    structure: ClassVar[str] = "reds_pooling"

    in_height: int
    in_width: int
    channels: int
    out_height: int
    out_width: int
    kernel_height: int
    kernel_width: int
    stride_y: int
    stride_x: int
    pad_top: int
    pad_left: int
    least: int
    greatest: int


@dataclass(frozen=True)
class Reduction(Settings):
    """Settings of means over all positions: `reds_reduction`."""

    structure: ClassVar[str] = "reds_reduction"

    positions: int
    channels: int
    input_zero: int
    output_zero: int
    multiplier: int
    shift: int


@dataclass(frozen=True)
class LookupTable(Settings):
    """Settings of functions of each element: `reds_lookup_table`.

    Attributes:
        count: The number of elements.
        table: The results for the inputs from -128 to 127, as 256 signed bytes.
    """

    structure: ClassVar[str] = "reds_lookup_table"

    count: int
    table: bytes


@dataclass(frozen=True)
class Arithmetic(Settings):
    """Settings of sums and products: `reds_arithmetic`.

    Attributes:
        constant: The elements of a constant second input, as signed bytes; None if it is computed.
    """

    structure: ClassVar[str] = "reds_arithmetic"

    count: int
    period: int
    constant: bytes | None
    first_zero: int
    second_zero: int
    output_zero: int
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
class Blocks(Settings):
    """Settings of copies: `reds_blocks`."""

    structure: ClassVar[str] = "reds_blocks"

    count: int
    size: int
    input_stride: int
    output_stride: int


@dataclass(frozen=True)
class Padding(Settings):
    """Settings of padding: `reds_padding`."""

    structure: ClassVar[str] = "reds_padding"

    in_height: int
    in_width: int
    out_height: int
    out_width: int
    channels: int
    channels_before: int
    out_channels: int
    pad_top: int
    pad_left: int
    value: int


@dataclass(frozen=True)
class Softmax(Settings):
    """Settings of softmax: `reds_softmax_settings`."""

    structure: ClassVar[str] = "reds_softmax_settings"

    rows: int
    classes: int
    multiplier: int
    left_shift: int
    least_difference: int
