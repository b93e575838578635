"""Training of batch norms by the fastest operations that TensorFlow has for them on a CPU.

Keras composes a batch norm of a dozen operations, which take most of the time of a training step. TensorFlow's fused
kernel (oneDNN, channels last) takes about half of that time if the number of channels is a multiple of 4, and more than
twice that time otherwise. Three of four widths that a solver chooses are not multiples of 4. For them, means are
computed as products of matrices, which oneDNN computes fast at any width.

The rule: `fused_norm` if the number of channels is a multiple of 4, `product_norm` otherwise. CPU time of outputs and
gradients in ms, for 64 maps of 14 x 14, on an AMD EPYC (`python benchmarks/batch_norms.py` repeats it):

    channels   32    33    34    36    40    48    49    52    57    60    64
    fused     0.78  3.04  3.54  1.11  1.02  0.88  4.85  1.52  5.55  1.77  1.11
    products  1.32  1.41  1.40  1.34  1.49  1.64  1.80  1.75  2.03  1.96  2.02
    Keras     1.37  1.67  1.69  1.68  1.74  1.89  2.12  2.15  2.40  2.48  2.39

`product_norm` needs two passes: it computes the mean first, and then the variance of the centred values. A single pass
(the mean of the squares minus the square of the mean) loses the variance to rounding. Over 12,544 normal numbers in
each of 33 channels, its largest relative error is 0.3 % if the mean is 30 times the standard deviation, and 26 % if it
is 300 times the standard deviation. With two passes it is 2e-6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from reds_tensorflow.nesting import all_layers
from reds_tensorflow.replacing import methods_replaced

FUSED_MULTIPLE = 4
"""The fused kernel is fast if the number of channels is a multiple of this."""


@contextmanager
def norms_fused(*models: Any) -> Iterator[None]:
    """Trace batch norms of `models` in training mode by `fused_norm` or `product_norm` within the context."""
    norms = {id(norm): norm for model in models for norm in batch_norms(model) if _is_fusible(norm)}
    with methods_replaced([norm for norm in norms.values() if "call" not in vars(norm)], "call", batch_norm_call):
        yield


def batch_norms(model: Any) -> list[Any]:
    """Return every batch norm of `model` once, including those in nested models, wrappers and third-party layers."""
    return [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]


def _is_fusible(layer: Any) -> bool:
    """Return whether a layer is a batch norm of Keras itself, without settings that are not implemented here."""
    return type(layer) is keras.layers.BatchNormalization and not (layer.renorm or layer.synchronized)


def batch_norm_call(layer: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
    """Compute a batch norm by the fastest operations for its width, or by the layer itself if they do not support it.

    Moving averages use the biased variance, as in Keras. No gradient flows through them.
    """
    fusible = _is_fusible(layer) and training is True and layer.trainable and mask is None
    channels_last = layer.axis in (-1, len(inputs.shape) - 1)
    in_single = keras.backend.result_type(inputs.dtype, "float32") == "float32"
    if not (fusible and channels_last and in_single):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    x = tf.cast(inputs, tf.float32)
    channels = x.shape[-1]
    scale = tf.cast(layer.gamma, tf.float32) if layer.scale else tf.ones(channels)
    offset = tf.cast(layer.beta, tf.float32) if layer.center else tf.zeros(channels)
    outputs, mean, variance = fastest_norm(channels)(x, scale, offset, layer.epsilon)
    for moving, measured in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        average = tf.cast(moving.value, tf.float32) * layer.momentum + measured * (1 - layer.momentum)
        moving.assign(tf.cast(average, moving.dtype))
    return tf.cast(tf.ensure_shape(outputs, x.shape), layer.compute_dtype)


def fastest_norm(channels: int) -> Callable[[Any, Any, Any, float], tuple[Any, Any, Any]]:
    """Return the function that normalises this number of channels fastest: `fused_norm` or `product_norm`."""
    return product_norm if channels % FUSED_MULTIPLE else fused_norm


def fused_norm(x: Any, scale: Any, offset: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """Normalise each channel by TensorFlow's fused kernel.

    Args:
        x: The inputs, float32 (..., channels).
        scale: The factor of each channel, float32 (channels,).
        offset: The number that is added to each channel, float32 (channels,).
        epsilon: The number that is added to the variance.

    Returns:
        The outputs, of the shape of `x`, and the mean and the biased variance of each channel, both (channels,).
        Gradients flow through the outputs only; mean and variance are constants.
    """
    images = x if len(x.shape) == 4 else tf.reshape(x, (tf.shape(x)[0], 1, -1, x.shape[-1]))
    found = tf.raw_ops.FusedBatchNormV3(
        x=images,
        scale=scale,
        offset=offset,
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=epsilon,
        is_training=True,
    )
    count = tf.cast(_positions(x), tf.float32)
    variance = found.batch_variance * ((count - 1) / count)  # the kernel returns the unbiased one
    outputs = found.y if len(x.shape) == 4 else tf.reshape(found.y, tf.shape(x))
    return outputs, tf.stop_gradient(found.batch_mean), tf.stop_gradient(variance)


def product_norm(x: Any, scale: Any, offset: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """Normalise each channel by products of matrices, in two passes. Arguments and results are those of `fused_norm`.

    Every mean over positions is the product of a row of equal weights and a matrix, in the gradient as well.
    """

    def norm(x: Any, scale: Any, offset: Any) -> tuple[tuple[Any, Any, Any], Callable[..., Any]]:
        count = _positions(x)
        weights = tf.fill((1, count), 1 / tf.cast(count, tf.float32))
        rows = tf.reshape(x, (count, x.shape[-1]))
        mean = tf.matmul(weights, rows)[0]
        centred = rows - mean  # two passes, because one loses a variance that is far below the squared mean
        variance = tf.matmul(weights, tf.square(centred))[0]
        inverse = tf.math.rsqrt(variance + epsilon)
        factor = scale * inverse

        def gradient(upstream: Any, *_: Any) -> tuple[Any, Any, Any]:
            """Return the gradients with respect to x, scale and offset, from that of the outputs alone."""
            above = tf.reshape(upstream, (count, x.shape[-1]))
            mean_above = tf.matmul(weights, above)[0]
            mean_product = tf.matmul(weights, above * centred)[0] * inverse
            inner = above * factor - centred * (factor * inverse * mean_product) - factor * mean_above
            number = tf.cast(count, tf.float32)
            return tf.reshape(inner, tf.shape(x)), mean_product * number, mean_above * number

        return (tf.reshape(centred * factor + offset, tf.shape(x)), mean, variance), gradient

    outputs, mean, variance = tf.custom_gradient(norm)(x, scale, offset)
    return outputs, tf.stop_gradient(mean), tf.stop_gradient(variance)


def _positions(x: Any) -> Any:
    """Return the number of values of each channel of x (..., channels): an int32 tensor, since batch sizes vary."""
    return tf.size(x) // x.shape[-1]
