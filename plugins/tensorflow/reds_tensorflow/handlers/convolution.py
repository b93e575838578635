"""Convolutions of every kind.

Keras orders the dimensions of kernels as spatial dimensions, input channels, output channels, whatever the data format.
Output channel `c * depth_multiplier + j` of a depthwise convolution is computed from input channel c.
"""

from __future__ import annotations

import math

from reds_core.network import Axis, Dims, Fixed, fixed_dims, repeat
from reds_tensorflow.calls import Call
from reds_tensorflow.handlers.layout import channel_dimension, positions


def convolution(call: Call) -> tuple[Dims, ...]:
    """Conv1D, Conv2D and Conv3D.

    The groups of a grouped convolution are kept or removed as a whole. A depthwise one has a group per input channel.
    """
    layer, at = call.layer, channel_dimension(call.layer)
    inner = call.channel_axis(at)
    work = math.prod(layer.kernel_size) * positions(call.output_shape, at)
    if layer.groups == 1:
        outer, each = call.fresh(layer.filters), inner
        call.count(work, inner, outer)
    else:
        each = Fixed(call.size(inner) // layer.groups)
        groups = call.fresh(layer.groups)
        call.tie(inner, repeat(groups, each.size))
        outer = repeat(groups, layer.filters // layer.groups)
        call.count(work, each, outer)
        call.resize(groups=groups)
    call.kernel(layer.kernel, (*fixed_dims(layer.kernel_size), each, outer), len(layer.kernel_size) + 1)
    return _convolved(call, at, outer)


def depthwise_convolution(call: Call) -> tuple[Dims, ...]:
    """DepthwiseConv1D and DepthwiseConv2D."""
    layer, at = call.layer, channel_dimension(call.layer)
    inner = call.channel_axis(at)
    outer = repeat(inner, layer.depth_multiplier)
    call.count(math.prod(layer.kernel_size) * positions(call.output_shape, at), outer)
    kernel = (*fixed_dims(layer.kernel_size), inner, Fixed(layer.depth_multiplier))
    at_channel = len(layer.kernel_size)
    call.kernel(layer.kernel, kernel, at_channel, scale_axes=(at_channel, at_channel + 1))
    call.bias(outer)
    call.activation(layer.activation, (outer,))
    return call.output_dims(at, outer)


def separable_convolution(call: Call) -> tuple[Dims, ...]:
    """SeparableConv1D and SeparableConv2D: a depthwise convolution directly followed by a pointwise one."""
    layer, at = call.layer, channel_dimension(call.layer)
    inner, outer = call.channel_axis(at), call.fresh(layer.filters)
    between, spatial = repeat(inner, layer.depth_multiplier), positions(call.output_shape, at)
    call.count(math.prod(layer.kernel_size) * spatial, between)
    call.count(spatial, between, outer)
    kernel = (*fixed_dims(layer.kernel_size), inner, Fixed(layer.depth_multiplier))
    at_channel = len(layer.kernel_size)
    call.kernel(layer.depthwise_kernel, kernel, None, scale_axes=(at_channel, at_channel + 1))
    ones = (Fixed(1),) * len(layer.kernel_size)
    call.kernel(layer.pointwise_kernel, (*ones, between, outer), len(ones) + 1)
    return _convolved(call, at, outer)


def transposed_convolution(call: Call) -> tuple[Dims, ...]:
    """Conv1DTranspose, Conv2DTranspose and Conv3DTranspose: each input position is multiplied by the whole kernel."""
    layer, at = call.layer, channel_dimension(call.layer)
    inner, outer = call.channel_axis(at), call.fresh(layer.filters)
    call.count(math.prod(layer.kernel_size) * positions(call.sizes(call.dims), at), inner, outer)
    call.kernel(layer.kernel, (*fixed_dims(layer.kernel_size), outer, inner), len(layer.kernel_size))
    return _convolved(call, at, outer)


def _convolved(call: Call, at: int, outer: Axis) -> tuple[Dims, ...]:
    """Describe what all convolutions with filters have in common: bias, number of filters, and activation."""
    call.bias(outer)
    call.resize(filters=outer)
    dims = call.output_dims(at, outer)
    call.activation(call.layer.activation, dims[0])
    return dims
