"""From the graph of a .tflite file to the steps of the engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from reds_litert.graph import FileGraph, FileOperator, FileTensor

from reds_c_engine.fixed_point import quantized_multiplier, quantized_multipliers
from reds_c_engine.quantization import GREATEST, LEAST, NO_ACTIVATION, SAME_PADDING, input_radius, limits
from reds_c_engine.records import (
    Arithmetic,
    Blocks,
    Convolution,
    Kernel,
    LookupTable,
    Padding,
    Pooling,
    Program,
    Reduction,
    Settings,
    Softmax,
    Step,
)
from reds_c_engine.tables import FUNCTIONS, SUM_SHIFT, composed, table_bytes, with_constant
from reds_core.errors import UnsupportedError

RENAMING = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")
"""Operators whose output is their first input in another shape."""
_SOFTMAX_BITS = 5
"""The number of integer bits of differences of inputs of softmax in fixed point."""


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
            f"the C engine cannot run operator {self.kind} of layer '{self.target.name}': {why}",
            "replace the layer, or deploy the .tflite files",
        )

    def step(self, kernel: str, settings: Settings, *inputs: int, offset_bytes: int = 0) -> Step:
        """Return a step that writes the output."""
        return Step(kernel, settings, inputs, self.operator.outputs[0], offset_bytes, self.target.name)

    def limits(self) -> tuple[int, int]:
        """Return the least and the greatest output."""
        activation = self.options.fusedActivationFunction
        try:
            return limits(activation, self.target)
        except KeyError:
            raise self.refused(f"it has a fused activation function of kind {activation}") from None


def lowered(graph: FileGraph, kernels: Mapping[int, Kernel]) -> Program:
    """Return the steps of a network.

    Args:
        graph: The graph of its file.
        kernels: Where the weights of each operator that has any lie in the store, by the index of the operator.

    Raises:
        UnsupportedError: If an operator has no kernel, or the network has several inputs or outputs.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UnsupportedError(
            f"the C engine cannot run networks of {len(graph.inputs)} inputs and {len(graph.outputs)} outputs",
            "give the network one input and one output",
        )
    shape = graph.tensors[graph.inputs[0]].shape
    if shape and shape[0] != 1:
        raise UnsupportedError(f"the C engine cannot run a batch of {shape[0]} inputs", "export files of batch size 1")
    renamed: dict[int, int] = {}
    steps: list[Step] = []
    for index, operator in enumerate(graph.operators):
        one = Operator(graph, operator, kernels.get(index))
        if operator.kind in RENAMING:
            renamed[operator.outputs[0]] = renamed.get(operator.inputs[0], operator.inputs[0])
            continue
        _check_integers(one)
        lower = LOWERINGS.get(operator.kind)
        if lower is None:
            raise one.refused("there is no kernel for it")
        steps += lower(one)
    steps = [replace(step, inputs=tuple(renamed.get(i, i) for i in step.inputs)) for step in steps]
    output = renamed.get(graph.outputs[0], graph.outputs[0])
    steps = _tables_fused(steps, output)
    used = {graph.inputs[0], *(step.output for step in steps)}
    sizes = {index: graph.tensors[index].size_bytes for index in sorted(used)}
    return Program(tuple(steps), sizes, graph.inputs[0], output)


def _check_integers(one: Operator) -> None:
    """Refuse tensors of other numbers than integers of 8 bits.

    Raises:
        UnsupportedError: If there is one.
    """
    indices = (*(i for i in one.operator.inputs if i >= 0 and one.graph.tensors[i].data is None), *one.operator.outputs)
    for tensor in (one.graph.tensors[i] for i in indices):
        if tensor.dtype != np.int8 or not len(tensor.scales):
            raise one.refused(f"tensor '{tensor.name}' has elements of type {tensor.dtype}, not int8")
        if tensor.is_variable:
            raise one.refused("it keeps a state from one run to the next")


