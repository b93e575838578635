"""The table of layer types: one handler each. To support another layer, write its flow and add its line."""

from __future__ import annotations

from collections.abc import Mapping

from keras import layers

from reds_tensorflow.calls import Handler
from reds_tensorflow.handlers.convolution import (
    convolution,
    depthwise_convolution,
    separable_convolution,
    transposed_convolution,
)
from reds_tensorflow.handlers.dense import dense
from reds_tensorflow.handlers.elementwise import activation, dropout, elementwise, prelu, softmax
from reds_tensorflow.handlers.merging import concatenate, merge
from reds_tensorflow.handlers.normalisation import batch_normalization, normalization, rescaling
from reds_tensorflow.handlers.shape import flatten, permute, repeat_vector, reshape
from reds_tensorflow.handlers.spatial import global_pooling, spatial

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
