"""An operator of a file with its tensors, and what its shapes say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reds_litert.graph import FileGraph, FileOperator, FileTensor

from reds_c_engine.kernel_records import Kernel, Settings
from reds_c_engine.quantization import GREATEST, LEAST, SAME_PADDING, limits
from reds_c_engine.records import Step
from reds_core.errors import UnsupportedError


def layer_name(tensor: FileTensor) -> str:
    """Return the name of the layer that writes a tensor. Files join those of fused operators by semicolons."""
    return tensor.name.partition(";")[0]


@dataclass(frozen=True)
class Operator:
    """An operator with its tensors, as the functions that lower it read it.

    Attributes:
        graph: The graph of the file.
        operator: The operator.
        kernel: Where its weights lie in the store; None if it has none.
    """

    graph: FileGraph
    operator: FileOperator
    kernel: Kernel | None

    @property
    def kind(self) -> str:
        """The name of the operator in LiteRT."""
        return self.operator.kind

    @property
    def options(self) -> Any:
        """The options of the operator."""
        return self.operator.options

    @property
    def target(self) -> FileTensor:
        """The output."""
        return self.graph.tensors[self.operator.outputs[0]]

    @property
    def weights(self) -> Kernel:
        """Where the weights lie in the store."""
        assert self.kernel is not None
        return self.kernel

    def source(self, position: int = 0) -> FileTensor:
        """Return an input."""
        return self.graph.tensors[self.operator.inputs[position]]

    def optional(self, position: int) -> FileTensor | None:
        """Return an input that may be left out."""
        inputs = self.operator.inputs
        return self.graph.tensors[inputs[position]] if position < len(inputs) and inputs[position] >= 0 else None

    def refused(self, why: str) -> UnsupportedError:
        """Return an error that names the operator and the layer."""
        return UnsupportedError(
            f"the C engine cannot run operator {self.kind} of layer '{layer_name(self.target)}': {why}",
            "replace the layer, or deploy the .tflite files",
        )

    def step(self, kernel: str, settings: Settings, *inputs: int, offset_bytes: int = 0) -> Step:
        """Return a step that writes the output."""
        return Step(kernel, settings, inputs, self.operator.outputs[0], offset_bytes, layer_name(self.target))

    def limits(self, least: int = LEAST, greatest: int = GREATEST) -> tuple[int, int]:
        """Return the least and the greatest output, within the range of its type."""
        activation = self.options.fusedActivationFunction
        try:
            return limits(activation, self.target, least, greatest)
        except KeyError:
            raise self.refused(f"it has a fused activation function of kind {activation}") from None


def image(one: Operator, tensor: FileTensor) -> tuple[int, int, int]:
    """Return height, width and channels. A sequence is an image of height 1."""
    if len(tensor.shape) not in (3, 4):
        raise one.refused(f"tensor '{tensor.name}' has {len(tensor.shape)} dimensions, not 3 or 4")
    height = tensor.shape[1] if len(tensor.shape) == 4 else 1
    return height, tensor.shape[-2], tensor.shape[-1]


def pad_before(padding: int, size: int, out: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """Return how many positions are added before the first one of an axis."""
    if padding != SAME_PADDING:
        return 0
    extent = (kernel - 1) * dilation + 1
    return max((out - 1) * stride + extent - size, 0) // 2


def window(one: Operator, source: FileTensor, kernel_height: int, kernel_width: int) -> dict[str, int]:
    """Return the fields of a window that moves over an image, without channels."""
    (height, width, _), (out_height, out_width, _) = image(one, source), image(one, one.target)
    options = one.options
    dilation_y, dilation_x = getattr(options, "dilationHFactor", 1), getattr(options, "dilationWFactor", 1)
    stride_y, stride_x = options.strideH, options.strideW
    return {
        "in_height": height,
        "in_width": width,
        "out_height": out_height,
        "out_width": out_width,
        "kernel_height": kernel_height,
        "kernel_width": kernel_width,
        "stride_y": stride_y,
        "stride_x": stride_x,
        "pad_top": pad_before(options.padding, height, out_height, kernel_height, stride_y, dilation_y),
        "pad_left": pad_before(options.padding, width, out_width, kernel_width, stride_x, dilation_x),
    }
