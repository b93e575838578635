"""Losses and metrics that compare features, such as embeddings, with those of another network.

The outputs of an example are compared as one vector, also if they are feature maps, in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from reds_core.framework import FEATURE_SIMILARITY


def cosine_distance(targets: Any, outputs: Any) -> Any:
    """Return 1 - cosine similarity of each example (N,), which does not depend on the lengths of the vectors."""
    return 1.0 - feature_similarity(targets, outputs)


def relative_squared_error(targets: Any, outputs: Any) -> Any:
    """Return the squared distance of each example (N,) as a share of the squared length of its target.

    It is 0 for targets that are zero vectors, for which there is no share.
    """
    wanted, found = _vectors(targets), _vectors(outputs)
    return tf.math.divide_no_nan(
        tf.reduce_sum(tf.math.squared_difference(found, wanted), axis=1), tf.reduce_sum(tf.square(wanted), axis=1)
    )


def feature_similarity(targets: Any, outputs: Any) -> Any:
    """Return the cosine similarity of each example (N,).

    It is 1 for two zero vectors, such as the features that a ReLU leaves of an example to which nothing responds, and 0
    for a zero vector and another one.
    """
    wanted, found = _vectors(targets), _vectors(outputs)
    both_zero = ~(tf.reduce_any(wanted != 0, axis=1) | tf.reduce_any(found != 0, axis=1))
    similarity = tf.reduce_sum(tf.math.l2_normalize(wanted, axis=1) * tf.math.l2_normalize(found, axis=1), axis=1)
    return tf.where(both_zero, 1.0, similarity)


def _vectors(values: Any) -> Any:
    """Return the outputs of each example as a vector, float32 (N, values)."""
    values = tf.cast(tf.convert_to_tensor(values), tf.float32)
    return tf.reshape(values, (tf.shape(values)[0], -1))


FEATURE_LOSSES: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {"cosine_distance": cosine_distance, "relative_squared_error": relative_squared_error}
)
"""The losses of features, by the names by which users give them."""
FEATURE_METRICS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType({FEATURE_SIMILARITY: feature_similarity})
"""The metrics of features, by the names by which users give them."""
