"""Layers that join several tensors."""

from __future__ import annotations

from reds_core.axis import Axis
from reds_core.dims import Dims
from reds_core.grouping import concat
from reds_tensorflow.calls import Call


def merge(call: Call) -> tuple[Dims, ...]:
    """Add and its like, element by element; tensors are aligned at their last dimensions and broadcast."""
    merged: list[Axis] = []
    for at in range(1, len(call.output_shape) + 1):
        axes = [dims[-at] for dims in call.inputs if len(dims) >= at]
        wide = [axis for axis in axes if call.size(axis) == call.output_shape[-at]]
        for axis in wide[1:]:
            call.tie(wide[0], axis)
        call.freeze("repeats a channel to fit another tensor", *(axis for axis in axes if axis not in wide))
        merged.append(wide[0])
    return (tuple(reversed(merged)),)


def concatenate(call: Call) -> tuple[Dims, ...]:
    """Concatenate along one dimension; along the others the inputs agree."""
    at = call.layer.axis % (len(call.output_shape) + 1) - 1
    first = call.inputs[0]
    for dims in call.inputs[1:]:
        for i, (one, other) in enumerate(zip(first, dims, strict=True)):
            if i != at:
                call.tie(one, other)
    joined = concat(tuple(dims[at] for dims in call.inputs))
    return ((*first[:at], joined, *first[at + 1 :]),)
