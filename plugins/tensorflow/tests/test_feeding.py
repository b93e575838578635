"""Batches that `fit` reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aligned_arrays import aligned
from keras_heads import ArrayStream
from reds_tensorflow.feeding import Feed, SourceErrors, evaluation_dataset

from reds_core.framework import Arrays

BATCH_SIZE = 16


def evaluated(data: Arrays) -> Any:
    return evaluation_dataset(data, BATCH_SIZE, SourceErrors())


def evaluated_stream(data: Arrays) -> Any:
    return evaluation_dataset(ArrayStream(data, BATCH_SIZE), BATCH_SIZE, SourceErrors())


def trained(data: Arrays) -> Any:
    return Feed(data, BATCH_SIZE).dataset


def trained_stream(data: Arrays) -> Any:
    return Feed(ArrayStream(data, BATCH_SIZE), BATCH_SIZE).dataset


@pytest.mark.parametrize("dataset_of", [evaluated, evaluated_stream, trained, trained_stream])
def test_batches_do_not_share_memory_with_the_data(dataset_of: Callable[[Arrays], Any]) -> None:
    """TensorFlow may write into the memory of a batch, and a stream may fill the same arrays again."""
    x, y, weights = (aligned(np.ones(shape, np.float32)) for shape in ((40, 6), (40, 3), (40,)))
    batch = next(iter(dataset_of(Arrays(x, y, weights))))
    for array in (x, y, weights):
        array.fill(7)
    assert len(batch) == 3
    for tensor in batch:
        np.testing.assert_array_equal(tensor, 1)
