"""Layers that combine several tensors."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.network import Axis, Dims, Fixed, concat
from reds_tensorflow.calls import Call


def merge(call: Call) -> tuple[Dims, ...]:
    """Add and similar elementwise layers. Tensors are aligned at their last dimensions and broadcast."""
    return (broadcast(call, call.inputs, call.output_shape),)


def broadcast(call: Call, tensors: Sequence[Dims], shape: tuple[int, ...]) -> Dims:
    """Return the dimensions of an elementwise combination of `tensors`.

    Args:
        call: the call whose inputs are combined.
        tensors: the inputs of `call`, or some dimensions of each.
        shape: full shape of the result.
    """
    merged: list[Axis] = []
    given = [tensors[i] for i in sorted(call.constants)]
    computed = [dims for i, dims in enumerate(tensors) if i not in call.constants]
    for at in range(1, len(shape) + 1):
        size = shape[-at]
        axes = [dims[-at] for dims in computed if len(dims) >= at]
        wide = [axis for axis in axes if call.size(axis) == size]
        if any(len(dims) >= at and call.size(dims[-at]) > 1 for dims in given):
            call.freeze("takes a constant array with a number for each channel", *wide)
        for axis in wide[1:]:
            call.tie(wide[0], axis)
        call.keep(*(axis for axis in axes if axis not in wide))  # a single channel that is broadcast
        merged.append(wide[0] if wide else Fixed(size))
    return tuple(reversed(merged))


def concatenate(call: Call) -> tuple[Dims, ...]:
    """Concatenate along one dimension."""
    return concatenated(call, call.layer.axis % (len(call.output_shape) + 1) - 1)


def concatenated(call: Call, at: int) -> tuple[Dims, ...]:
    """Concatenate the inputs of `call` along dimension `at`, and tie their other dimensions."""
    first = call.inputs[0]
    for dims in call.inputs[1:]:
        for i, (one, other) in enumerate(zip(first, dims, strict=True)):
            if i != at:
                call.tie(one, other)
    joined = concat(tuple(dims[at] for dims in call.inputs))
    return ((*first[:at], joined, *first[at + 1 :]),)


def dot(call: Call) -> tuple[Dims, ...]:
    """Dot: the product of two tensors, summed over one dimension of each."""
    axes = call.layer.axes
    along = axes if isinstance(axes, list | tuple) else (axes, axes)
    (first, one), (second, other) = (
        _taken_out(dims, a - 1 if a > 0 else a) for dims, a in zip(call.inputs, along, strict=True)
    )
    if call.layer.normalize:
        call.normalise(one, other)
    return product(call, (*first, *second) or (Fixed(1),), one, other)


def product(call: Call, made: Dims, one: Axis, other: Axis) -> tuple[Dims, ...]:
    """Describe a sum of products over the axes `one` and `other`, which are tied; `made` are the output dimensions."""
    if call.constants:
        call.freeze("multiplies by a constant array", one, other)
    else:
        call.tie(one, other)
    call.count(1, *made, one)
    return (made,)


def _taken_out(dims: Dims, at: int) -> tuple[Dims, Axis]:
    """Return the dimensions without the one at `at`, and that one."""
    rest = list(dims)
    axis = rest.pop(at)
    return tuple(rest), axis