def _tables_fused(steps: Sequence[Step], output: int) -> list[Step]:
    """Replace two tables in a row by one where nothing else reads what is between them."""
    readers: dict[int, int] = {output: 1}
    for step in steps:
        for index in step.inputs:
            readers[index] = readers.get(index, 0) + 1
    result: list[Step] = []
    for step in steps:
        before = result[-1] if result else None
        if (
            before is not None
            and isinstance(before.settings, LookupTable)
            and isinstance(step.settings, LookupTable)
            and step.inputs == (before.output,)
            and readers[before.output] == 1
        ):
            table = composed(before.settings.table, step.settings.table)
            result[-1] = replace(step, settings=replace(step.settings, table=table), inputs=before.inputs)
        else:
            result.append(step)
    return result


# --- shapes ----------------------------------------------------------------------------------------------------------


def _image(one: Operator, tensor: FileTensor) -> tuple[int, int, int]:
    """Return height, width and channels."""
    if len(tensor.shape) != 4:
        raise one.refused(f"tensor '{tensor.name}' has {len(tensor.shape)} dimensions, not 4")
    return tensor.shape[1], tensor.shape[2], tensor.shape[3]


def _pad_before(padding: int, size: int, out: int, kernel: int, stride: int, dilation: int = 1) -> int:
    if padding != SAME_PADDING:
        return 0
    extent = (kernel - 1) * dilation + 1
    return max((out - 1) * stride + extent - size, 0) // 2


# --- convolutions ----------------------------------------------------------------------------------------------------


def _factors(one: Operator, kernel: FileTensor, source: FileTensor) -> npt.NDArray[np.float64]:
    """Return the real factor of the sums of each output channel."""
    channels = one.target.shape[-1]
    scales = np.broadcast_to(kernel.scales, channels).astype(np.float64)
    if len(kernel.scales) == 1 and one.kind == "FULLY_CONNECTED":  # tflite-micro takes this product in float32
        scales = np.broadcast_to(np.float64(np.float32(source.scale) * kernel.scales[0]), channels)
        return scales / one.target.scale
    return source.scale * scales / one.target.scale


def _convolution(one: Operator, kernel: FileTensor, source: FileTensor, bias: FileTensor | None, **fields: Any) -> Any:
    """Return the settings of a convolution with a plain bias."""
    if kernel.data is None:
        raise one.refused("its kernel is not a constant")
    if kernel.dtype != np.int8 or kernel.zero_points.any():
        raise one.refused("its kernel does not consist of symmetric integers of 8 bits or fewer")
    channels = one.target.shape[-1]
    by = quantized_multipliers(_factors(one, kernel, source))
    least, greatest = one.limits()
    plain = np.zeros(channels, np.int64) if bias is None or bias.data is None else bias.data.astype(np.int64)
    return Convolution(
        kernel=one.weights,
        bias=tuple(plain.tolist()),
        multiplier=tuple(by.multipliers.tolist()),
        shift=tuple(by.shifts.tolist()),
        out_channels=channels,
        input_zero=source.zero_point,
        output_zero=one.target.zero_point,
        least=least,
        greatest=greatest,
        **fields,
    )


def _folded(one: Operator, settings: Convolution, row_sums: npt.NDArray[np.int64]) -> Convolution:
    """Fold the zero point of the input into the bias."""
    bias = np.array(settings.bias, np.int64) - settings.input_zero * row_sums
    if np.abs(bias).max(initial=0) >= 1 << 31:
        raise one.refused("a bias needs more than 32 bits")
    return replace(settings, bias=tuple(bias.tolist()))


def _window(one: Operator, source: FileTensor, kernel_height: int, kernel_width: int) -> dict[str, int]:
    """Return the fields of a window that moves over an image, without channels."""
    (height, width, _), (out_height, out_width, _) = _image(one, source), _image(one, one.target)
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
        "pad_top": _pad_before(options.padding, height, out_height, kernel_height, stride_y, dilation_y),
        "pad_left": _pad_before(options.padding, width, out_width, kernel_width, stride_x, dilation_x),
    }


def _dilations(one: Operator) -> dict[str, int]:
    return {"dilation_y": one.options.dilationHFactor, "dilation_x": one.options.dilationWFactor}


