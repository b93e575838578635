"""Layers that change the shape of a tensor but not its elements."""

from __future__ import annotations

from reds_core.network import Axis, Dims, Fixed, blocks, fixed_dims, reshaped, tile
from reds_tensorflow.calls import Call
from reds_tensorflow.handlers.layout import channel_dimension


def reshape(call: Call) -> tuple[Dims, ...]:
    """Reshape to the shape in the config."""
    dims = moved_to(call, call.output_shape)
    call.resize_shape("target_shape", dims)
    return (dims,)


def moved_to(call: Call, shape: tuple[int, ...]) -> Dims:
    """Return the dimensions of the only input after a row-major reshape to `shape`.

    If channels are spread over several dimensions, they are divided into equal blocks that all keep the same positions,
    and the last dimension holds those of one block. If there are no such blocks, the channels are not pruned.
    """
    sizes = call.sizes(call.dims)
    dims = reshaped(call.dims, sizes, shape)
    if dims is not None:
        return dims
    (at,) = (i for i, axis in enumerate(call.dims) if axis.groups())
    found = blocks(sizes, at, shape)
    if found is None:
        call.freeze("spreads channels over dimensions", *call.dims)
        return fixed_dims(shape)
    place, count = found
    block = block_of(call, call.dims[at], count)
    return (*fixed_dims(shape[:place]), block, *fixed_dims(shape[place + 1 :]))


def block_of(call: Call, axis: Axis, count: int) -> Axis:
    """Divide an axis into `count` equal blocks that all keep the same positions, and return the axis of one block."""
    block = call.fresh(call.size(axis) // count)
    call.tie(axis, tile(block, count))
    return block


def flatten(call: Call) -> tuple[Dims, ...]:
    """Flatten in channels-last order, to which Keras transposes channels-first tensors."""
    dims = call.dims
    if channel_dimension(call.layer) == 0:
        dims = (*dims[1:], *dims[:1])
    flat = reshaped(dims, call.sizes(dims), call.output_shape)
    assert flat is not None, "a flat tensor has a single dimension for all channels"
    return (flat,)


def permute(call: Call) -> tuple[Dims, ...]:
    """Permute dimensions, which are numbered from 1."""
    return (tuple(call.dims[d - 1] for d in call.layer.dims),)


def repeat_vector(call: Call) -> tuple[Dims, ...]:
    """RepeatVector: a matrix with n copies of the vector as rows."""
    return ((Fixed(call.layer.n), *call.dims),)
