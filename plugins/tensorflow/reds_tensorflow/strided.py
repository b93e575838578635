"""Keeps training clear of a defect of TensorFlow's convolutions that brings the process down.

On processors with AVX-512, TensorFlow 2.21 (oneDNN) computes the filter gradient of a strided 1 x 1 convolution beyond
its memory when the input channels are no multiple of 16 and the batch no multiple of the threads: just what narrowed
projection shortcuts of residual networks are. A strided 1 x 1 convolution reads every stride-th position only, so
taking these first and convolving with stride 1 computes the same by another kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from reds_tensorflow.nesting import all_layers
from reds_tensorflow.replacing import methods_replaced

_KINDS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


@contextmanager
def strides_taken_first(*models: Any) -> Iterator[None]:
    """Inside, strided 1 x 1 convolutions of `models` are traced as slicing and a convolution of stride 1."""
    changed = [layer for model in models for layer in all_layers(model) if _is_strided_pointwise(layer)]
    with methods_replaced(changed, "convolution_op", _sliced_convolution):
        yield


def _is_strided_pointwise(layer: Any) -> bool:
    return type(layer) in _KINDS and set(layer.kernel_size) == {1} and set(layer.strides) != {1}


def _sliced_convolution(layer: Any, inputs: Any, kernel: Any) -> Any:
    strides = [slice(None, None, s) for s in layer.strides]
    everything = slice(None)
    ahead = [everything] if layer.data_format == "channels_last" else [everything, everything]
    return keras.ops.conv(
        inputs[(*ahead, *strides)],
        kernel,
        strides=1,
        padding="valid",
        data_format=layer.data_format,
    )