def _conv(one: Operator) -> list[Step]:
    source, kernel = one.source(), one.source(1)
    channels = _image(one, source)[2]
    height, width, row = kernel.shape[1:]
    groups = channels // row
    settings = _convolution(
        one,
        kernel,
        source,
        one.optional(2),
        in_channels=row,
        groups=groups,
        **_window(one, source, height, width),
        **_dilations(one),
    )
    sums = kernel.data.astype(np.int64).sum((1, 2, 3)) if kernel.data is not None else np.int64(0)
    settings = _folded(one, settings, np.asarray(sums))
    return [one.step(_conv_kernel(settings), settings, one.operator.inputs[0])]


def _conv_kernel(settings: Convolution) -> str:
    """Return the function of a convolution or a fully connected layer."""
    if settings.kernel.bits < 8:
        return "reds_convolve_packed"
    is_point = settings.kernel_height * settings.kernel_width * settings.stride_y * settings.stride_x == 1
    is_plain = settings.groups == 1 and not settings.kernel.segments
    is_unpadded = (settings.in_height, settings.in_width) == (settings.out_height, settings.out_width)
    return "reds_convolve_pointwise" if is_point and is_plain and is_unpadded else "reds_convolve"


def _depthwise(one: Operator) -> list[Step]:
    source, kernel = one.source(), one.source(1)
    channels = _image(one, source)[2]
    height, width, outputs = kernel.shape[1:]
    settings = _convolution(
        one,
        kernel,
        source,
        one.optional(2),
        in_channels=channels,
        depth_multiplier=outputs // channels,
        **_window(one, source, height, width),
        **_dilations(one),
    )
    sums = kernel.data.astype(np.int64).sum((0, 1, 2)) if kernel.data is not None else np.int64(0)
    settings = _folded(one, settings, np.asarray(sums))
    packed = settings.kernel.bits < 8
    name = "reds_convolve_depthwise_packed" if packed else "reds_convolve_depthwise"
    return [one.step(name, settings, one.operator.inputs[0])]


def _transposed(one: Operator) -> list[Step]:
    kernel, source = one.source(1), one.source(2)
    (height, width, channels), (out_height, out_width, _) = _image(one, source), _image(one, one.target)
    kernel_height, kernel_width = kernel.shape[1:3]
    stride_y, stride_x, padding = one.options.strideH, one.options.strideW, one.options.padding
    settings = _convolution(
        one,
        kernel,
        source,
        one.optional(3),
        in_channels=channels,
        in_height=height,
        in_width=width,
        out_height=out_height,
        out_width=out_width,
        kernel_height=kernel_height,
        kernel_width=kernel_width,
        stride_y=stride_y,
        stride_x=stride_x,
        pad_top=_pad_before(padding, out_height, height, kernel_height, stride_y),
        pad_left=_pad_before(padding, out_width, width, kernel_width, stride_x),
    )
    if settings.kernel.bits < 8:
        raise one.refused("its weights have 4 bits")
    return [one.step("reds_convolve_transposed", settings, one.operator.inputs[2])]


def _dense(one: Operator) -> list[Step]:
    source, kernel = one.source(), one.source(1)
    inputs = kernel.shape[-1]
    rows = math.prod(source.shape) // inputs
    taps = one.weights.taps
    if taps > 1 and rows > 1:
        raise one.refused("it reads several rows of an image whose channels are pruned")
    settings = _convolution(
        one,
        kernel,
        source,
        one.optional(2),
        in_height=rows * taps,
        in_width=1,
        in_channels=inputs // taps,
        kernel_height=taps,
        out_height=rows,
        out_width=1,
    )
    sums = kernel.data.astype(np.int64).sum(1) if kernel.data is not None else np.int64(0)
    settings = _folded(one, settings, np.asarray(sums))
    return [one.step(_conv_kernel(settings), settings, one.operator.inputs[0])]


# --- poolings, means, padding, softmax -------------------------------------------------------------------------------


