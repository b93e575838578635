"""The table of layer types: one handler each. To support another layer, write its flow and add its line.

Conventions of Keras used below: kernels of convolutions have the spatial dimensions first, then input channels, then
output channels, whatever the data format; depthwise output channel `c * depth_multiplier + j` comes of input channel c.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import layers

from reds_core.axis import Axis, Fixed
from reds_core.dims import Dims, fixed_dims, reshaped
from reds_core.grouping import concat, repeat
from reds_core.network import WeightKind
from reds_tensorflow.calls import Call, Handler


def channel_dimension(layer: Any) -> int:
    """Which dimension, the batch not counted, holds the channels by the layer's data format."""
    return 0 if getattr(layer, "data_format", None) == "channels_first" else -1


def positions(shape: tuple[int, ...], at: int) -> int:
    """How many elements of a tensor of `shape` each channel has, the channels being dimension `at`."""
    return math.prod(shape) // shape[at]


def convolution(call: Call) -> tuple[Dims, ...]:
    """Conv1D, 2D, 3D. With as many groups as input channels it is depthwise; other groups stay whole."""
    layer, at = call.layer, channel_dimension(call.layer)
    inner = call.channel_axis(at)
    work = math.prod(layer.kernel_size) * positions(call.output_shape, at)
    if layer.groups == 1:
        outer, each = call.fresh(layer.filters), inner
        call.count(work, inner, outer)
    elif layer.groups == call.size(inner):
        outer, each = repeat(inner, layer.filters // layer.groups), Fixed(1)
        call.count(work, outer)
        call.resize(groups=inner)
    else:
        outer, each = call.fresh(layer.filters), Fixed(call.size(inner) // layer.groups)
        call.count(work, each, outer)
        call.freeze(f"has {layer.groups} groups", inner, outer)
    call.kernel(layer.kernel, (*fixed_dims(layer.kernel_size), each, outer), len(layer.kernel_size) + 1)
    return _convolved(call, at, outer)


def depthwise_convolution(call: Call) -> tuple[Dims, ...]:
    """DepthwiseConv1D, 2D."""
    layer, at = call.layer, channel_dimension(call.layer)
    inner = call.channel_axis(at)
    outer = repeat(inner, layer.depth_multiplier)
    call.count(math.prod(layer.kernel_size) * positions(call.output_shape, at), outer)
    kernel = (*fixed_dims(layer.kernel_size), inner, Fixed(layer.depth_multiplier))
    call.kernel(layer.kernel, kernel, len(layer.kernel_size))
    call.bias(outer)
    call.activation(layer.activation, (outer,))
    return call.output_dims(at, outer)


def separable_convolution(call: Call) -> tuple[Dims, ...]:
    """SeparableConv1D, 2D: a depthwise convolution and a pointwise one, without anything between them."""
    layer, at = call.layer, channel_dimension(call.layer)
    inner, outer = call.channel_axis(at), call.fresh(layer.filters)
    between, spatial = repeat(inner, layer.depth_multiplier), positions(call.output_shape, at)
    call.count(math.prod(layer.kernel_size) * spatial, between)
    call.count(spatial, between, outer)
    kernel = (*fixed_dims(layer.kernel_size), inner, Fixed(layer.depth_multiplier))
    call.kernel(layer.depthwise_kernel, kernel, None)
    ones = (Fixed(1),) * len(layer.kernel_size)
    call.kernel(layer.pointwise_kernel, (*ones, between, outer), len(ones) + 1)
    return _convolved(call, at, outer)


def transposed_convolution(call: Call) -> tuple[Dims, ...]:
    """Conv1DTranspose, 2D, 3D: every input position meets the whole kernel."""
    layer, at = call.layer, channel_dimension(call.layer)
    inner, outer = call.channel_axis(at), call.fresh(layer.filters)
    call.count(math.prod(layer.kernel_size) * positions(call.sizes(call.dims), at), inner, outer)
    call.kernel(layer.kernel, (*fixed_dims(layer.kernel_size), outer, inner), len(layer.kernel_size))
    return _convolved(call, at, outer)


def _convolved(call: Call, at: int, outer: Axis) -> tuple[Dims, ...]:
    """What every convolution with filters ends with."""
    call.bias(outer)
    call.resize(filters=outer)
    dims = call.output_dims(at, outer)
    call.activation(call.layer.activation, dims[0])
    return dims


def dense(call: Call) -> tuple[Dims, ...]:
    """Dense on the last dimension of a tensor of any rank."""
    layer, inner, outer = call.layer, call.dims[-1], call.fresh(call.layer.units)
    call.count(positions(call.output_shape, -1), inner, outer)
    call.kernel(layer.kernel, (inner, outer), 1)
    call.bias(outer)
    call.resize(units=outer)
    dims = (*call.dims[:-1], outer)
    call.activation(layer.activation, dims)
    return (dims,)


def batch_normalization(call: Call) -> tuple[Dims, ...]:
    """BatchNormalization: each channel by itself."""
    layer = call.layer
    axis = call.dims[layer.axis - 1 if layer.axis > 0 else layer.axis]
    call.weight(layer.gamma, WeightKind.SCALE, (axis,), 0)
    call.weight(layer.beta, WeightKind.OFFSET, (axis,), 0)
    call.weight(layer.moving_mean, WeightKind.STATISTIC, (axis,), 0)
    call.weight(layer.moving_variance, WeightKind.STATISTIC, (axis,), 0)
    return call.inputs


def normalization(call: Call) -> tuple[Dims, ...]:
    """Normalization by statistics of the data, learnt (weights) or given (numbers in the config)."""
    layer = call.layer
    kept = sorted(a - 1 if a > 0 else a + len(call.dims) for a in layer.axis)
    axes = tuple(call.dims[a] for a in kept)
    if layer.input_mean is None:
        call.weight(layer.adapt_mean, WeightKind.STATISTIC, axes)
        call.weight(layer.adapt_variance, WeightKind.STATISTIC, axes)
        call.weight(layer.count, WeightKind.STATISTIC, ())
    elif np.ndim(layer.input_mean):
        call.freeze("has a mean for each channel in its config", *axes)
    return call.inputs


def rescaling(call: Call) -> tuple[Dims, ...]:
    """Rescaling by numbers; lists of them stand for channels in their order."""
    if np.ndim(call.layer.scale) or np.ndim(call.layer.offset):
        call.freeze("has a scale or an offset for each channel in its config", *call.dims)
    return call.inputs


def elementwise(call: Call) -> tuple[Dims, ...]:
    """Layers that treat each element, or each channel, by itself."""
    return call.inputs


def activation(call: Call) -> tuple[Dims, ...]:
    """Activation."""
    call.activation(call.layer.activation, call.dims)
    return call.inputs


def softmax(call: Call) -> tuple[Dims, ...]:
    """Softmax along one dimension or several."""
    axes = call.layer.axis if isinstance(call.layer.axis, (list, tuple)) else (call.layer.axis,)
    call.freeze("normalises over channels", *(call.dims[a - 1 if a > 0 else a] for a in axes))
    return call.inputs


def prelu(call: Call) -> tuple[Dims, ...]:
    """PReLU: a slope for each element, shared along some dimensions."""
    shared = call.layer.shared_axes or ()
    axes = tuple(Fixed(1) if i + 1 in shared else axis for i, axis in enumerate(call.dims))
    call.weight(call.layer.alpha, WeightKind.SCALE, axes)
    return call.inputs


def dropout(call: Call) -> tuple[Dims, ...]:
    """Dropout; a noise shape given as numbers cannot follow the widths."""
    given = zip(call.dims, (call.layer.noise_shape or ())[1:], strict=False)
    call.freeze("has a noise shape in its config", *(axis for axis, size in given if size not in (None, 1)))
    return call.inputs


def spatial(call: Call) -> tuple[Dims, ...]:
    """Pooling, padding, cropping, upsampling: each channel by itself, positions change."""
    at = channel_dimension(call.layer)
    return call.output_dims(at, call.channel_axis(at))


def global_pooling(call: Call) -> tuple[Dims, ...]:
    """Global pooling: one element for each channel."""
    at = channel_dimension(call.layer)
    axis = call.channel_axis(at)
    return call.output_dims(at, axis) if call.layer.keepdims else ((axis,),)


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


IN_PLACE = Handler(elementwise, in_place=True)
SPATIAL = Handler(spatial)
MERGE = Handler(merge)

HANDLERS: Mapping[type, Handler] = {
    layers.Conv1D: Handler(convolution),
    layers.Conv2D: Handler(convolution),
    layers.Conv3D: Handler(convolution),
    layers.DepthwiseConv1D: Handler(depthwise_convolution),
    layers.DepthwiseConv2D: Handler(depthwise_convolution),
    layers.SeparableConv1D: Handler(separable_convolution),
    layers.SeparableConv2D: Handler(separable_convolution),
    layers.Conv1DTranspose: Handler(transposed_convolution),
    layers.Conv2DTranspose: Handler(transposed_convolution),
    layers.Conv3DTranspose: Handler(transposed_convolution),
    layers.Dense: Handler(dense),
    layers.BatchNormalization: Handler(batch_normalization, in_place=True),
    layers.Normalization: Handler(normalization),
    layers.Rescaling: Handler(rescaling),
    layers.Activation: Handler(activation, in_place=True),
    layers.ReLU: IN_PLACE,
    layers.LeakyReLU: IN_PLACE,
    layers.ELU: IN_PLACE,
    layers.PReLU: Handler(prelu, in_place=True),
    layers.Softmax: Handler(softmax, in_place=True),
    layers.Dropout: Handler(dropout, in_place=True),
    layers.SpatialDropout1D: IN_PLACE,
    layers.SpatialDropout2D: IN_PLACE,
    layers.SpatialDropout3D: IN_PLACE,
    layers.GaussianDropout: IN_PLACE,
    layers.GaussianNoise: IN_PLACE,
    layers.AlphaDropout: Handler(dropout, in_place=True),
    layers.ActivityRegularization: IN_PLACE,
    layers.Identity: IN_PLACE,
    layers.Flatten: Handler(flatten, in_place=True),
    layers.Reshape: Handler(reshape, in_place=True),
    layers.Permute: Handler(permute),
    layers.RepeatVector: Handler(repeat_vector),
    layers.MaxPooling1D: SPATIAL,
    layers.MaxPooling2D: SPATIAL,
    layers.MaxPooling3D: SPATIAL,
    layers.AveragePooling1D: SPATIAL,
    layers.AveragePooling2D: SPATIAL,
    layers.AveragePooling3D: SPATIAL,
    layers.GlobalMaxPooling1D: Handler(global_pooling),
    layers.GlobalMaxPooling2D: Handler(global_pooling),
    layers.GlobalMaxPooling3D: Handler(global_pooling),
    layers.GlobalAveragePooling1D: Handler(global_pooling),
    layers.GlobalAveragePooling2D: Handler(global_pooling),
    layers.GlobalAveragePooling3D: Handler(global_pooling),
    layers.ZeroPadding1D: SPATIAL,
    layers.ZeroPadding2D: SPATIAL,
    layers.ZeroPadding3D: SPATIAL,
    layers.Cropping1D: SPATIAL,
    layers.Cropping2D: SPATIAL,
    layers.Cropping3D: SPATIAL,
    layers.UpSampling1D: SPATIAL,
    layers.UpSampling2D: SPATIAL,
    layers.UpSampling3D: SPATIAL,
    layers.Add: MERGE,
    layers.Subtract: MERGE,
    layers.Multiply: MERGE,
    layers.Average: MERGE,
    layers.Maximum: MERGE,
    layers.Minimum: MERGE,
    layers.Concatenate: Handler(concatenate),
    # pooling to a size given, newer than the oldest Keras supported
    **{
        getattr(layers, f"Adaptive{kind}Pooling{rank}D"): SPATIAL
        for kind in ("Average", "Max")
        for rank in (1, 2, 3)
        if hasattr(layers, f"Adaptive{kind}Pooling{rank}D")
    },
}
