"""Layers that join several tensors."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.network import Axis, Dims, Fixed, concat
from reds_tensorflow.calls import Call


def merge(call: Call) -> tuple[Dims, ...]:
    """Add and its like, element by element; tensors are aligned at their last dimensions and broadcast."""
    return (broadcast(call, call.inputs, call.output_shape),)


def broadcast(call: Call, tensors: Sequence[Dims], shape: tuple[int, ...]) -> Dims:
    """Dimensions of what joins `tensors` element by element: the inputs of `call`, or some dimensions of each.

    Args:
        shape: full lengths of what is made.
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
        call.keep(*(axis for axis in axes if axis not in wide))  # the only channel there is, repeated
        merged.append(wide[0] if wide else Fixed(size))
    return tuple(reversed(merged))


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
    """Dot: products of two tensors, summed along a dimension of each."""
    axes = call.layer.axes
    along = axes if isinstance(axes, list | tuple) else (axes, axes)
    (first, one), (second, other) = (
        _taken_out(dims, a - 1 if a > 0 else a) for dims, a in zip(call.inputs, along, strict=True)
    )
    if call.layer.normalize:
        call.normalise(one, other)
    return product(call, (*first, *second) or (Fixed(1),), one, other)


def product(call: Call, made: Dims, one: Axis, other: Axis) -> tuple[Dims, ...]:
    """Sums of products along two axes, which keep the same positions; each element of `made` is such a sum."""
    if call.constants:
        call.freeze("multiplies by a constant array", one, other)
    else:
        call.tie(one, other)
    call.count(1, *made, one)
    return (made,)


def _taken_out(dims: Dims, at: int) -> tuple[Dims, Axis]:
    """The dimensions without the one at `at`, and that one."""
    rest = list(dims)
    axis = rest.pop(at)
    return tuple(rest), axis
