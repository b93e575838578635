"""Layers that give the same elements another shape."""

from __future__ import annotations

from reds_core.axis import Fixed
from reds_core.dims import Dims, fixed_dims, reshaped
from reds_tensorflow.calls import Call
from reds_tensorflow.handlers.layout import channel_dimension


def reshape(call: Call) -> tuple[Dims, ...]:
    """Reshape: followed where the channels keep to one dimension, else they stay whole."""
    dims = reshaped(call.dims, call.sizes(call.dims), call.output_shape)
    if dims is None:
        call.freeze("spreads channels over dimensions", *call.dims)
        dims = fixed_dims(call.output_shape)
    call.resize_shape("target_shape", dims)
    return (dims,)


def flatten(call: Call) -> tuple[Dims, ...]:
    """Flatten: channels-last order, to which channels-first tensors are brought before."""
    dims = call.dims
    if channel_dimension(call.layer) == 0:
        dims = (*dims[1:], *dims[:1])
    flat = reshaped(dims, call.sizes(dims), call.output_shape)
    assert flat is not None, "all channels lie on the only dimension"
    return (flat,)


def permute(call: Call) -> tuple[Dims, ...]:
    """Permute: dimensions change places, numbered from 1."""
    return (tuple(call.dims[d - 1] for d in call.layer.dims),)


def repeat_vector(call: Call) -> tuple[Dims, ...]:
    """RepeatVector: the vector n times, as rows."""
    return ((Fixed(call.layer.n), *call.dims),)
