"""What a file is lowered to: steps, each a kernel of the engine with its settings.

The classes of settings have the fields of the structures in `c/reds_engine.h`. Arrays in them are bytes objects and
tuples, so that settings can be compared and stored once.
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
class Kernel:
    """Where the weights of a layer lie in the store.

    Attributes:
        offset_bytes: The place of the first weight in the store; of all of them if there is a mask.
        row: The number of elements from the weights of one tap to those of the next.
        taps: The number of rows that follow each other for each output channel, where the file has a single one: the
            positions of an image that a fully connected layer reads. 1 otherwise.
        segments: The runs of input channels; empty if they are the first ones of a row.
        bits: The number of bits of a weight, or of an index into a codebook.
        is_shared: Whether the weights are those of the full network. Otherwise the layer has its own copy.
        coding: Where its codebooks and its mask lie; None if it has neither.
    """

    offset_bytes: int
    row: int
    taps: int = 1
    segments: tuple[Segment, ...] = ()
    bits: int = 8
    is_shared: bool = True
    coding: Coding | None = None


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


@dataclass(frozen=True)
class Step:
    """One call of a kernel.

    Attributes:
        kernel: The name of the function in C, such as "reds_convolve".
        settings: Its settings.
        inputs: The indices of the tensors that it reads, one or two.
        output: The index of the tensor that it writes.
        output_offset_bytes: Where in the output it begins to write.
        layer: A name for people, which is that of the tensor in the file.
    """

    kernel: str
    settings: Settings
    inputs: tuple[int, ...]
    output: int
    output_offset_bytes: int = 0
    layer: str = ""


@dataclass(frozen=True)
class Section:
    """The steps from one exit of a network to the next.

    Attributes:
        trunk: The number of steps that the last output of the network needs as well, which come first.
        head: The number of those that only early exits need.
    """

    trunk: int
    head: int


@dataclass(frozen=True)
class Program:
    """The steps of a network.

    Attributes:
        steps: Its steps in the order in which they run, section by section.
        sections: How many of them lead to each output.
        sizes_bytes: The size of each tensor that takes memory, by its index.
        input: The index of the tensor that is the input of the network.
        outputs: The indices of the tensors that are its outputs: those of early exits, and last its own.
        bits: The number of bits of activations, 8 or 16.
    """

    steps: tuple[Step, ...]
    sections: tuple[Section, ...]
    sizes_bytes: dict[int, int]
    input: int
    outputs: tuple[int, ...]
    bits: int = 8


@dataclass(frozen=True)
class PlacedStep:
    """A step whose tensors have places.

    Attributes:
        step: The step.
        inputs: The place of each input in the arena in bytes; None for the input of the network.
        output: The place of the output, `output_offset_bytes` included.
    """

    step: Step
    inputs: tuple[int | None, ...]
    output: int


@dataclass(frozen=True)
class Quantization:
    """How integers represent real numbers: real = scale * (integer - zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class Exit:
    """An output of a member.

    Attributes:
        section: The steps that lead to it from the exit before.
        result: Its place in the arena; None if it is the input.
        output: How it is quantised.
    """

    section: Section
    result: int | None
    output: Quantization


@dataclass(frozen=True)
class Member:
    """A network of the family, ready to be written in C.

    Attributes:
        name: Its name, such as "50"; "full" for the full network.
        steps: Its steps with their places.
        exits: Its outputs: those of early exits in their order, and last that of the member itself.
        arena_bytes: The size of the memory that it needs for activations.
        input_place: The place of its input in the arena.
        input: How its input is quantised.
        input_shape: The shape of its input without the batch dimension.
        output_shape: The shape of its output without the batch dimension.
        bits: The number of bits of activations, 8 or 16.
    """

    name: str
    steps: tuple[PlacedStep, ...]
    exits: tuple[Exit, ...]
    arena_bytes: int
    input_place: int
    input: Quantization
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    bits: int = 8

    @property
    def output(self) -> Quantization:
        """How the output of the member itself is quantised."""
        return self.exits[-1].output

    @property
    def result(self) -> int | None:
        """The place of the output of the member itself in the arena; None if it is the input."""
        return self.exits[-1].result


@dataclass(frozen=True)
class OwnKernels:
    """Layers of a member whose weights are not those of the full network.

    Attributes:
        member: The name of the member.
        layers: The names of the layers.
    """

    member: str
    layers: tuple[str, ...]

    def __str__(self) -> str:
        if len(self.layers) == 1:
            return f"the weights of layer '{self.layers[0]}' of member '{self.member}' are not shared"
        which = f"{len(self.layers)} layers of member '{self.member}', such as '{self.layers[0]}',"
        return f"the weights of {which} are not shared"


@dataclass(frozen=True)
class Family:
    """All networks of a deployment and the weights that they share.

    Attributes:
        members: The networks, smallest first; the last one is the full network.
        store: The weights.
        own_kernels: The layers whose weights are not those of the full network, of each member that has any.
    """

    members: tuple[Member, ...]
    store: bytes
    own_kernels: tuple[OwnKernels, ...]

    @property
    def bits(self) -> int:
        """The number of bits of activations, 8 or 16."""
        return self.members[-1].bits

    @property
    def most_exits(self) -> int:
        """The largest number of exits of a member; 1 if none can stop early."""
        return max(len(member.exits) for member in self.members)
