"""What an operator of the reference gets to compute with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from reds_litert.graph import FileOperator, FileTensor

from reds_c_engine.fixed_point import IntArray
from reds_core.errors import UnsupportedError

INT8_MIN, INT8_MAX = -128, 127


@dataclass(frozen=True)
class Range:
    """The range of integers that an output may take.

    Attributes:
        least: The least of them.
        greatest: The greatest of them.
        bits: The number of bits of the output, 8 or 16.
    """

    least: int = INT8_MIN
    greatest: int = INT8_MAX
    bits: int = 8

    def clip(self, x: IntArray) -> npt.NDArray[Any]:
        """Limit integers to the range and return them as int8 or int16."""
        return np.clip(x, self.least, self.greatest).astype(f"int{self.bits}")


@dataclass(frozen=True, eq=False)
class Call:
    """One operator together with the values of its inputs.

    Attributes:
        operator: The operator.
        tensors: The tensors of its inputs; None for inputs that are left out.
        values: The values of the inputs, with the examples along the first axis unless they are constants.
        output: The tensor of its output.
        examples: The number of examples.
    """

    operator: FileOperator
    tensors: tuple[FileTensor | None, ...]
    values: tuple[npt.NDArray[Any] | None, ...]
    output: FileTensor
    examples: int

    @property
    def options(self) -> Any:
        """The options of the operator, an object of the generated class."""
        return self.operator.options

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of the output for all examples."""
        shape = self.output.shape
        return (self.examples, *shape[1:]) if shape[:1] == (1,) else shape

    def tensor(self, index: int) -> FileTensor:
        """Return the tensor of an input that must be there."""
        tensor = self.tensors[index]
        if tensor is None:
            raise UnsupportedError(f"{self.operator.kind} lacks its input {index}", "export the file again")
        return tensor

    def integers(self, index: int) -> IntArray:
        """Return the values of an input as 64-bit integers."""
        values = self.values[index]
        if values is None:
            raise UnsupportedError(f"{self.operator.kind} lacks the values of its input {index}", "export it again")
        return values.astype(np.int64)

    def centred(self, index: int) -> IntArray:
        """Return the values of an input less its zero point, as 64-bit integers."""
        return self.integers(index) - self.tensor(index).zero_point

    def bias(self, index: int) -> IntArray | int:
        """Return the bias, which is an optional input."""
        return self.integers(index) if index < len(self.values) and self.values[index] is not None else 0

    @property
    def is_wide(self) -> bool:
        """Whether the output has 16 bits."""
        return bool(self.output.dtype == np.int16)

    def every(self) -> Range:
        """Return the range of all integers of the type of the output."""
        bits = 16 if self.is_wide else 8
        return Range(-(1 << (bits - 1)), (1 << (bits - 1)) - 1, bits)

    def range(self) -> Range:
        """Return the range that the fused activation leaves to the output.

        Raises:
            UnsupportedError: If the activation is not one of the ReLU family.
        """
        kind = int(getattr(self.options, "fusedActivationFunction", 0))
        try:
            least, greatest = _FUSED[kind]
        except KeyError:
            raise UnsupportedError(f"the fused activation {kind} has no integer form", "leave it out") from None
        every = self.every()
        return Range(
            every.least if least is None else max(every.least, quantized(least, self.output)),
            every.greatest if greatest is None else min(every.greatest, quantized(greatest, self.output)),
            every.bits,
        )


_FUSED: dict[int, tuple[float | None, float | None]] = {
    0: (None, None),
    1: (0.0, None),  # RELU
    2: (-1.0, 1.0),  # RELU_N1_TO_1
    3: (0.0, 6.0),  # RELU6
}


def quantized(x: float, tensor: FileTensor) -> int:
    """Return a real number as an integer of a tensor, divided in float32 and rounded with halves away from zero."""
    steps = np.float32(x) / np.float32(tensor.scale)
    return tensor.zero_point + int(np.trunc(steps + np.copysign(np.float32(0.5), steps)))
