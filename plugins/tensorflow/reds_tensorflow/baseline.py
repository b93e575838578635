"""The network that is trained if the user gives data but no model: a small depthwise-separable CNN."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from reds_core.errors import InputError
from reds_core.framework import SAMPLE_EXAMPLES, Arrays, Family, Training, sampled
from reds_tensorflow.training import finetune

SMALLEST = 8
"""Minimum height and width of images in pixels."""

_CHANNELS = 48
_BLOCKS = 3
_DROPOUT = 0.1


def build_baseline(training: Training) -> Any:
    """Build a DS-CNN (Zhang et al., arXiv 1711.07128) for the shape of the images, and train it.

    It consists of a convolution, depthwise-separable blocks, average pooling and a dense layer that outputs logits.
    Strides halve the feature maps until they are about 8 pixels wide. A Rescaling layer in the model scales inputs to
    between -1 and 1.

    Args:
        training: data and settings. The data must be images (N, H, W, C) of at least 8 x 8 pixels, with class numbers
            or one-hot labels. Of a stream, the sample must show all classes.

    Raises:
        InputError: if the data does not have this form.
    """
    data = training.data
    data = data if isinstance(data, Arrays) else sampled(data, SAMPLE_EXAMPLES, training.seed)
    classes = _classes(data)
    if data.x.ndim != 4 or min(data.x.shape[1:3]) < SMALLEST:
        shape = " x ".join(str(n) for n in data.x.shape[1:])
        raise InputError(
            f"no network can be built for examples of shape {shape}",
            f"give images (height, width, channels) of at least {SMALLEST} x {SMALLEST}, or a model",
        )
    model = _network(data, classes, training.seed)
    settings = replace(training.settings, dropout=1.0, anchor=0.0)  # it is trained from scratch, not fine-tuned
    finetune(Family(model, (), ()), replace(training, settings=settings))
    return model


def _classes(data: Arrays) -> int:
    if data.y.ndim == 2 and data.y.shape[1] > 1:
        return int(data.y.shape[1])
    if data.y.ndim != 1 or not np.issubdtype(data.y.dtype, np.integer):
        raise InputError("no network can be built for labels that are not classes", "give class numbers, or a model")
    return max(int(data.y.max()) + 1, 2)


def _network(data: Arrays, classes: int, seed: int) -> Any:
    """Return the untrained network. All randomness comes from `seed`, so that no global state is changed."""
    layers = keras.layers
    seeds = np.random.default_rng(seed)

    def random_start(kind: Any = keras.initializers.HeNormal) -> Any:
        return kind(seed=int(seeds.integers(2**31)))

    halvings = max(round(math.log2(min(data.x.shape[1:3]) / SMALLEST)), 0)

    def stride(block: int) -> int:
        return 2 if block < halvings else 1

    lowest, highest = float(data.x.min()), float(data.x.max())
    half = (highest - lowest) / 2 or 1.0
    x = inputs = keras.Input(data.x.shape[1:], name="image")
    x = layers.Rescaling(1 / half, offset=-(lowest + half) / half, name="rescaling")(x)
    x = layers.Conv2D(_CHANNELS, 3, stride(0), "same", use_bias=False, kernel_initializer=random_start(), name="conv")(
        x
    )
    x = layers.BatchNormalization(momentum=0.9, name="conv_norm")(x)
    x = layers.ReLU(name="conv_relu")(x)
    for block in range(1, max(_BLOCKS, halvings - 1) + 1):
        name = f"block{block}"
        x = layers.DepthwiseConv2D(
            3, stride(block), "same", use_bias=False, depthwise_initializer=random_start(), name=f"{name}_depthwise"
        )(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_depthwise_norm")(x)
        x = layers.ReLU(name=f"{name}_depthwise_relu")(x)
        x = layers.Conv2D(_CHANNELS, 1, use_bias=False, kernel_initializer=random_start(), name=f"{name}_pointwise")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(_DROPOUT, seed=int(seeds.integers(2**31)), name="dropout")(x)
    logits = layers.Dense(classes, kernel_initializer=random_start(keras.initializers.GlorotUniform), name="logits")(x)
    return keras.Model(inputs, logits, name="ds_cnn")
