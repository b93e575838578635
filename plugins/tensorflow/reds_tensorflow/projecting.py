"""Projections of weights as parts of a graph, with straight-through gradients.

Batch norms need no care: an exporter folds them by multiplying whole output channels, which have scales of their own,
so folding changes the scales of quantised weights but not their integers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from reds_core.framework import Projection
from reds_core.transforms import (
    CODE_BITS,
    LARGEST_TRUNCATED,
    NEGLIGIBLE_SCALE,
    REFINEMENTS,
    SMALLEST_SCALE,
    TRUNCATION_GRID,
    TRUNCATION_STEP,
    ZERO_BELOW,
    TruncatedQuantiser,
    UniformQuantiser,
)

TRIED_AT_ONCE = 2**22
"""Maximum number of values for the errors of several scales, which are computed together."""


def projected(weight: Any, projection: Projection | None, progress: Any = None) -> Any:
    """Return the projection of a tensor. The gradient passes as if it were the tensor itself.

    This is the straight-through estimator (Bengio et al., arXiv 1308.3432).

    Args:
        weight: the tensor.
        projection: its projection, or None.
        progress: the share of the steps of the training that are done, as a scalar; None for the end of the training.
    """
    if projection is None:
        return weight
    values = tf.cast(tf.stop_gradient(weight), tf.float32)
    if projection.quantiser is not None:
        found = quantised(values, projection.quantiser, projection.axes)
    else:
        scheduled = projection.scheduled
        if scheduled is None or progress is None:
            found = tf.numpy_function(lambda array: called(projection, array), [values], tf.float32, stateful=False)
        else:
            found = tf.numpy_function(
                lambda array, share: np.asarray(scheduled(np.asarray(array, np.float64), float(share)), np.float32),
                [values, progress],
                tf.float32,
                stateful=False,
            )
        found = tf.ensure_shape(found, values.shape)
    # The difference is exactly 0, so that the sum is exactly on the grid.
    return tf.stop_gradient(tf.cast(found, weight.dtype)) + (weight - tf.stop_gradient(weight))


def assign_projected(variable: Any, projection: Projection | None) -> None:
    """Project the value of a variable in place."""
    if projection is not None:
        variable.assign(called(projection, np.asarray(variable)))


def assign_held(variable: Any, projection: Projection | None) -> None:
    """Set a variable in place to what a model holds of its value after a training."""
    if projection is not None:
        variable.assign(np.asarray(projection.holds(np.asarray(variable, np.float64)), np.float32))


def quantised(weight: Any, quantiser: UniformQuantiser, axes: tuple[int, ...]) -> Any:
    """Return what `UniformQuantiser.quantised` returns for a float32 tensor, without gradients."""
    if 0 in weight.shape:
        return weight
    others = [a for a in range(len(weight.shape)) if a not in axes]
    if isinstance(quantiser, TruncatedQuantiser):
        return _truncated(weight, others)
    codes, scales = _codes(weight, quantiser, others)
    return codes * scales


def _codes(weight: Any, quantiser: UniformQuantiser, others: list[int]) -> tuple[Any, Any]:
    """Return integers and scales. others: axes without scales."""
    largest = float(quantiser.largest)
    scales = _scales(tf.abs(weight), quantiser, others)
    return tf.clip_by_value(tf.round(weight / scales), -largest, largest), scales


def _truncated(weight: Any, others: list[int]) -> Any:
    """Return what `TruncatedQuantiser.quantised` returns."""
    codes, scales = _codes(weight, UniformQuantiser(CODE_BITS), others)
    largest = tf.reduce_max(tf.abs(weight), others, keepdims=True)
    present = weight / tf.where(largest > 0, largest * (1 / LARGEST_TRUNCATED), 1.0)
    largest_scale = tf.reduce_max(tf.where(largest > 0, scales, tf.zeros_like(scales)))
    scales = tf.where(largest > 0, scales, NEGLIGIBLE_SCALE * tf.maximum(largest_scale, NEGLIGIBLE_SCALE))
    differences = tf.reduce_max(tf.abs(present - _truncated_codes(present)), others, keepdims=True)
    return tf.where((differences <= TRUNCATION_GRID) & (largest > 0), weight, _truncated_codes(codes) * scales)


def _truncated_codes(codes: Any) -> Any:
    return tf.floor(codes / TRUNCATION_STEP) * TRUNCATION_STEP + TRUNCATION_STEP / 2


def _scales(magnitudes: Any, quantiser: UniformQuantiser, others: list[int]) -> Any:
    """Return the scale of each channel, in a shape that broadcasts. others: axes without scales."""
    largest = float(quantiser.largest)
    whole = tf.reduce_max(magnitudes, others, keepdims=True) * (1 / largest)
    fractions = np.array(quantiser.fractions, np.float32)
    parts = math.ceil(len(fractions) * math.prod(magnitudes.shape) / TRIED_AT_ONCE)
    errors = []
    for part in np.array_split(fractions, min(parts, len(fractions))) if len(fractions) > 1 else ():
        scales = _rounded(whole * part.reshape(-1, *[1] * len(magnitudes.shape)), quantiser)
        found = tf.minimum(tf.round(magnitudes / scales), largest) * scales
        errors.append(tf.reduce_sum(tf.math.squared_difference(found, magnitudes), [a + 1 for a in others], True))
    if not errors:
        return tf.where(whole < ZERO_BELOW, 1.0, _rounded(whole, quantiser))
    # The first of equal ones clips the least.
    best = _rounded(whole * tf.gather(fractions, tf.argmin(tf.concat(errors, 0), axis=0)), quantiser)
    for _ in range(REFINEMENTS):
        integers = tf.cast(tf.minimum(tf.round(magnitudes / best), largest), tf.float64)
        products = tf.reduce_sum(tf.cast(magnitudes, tf.float64) * integers, others, keepdims=True)
        squares = tf.maximum(tf.reduce_sum(tf.square(integers), others, keepdims=True), 1.0)
        best = _rounded(tf.minimum(tf.cast(products / squares, tf.float32), whole), quantiser)
    return tf.where(whole < ZERO_BELOW, 1.0, best)


def _rounded(scales: Any, quantiser: UniformQuantiser) -> Any:
    """Return scales whose products with all integers are exact in float32."""
    half, mask = 1 << (quantiser.dropped_bits - 1), -(1 << quantiser.dropped_bits)
    bits = tf.bitwise.bitwise_and(tf.bitcast(scales, tf.int32) + half, mask)
    return tf.maximum(tf.bitcast(bits, tf.float32), SMALLEST_SCALE)


def called(projection: Projection, array: Any) -> Any:
    """Return the projection of an array, float32."""
    return np.asarray(projection.function(np.asarray(array, np.float64)), np.float32)