def _pool(kernel: str) -> Callable[[Operator], list[Step]]:
    def lower(one: Operator) -> list[Step]:
        source = one.source()
        if (source.scale, source.zero_point) != (one.target.scale, one.target.zero_point):
            raise one.refused("its input and its output have different scales")
        window = _window(one, source, one.options.filterHeight, one.options.filterWidth)
        least, greatest = one.limits()
        settings = Pooling(channels=_image(one, source)[2], least=least, greatest=greatest, **window)
        return [one.step(kernel, settings, one.operator.inputs[0])]

    return lower


def _mean(one: Operator) -> list[Step]:
    source, axes_tensor = one.source(), one.source(1)
    rank = len(source.shape)
    if axes_tensor.data is None:
        raise one.refused("its axes are not constants")
    axes = {int(axis) % rank for axis in axes_tensor.data.reshape(-1)}
    if [axis for axis in axes if source.shape[axis] > 1] != [
        axis for axis in range(1, rank - 1) if source.shape[axis] > 1
    ]:
        raise one.refused("it is not a mean over all positions")
    positions = math.prod(source.shape[1:-1])
    by = quantized_multiplier(source.scale / one.target.scale)
    shift = min(positions.bit_length() - 1, 32, 31 + by.shift)
    settings = Reduction(
        positions,
        source.shape[-1],
        source.zero_point,
        one.target.zero_point,
        (by.multiplier << shift) // positions,
        by.shift - shift,
    )
    return [one.step("reds_mean", settings, one.operator.inputs[0])]


def _pad(one: Operator) -> list[Step]:
    amounts, value = one.source(1), one.optional(2)
    if amounts.data is None:
        raise one.refused("its amounts are not constants")
    source = one.source()
    height, width, channels = _image(one, source)
    out_height, out_width, out_channels = _image(one, one.target)
    before = [int(pair[0]) for pair in amounts.data]
    if (source.scale, source.zero_point) != (one.target.scale, one.target.zero_point):
        raise one.refused("its input and its output have different scales")
    fill = one.target.zero_point if value is None or value.data is None else int(value.data.reshape(-1)[0])
    settings = Padding(
        height, width, out_height, out_width, channels, before[3], out_channels, before[1], before[2], fill
    )
    return [one.step("reds_pad", settings, one.operator.inputs[0])]


def _softmax(one: Operator) -> list[Step]:
    source, target = one.source(), one.target
    if (target.scale, target.zero_point) != (1 / 256, LEAST):
        raise one.refused(f"its output has the scale {target.scale:.6g}, not 1/256")
    factor = one.options.beta * source.scale * (1 << (31 - _SOFTMAX_BITS))
    by = quantized_multiplier(min(factor, (1 << 31) - 1.0))
    if by.shift < 0:
        raise one.refused("the scale of its input is too small")
    classes = source.shape[-1]
    radius = input_radius(_SOFTMAX_BITS, by.shift)
    settings = Softmax(
        math.prod(source.shape) // classes, classes, by.multiplier, by.shift, -min(radius, GREATEST - LEAST)
    )
    return [one.step("reds_softmax", settings, one.operator.inputs[0])]


# --- elements --------------------------------------------------------------------------------------------------------


def _function(one: Operator) -> list[Step]:
    source = one.source()
    settings = LookupTable(math.prod(source.shape), table_bytes(FUNCTIONS[one.kind](source, one.target, one.options)))
    return [one.step("reds_lookup", settings, one.operator.inputs[0])]


def _arithmetic(kernel: str) -> Callable[[Operator], list[Step]]:
    def lower(one: Operator) -> list[Step]:
        first, second = one.operator.inputs
        tensors = one.graph.tensors
        count = math.prod(one.target.shape)
        activation = one.options.fusedActivationFunction
        one.limits()
        for constant, other in ((first, second), (second, first)):
            data = tensors[constant].data
            if data is not None and data.size == 1 and math.prod(tensors[other].shape) == count:
                results = with_constant(one.kind, tensors[first], tensors[second], one.target, activation)
                return [one.step("reds_lookup", LookupTable(count, table_bytes(results)), other)]
        is_second = tensors[first].data is None and math.prod(tensors[first].shape) == count
        if not is_second:
            if one.kind == "SUB":
                raise one.refused("its first input is a constant or is repeated")
            first, second = second, first
        return [_two_inputs(one, kernel, first, second)]

    return lower


