"""Layers that pool, pad, crop or resize each channel separately."""

from __future__ import annotations

from reds_core.network import Dims
from reds_tensorflow.calls import Call
from reds_tensorflow.handlers.layout import channel_dimension


def spatial(call: Call) -> tuple[Dims, ...]:
    """Pooling, padding, cropping and upsampling, which change the positions of each channel separately."""
    at = channel_dimension(call.layer)
    return call.output_dims(at, call.channel_axis(at))


def global_pooling(call: Call) -> tuple[Dims, ...]:
    """Global pooling: one element for each channel."""
    at = channel_dimension(call.layer)
    axis = call.channel_axis(at)
    return call.output_dims(at, axis) if call.layer.keepdims else ((axis,),)
