"""The network that is trained where the user brings data but no model: a small depthwise-separable CNN."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from reds_core.errors import InputError
from reds_core.framework import Arrays, Family, Training
from reds_tensorflow.training import finetune

SMALLEST = 8
"""Least height and width of images, in pixels."""

_CHANNELS = 48
_BLOCKS = 3
_DROPOUT = 0.1


def build_baseline(training: Training) -> Any:
    """A DS-CNN (Zhang et al., arXiv 1711.07128) for images, built for the shape of the data and trained on it.

    A convolution, depthwise-separable blocks, average pooling, one dense layer that puts out logits. Images are halved
    until their maps are about 8 pixels. Inputs are brought to -1..1 by a Rescaling layer in the model.

    Args:
        training: its data are images (N, H, W, C) of at least 8 x 8, and class numbers or one-hot labels.

    Raises:
        InputError: if the data is no such images or labels.
    """
    data = training.data
    classes = _classes(data)
    if data.x.ndim != 4 or min(data.x.shape[1:3]) < SMALLEST:
        shape = " x ".join(str(n) for n in data.x.shape[1:])
        raise InputError(
            f"no network can be built for examples of shape {shape}",
            f"give images (height, width, channels) of at least {SMALLEST} x {SMALLEST}, or a model",
        )
    model = _network(data, classes, training.seed)
    settings = replace(training.settings, dropout=1.0)  # it is trained from scratch, not fine-tuned
    finetune(Family(model, (), ()), replace(training, settings=settings))
    return model


def _classes(data: Arrays) -> int:
    if data.y.ndim == 2 and data.y.shape[1] > 1:
        return int(data.y.shape[1])
    if data.y.ndim != 1 or not np.issubdtype(data.y.dtype, np.integer):
        raise InputError("no network can be built for labels that are no classes", "give class numbers, or a model")
    return max(int(data.y.max()) + 1, 2)


def _network(data: Arrays, classes: int, seed: int) -> Any:
    """The untrained network. All that is random in it comes from `seed`, so that no global state is touched."""
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
