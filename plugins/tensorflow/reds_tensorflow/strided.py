"""Workaround for a bug of TensorFlow's convolutions that crashes the process.

On processors with AVX-512, TensorFlow 2.21 (oneDNN) writes beyond its memory when it computes the filter gradient of a
strided 1 x 1 convolution whose input channels are not a multiple of 16, if the batch size is not a multiple of the
number of threads. Narrowed projection shortcuts of residual networks are such convolutions. A strided 1 x 1 convolution
only reads every stride-th position, so slicing first and convolving with stride 1 gives the same result.
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
    """Trace strided 1 x 1 convolutions of `models` as slicing and a convolution of stride 1 within the context."""
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
