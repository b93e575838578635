"""Poolings, means, padding, concatenation and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable

from reds_c_engine.fixed_point import quantized_multiplier
from reds_c_engine.kernel_records import Blocks, Padding, Pooling, Reduction, Softmax
from reds_c_engine.lowering.operator import Operator, image, window
from reds_c_engine.quantization import GREATEST, LEAST, NO_ACTIVATION, input_radius
from reds_c_engine.records import Step

_SOFTMAX_BITS = 5
_LARGEST_CLASSES = (1 << 12) - 1
"""Sums of more exponentials overflow in tflite-micro."""
"""The number of integer bits of differences of inputs of softmax in fixed point."""


def pool(kernel: str) -> Callable[[Operator], list[Step]]:
    """Return what lowers poolings, given their kernel."""

    def lower(one: Operator) -> list[Step]:
        source = one.source()
        if (source.scale, source.zero_point) != (one.target.scale, one.target.zero_point):
            raise one.refused("its input and its output have different scales")
        moved = window(one, source, one.options.filterHeight, one.options.filterWidth)
        least, greatest = one.limits()
        settings = Pooling(channels=image(one, source)[2], least=least, greatest=greatest, **moved)
        return [one.step(kernel, settings, one.operator.inputs[0])]

    return lower


def mean(one: Operator) -> list[Step]:
    """Return the step of a mean over all positions."""
    source = one.source()
    if not is_over_positions(one):
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


def greatest(one: Operator) -> list[Step]:
    """Return the step of a maximum over all positions: a pooling whose window is the whole image."""
    source = one.source()
    if not is_over_positions(one):
        raise one.refused("it is not a maximum over all positions")
    if (source.scale, source.zero_point) != (one.target.scale, one.target.zero_point):
        raise one.refused("its input and its output have different scales")
    height, width = source.shape[1] if len(source.shape) > 2 else 1, math.prod(source.shape[2:-1])
    settings = Pooling(height, width, source.shape[-1], 1, 1, height, width, 1, 1, 0, 0, LEAST, GREATEST)
    return [one.step("reds_max_pool", settings, one.operator.inputs[0])]


def is_over_positions(one: Operator) -> bool:
    """Whether a reduction is over all positions of an image or a sequence, and not over channels."""
    shape, axes = one.source().shape, one.source(1).data
    if axes is None:
        raise one.refused("its axes are not constants")
    reduced = {int(axis) % len(shape) for axis in axes.reshape(-1)}
    positions = range(1, len(shape) - 1)
    return {axis for axis in reduced if shape[axis] > 1} == {axis for axis in positions if shape[axis] > 1}


def pad(one: Operator) -> list[Step]:
    """Return the step of padding."""
    amounts, value = one.source(1), one.optional(2)
    if amounts.data is None:
        raise one.refused("its amounts are not constants")
    source = one.source()
    height, width, channels = image(one, source)
    out_height, out_width, out_channels = image(one, one.target)
    before = [0] * (4 - len(amounts.data)) + [int(pair[0]) for pair in amounts.data]
    if (source.scale, source.zero_point) != (one.target.scale, one.target.zero_point):
        raise one.refused("its input and its output have different scales")
    fill = one.target.zero_point if value is None or value.data is None else int(value.data.reshape(-1)[0])
    settings = Padding(
        height, width, out_height, out_width, channels, before[3], out_channels, before[1], before[2], fill
    )
    return [one.step("reds_pad", settings, one.operator.inputs[0])]


def softmax(one: Operator) -> list[Step]:
    """Return the step of a softmax over the last axis."""
    source, target = one.source(), one.target
    if (target.scale, target.zero_point) != (1 / 256, LEAST):
        raise one.refused(f"its output has the scale {target.scale:.6g}, not 1/256")
    factor = one.options.beta * source.scale * (1 << (31 - _SOFTMAX_BITS))
    by = quantized_multiplier(min(factor, (1 << 31) - 1.0))
    if by.shift < 0:
        raise one.refused("the scale of its input is too small")
    classes = source.shape[-1]
    if classes > _LARGEST_CLASSES:
        raise one.refused(f"it has {classes} classes, more than {_LARGEST_CLASSES}")
    radius = input_radius(_SOFTMAX_BITS, by.shift)
    settings = Softmax(
        math.prod(source.shape) // classes, classes, by.multiplier, by.shift, -min(radius, GREATEST - LEAST)
    )
    return [one.step("reds_softmax", settings, one.operator.inputs[0])]


def concatenation(one: Operator) -> list[Step]:
    """Return the steps of a concatenation, one copy for each part."""
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