def _two_inputs(one: Operator, kernel: str, first: int, second: int) -> Step:
    a, b, target = one.graph.tensors[first], one.graph.tensors[second], one.target
    shape, data = b.shape, b.data
    if data is not None and not _repeats(shape, target.shape):
        shape, data = target.shape, np.broadcast_to(data, target.shape)
    count, period = math.prod(target.shape), math.prod(shape)
    if a.data is not None or math.prod(a.shape) != count or not _repeats(shape, target.shape):
        raise one.refused(
            f"it repeats tensors of the shapes {a.shape} and {b.shape} in ways other than channel by channel"
        )
    if one.kind == "MUL":
        by = (
            quantized_multiplier(0.0),
            quantized_multiplier(0.0),
            quantized_multiplier(a.scale * b.scale / target.scale),
        )
    else:
        twice = 2 * max(a.scale, b.scale)
        factors = a.scale / twice, b.scale / twice, twice / ((1 << SUM_SHIFT) * target.scale)
        by = (quantized_multiplier(factors[0]), quantized_multiplier(factors[1]), quantized_multiplier(factors[2]))
    least, greatest = one.limits()
    settings = Arithmetic(
        count=count,
        period=period,
        constant=None if data is None else data.astype(np.int8).tobytes(),
        first_zero=a.zero_point,
        second_zero=b.zero_point,
        output_zero=target.zero_point,
        first_multiplier=by[0].multiplier,
        second_multiplier=by[1].multiplier,
        output_multiplier=by[2].multiplier,
        first_shift=by[0].shift,
        second_shift=by[1].shift,
        output_shift=by[2].shift,
        left_shift=0 if one.kind == "MUL" else SUM_SHIFT,
        least=least,
        greatest=greatest,
    )
    return one.step(kernel, settings, *((first, second) if data is None else (first,)))


def _repeats(shape: Sequence[int], whole: Sequence[int]) -> bool:
    """Whether a tensor is as large as another, or has one value for each of the last positions of it."""
    trimmed = list(shape)
    while trimmed and trimmed[0] == 1:
        trimmed.pop(0)
    return trimmed == list(whole[len(whole) - len(trimmed) :])


def _concatenation(one: Operator) -> list[Step]:
    target, axis = one.target, one.options.axis % len(one.target.shape)
    if one.options.fusedActivationFunction != NO_ACTIVATION:
        raise one.refused("it has a fused activation function")
    inner = math.prod(target.shape[axis + 1 :])
    outer = math.prod(target.shape[:axis])
    stride = target.shape[axis] * inner
    steps, offset = [], 0
    for index in one.operator.inputs:
        part = one.graph.tensors[index]
        if part.data is not None:
            raise one.refused("one of its inputs is a constant")
        if (part.scale, part.zero_point) != (target.scale, target.zero_point):
            raise one.refused("its inputs have different scales")
        size = part.shape[axis] * inner
        steps.append(one.step("reds_copy", Blocks(outer, size, size, stride), index, offset_bytes=offset))
        offset += size
    return steps


LOWERINGS: dict[str, Callable[[Operator], list[Step]]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _dense,
    "AVERAGE_POOL_2D": _pool("reds_average_pool"),
    "MAX_POOL_2D": _pool("reds_max_pool"),
    "MEAN": _mean,
    "PAD": _pad,
    "PADV2": _pad,
    "SOFTMAX": _softmax,
    "CONCATENATION": _concatenation,
    "ADD": _arithmetic("reds_add"),
    "SUB": _arithmetic("reds_subtract"),
    "MUL": _arithmetic("reds_multiply"),
    **dict.fromkeys(FUNCTIONS, _function),
}
"""What lowers each kind of operator."""
