"""What a file is lowered to: steps, each a kernel of the engine with its settings, and the family that they make."""

from __future__ import annotations

from dataclasses import dataclass

from reds_c_engine.kernel_records import Settings


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
        """The largest number of bits of activations of a member, 8 or 16."""
        return max(member.bits for member in self.members)

    @property
    def is_mixed(self) -> bool:
        """Whether some members have activations of 8 bits and others of 16."""
        return len({member.bits for member in self.members}) > 1

    @property
    def most_exits(self) -> int:
        """The largest number of exits of a member; 1 if none can stop early."""
        return max(len(member.exits) for member in self.members)
