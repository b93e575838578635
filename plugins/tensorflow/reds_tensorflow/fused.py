"""Training of batch norms by TensorFlow's fused kernel.

Keras composes them of a dozen operations, which take most of the time of a training step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from reds_tensorflow.nesting import all_layers
from reds_tensorflow.replacing import methods_replaced


@contextmanager
def norms_fused(*models: Any) -> Iterator[None]:
    """Trace batch norms of `models` in training mode as a single operation within the context."""
    norms = {id(norm): norm for model in models for norm in batch_norms(model) if _is_fusible(norm)}
    with methods_replaced([norm for norm in norms.values() if "call" not in vars(norm)], "call", batch_norm_call):
        yield


def batch_norms(model: Any) -> list[Any]:
    """Return every batch norm of `model` once, including those in nested models, wrappers and third-party layers."""
    return [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]


def _is_fusible(layer: Any) -> bool:
    return type(layer) is keras.layers.BatchNormalization and not (layer.renorm or layer.synchronized)


def batch_norm_call(layer: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
    """Compute a batch norm, by the fused kernel if it supports the call.

    Moving averages use the biased variance, as in Keras.
    """
    fusible = _is_fusible(layer) and training is True and layer.trainable and mask is None
    channels_last = layer.axis in (-1, len(inputs.shape) - 1)
    in_single = keras.backend.result_type(inputs.dtype, "float32") == "float32"
    if not (fusible and channels_last and in_single):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    x = tf.cast(inputs, tf.float32)
    channels = x.shape[-1]
    images = x if len(x.shape) == 4 else tf.reshape(x, (tf.shape(x)[0], 1, -1, channels))
    found = tf.raw_ops.FusedBatchNormV3(
        x=images,
        scale=tf.cast(layer.gamma, tf.float32) if layer.scale else tf.ones(channels),
        offset=tf.cast(layer.beta, tf.float32) if layer.center else tf.zeros(channels),
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=layer.epsilon,
        is_training=True,
    )
    count = tf.cast(tf.size(x) // channels, tf.float32)
    variance = found.batch_variance * ((count - 1) / count)
    for moving, measured in ((layer.moving_mean, found.batch_mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + measured * (1 - layer.momentum))
    outputs = found.y if len(x.shape) == 4 else tf.reshape(found.y, tf.shape(x))
    return tf.cast(tf.ensure_shape(outputs, x.shape), layer.compute_dtype)
