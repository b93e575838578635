"""A batch as the networks of a family learn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from reds_tensorflow.evaluation import as_float32


@dataclass(frozen=True, eq=False)
class Lesson:
    """One batch, or the part of it that one replica gets.

    Attributes:
        x: examples.
        labels: their labels.
        weights: their weights, or None.
        soft_targets: the teacher's outputs, or None.
        share: share of the batch's examples that are in this part.
    """

    x: Any
    labels: Any
    weights: Any | None
    soft_targets: Any | None
    share: Any


def each_as_float32(x: Any) -> Any:
    """Return the inputs of a batch, of which images may be bytes, as float32."""
    return tf.nest.map_structure(as_float32, x)


def share_of_batch(x: Any) -> Any:
    """Return the share of a batch's examples that this replica gets; parts differ if the batch cannot be halved."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return 1.0
    count = tf.cast(tf.shape(first(x))[0], tf.float32)
    return count / tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, count)


def at(values: Any, positions: Sequence[int]) -> Any:
    """Return the labels or soft targets of some of the outputs, given those of each output of the full network."""
    if not isinstance(values, tuple) or len(values) == len(positions):
        return values
    found = tuple(values[position] for position in positions)
    return found if len(found) > 1 else found[0]


def first(x: Any) -> Any:
    """Return the first input of a batch."""
    return tf.nest.flatten(x)[0]
