"""Layers that join several tensors."""

from __future__ import annotations

import math

from reds_core.axis import Axis, Fixed
from reds_core.dims import Dims
from reds_core.grouping import concat
from reds_tensorflow.calls import Call


def merge(call: Call) -> tuple[Dims, ...]:
    """Add and its like, element by element; tensors are aligned at their last dimensions and broadcast."""
    merged: list[Axis] = []
    given = [call.inputs[i] for i in sorted(call.constants)]
    computed = [dims for i, dims in enumerate(call.inputs) if i not in call.constants]
    for at in range(1, len(call.output_shape) + 1):
        size = call.output_shape[-at]
        axes = [dims[-at] for dims in computed if len(dims) >= at]
        wide = [axis for axis in axes if call.size(axis) == size]
        if any(len(dims) >= at and call.size(dims[-at]) > 1 for dims in given):
            call.freeze("takes a constant array with a number for each channel", *wide)
        for axis in wide[1:]:
            call.tie(wide[0], axis)
        call.freeze("repeats a channel to fit another tensor", *(axis for axis in axes if axis not in wide))
        merged.append(wide[0] if wide else Fixed(size))
    return (tuple(reversed(merged)),)


def concatenate(call: Call) -> tuple[Dims, ...]:
    """Concatenate along one dimension."""
    return concatenated(call, call.layer.axis % (len(call.output_shape) + 1) - 1)


def concatenated(call: Call, at: int) -> tuple[Dims, ...]:
    """The inputs of `call` one after the other along dimension `at`; along the others they agree."""
    first = call.inputs[0]
    for dims in call.inputs[1:]:
        for i, (one, other) in enumerate(zip(first, dims, strict=True)):
            if i != at:
                call.tie(one, other)
    joined = concat(tuple(dims[at] for dims in call.inputs))
    return ((*first[:at], joined, *first[at + 1 :]),)


def dot(call: Call) -> tuple[Dims, ...]:
    """Dot: products of two tensors, summed along a dimension of each; all channels stay."""
    outputs = call.opaque("multiplies tensors")
    axes = call.layer.axes
    along = axes[0] if isinstance(axes, list | tuple) else axes
    summed = call.inputs[0][along - 1 if along > 0 else along]
    call.count(math.prod(call.output_shape), Fixed(call.size(summed)))
    return outputs
