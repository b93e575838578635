"""Layers that normalise or scale each channel separately, by learned or given numbers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from reds_core.network import Dims, WeightKind
from reds_tensorflow.calls import Call


def batch_normalization(call: Call) -> tuple[Dims, ...]:
    """BatchNormalization: each channel is normalised separately."""
    layer = call.layer
    axis = call.dims[layer.axis - 1 if layer.axis > 0 else layer.axis]
    call.said.epsilons.append(float(layer.epsilon))
    call.weight(layer.gamma, WeightKind.SCALE, (axis,), 0)
    call.weight(layer.beta, WeightKind.OFFSET, (axis,), 0)
    call.weight(layer.moving_mean, WeightKind.STATISTIC, (axis,), 0)
    call.weight(layer.moving_variance, WeightKind.STATISTIC, (axis,), 0)
    return call.inputs


def normalization(call: Call) -> tuple[Dims, ...]:
    """Normalization by statistics of the data, either adapted (weights) or given (numbers in the config)."""
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
    """Rescaling by numbers. A list has one number for each channel."""
    if np.ndim(call.layer.scale) or np.ndim(call.layer.offset):
        call.freeze("has a scale or an offset for each channel in its config", *call.dims)
    return call.inputs


def is_offset(layer: Any) -> bool:
    """Whether a layer does nothing but add a constant to each channel, which works in place as a batch norm does."""
    if type(layer) is not keras.layers.Rescaling:
        return False
    return bool(np.ndim(layer.offset)) and bool(np.all(np.equal(layer.scale, 1)))


def layer_scale(call: Call) -> tuple[Dims, ...]:
    """LayerScale: a learned factor for each channel (arXiv 2103.17239)."""
    call.weight(call.layer.gamma, WeightKind.SCALE, call.dims[-1:], 0)
    call.resize(projection_dim=call.dims[-1])
    return call.inputs
