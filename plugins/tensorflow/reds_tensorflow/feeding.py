"""Training data as the batches that `fit` reads, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.framework import Arrays, Data, Projection, Stream, each, each_batch


class SourceErrors:
    """The first error of what a training calls, which TensorFlow would replace by an error of its own.

    These are the sources that it reads, and projections that are computed outside of its graph.
    """

    def __init__(self) -> None:
        self._first: Exception | None = None

    def recorded(self, elements: Callable[[], Iterator[Any]]) -> Callable[[], Iterator[Any]]:
        """Return the same function of elements, with its errors recorded."""

        def read() -> Iterator[Any]:
            with self._kept():
                yield from elements()

        return read

    def of_projection(self, projection: Projection) -> Projection:
        """Return the same projection, with its errors recorded."""
        whole, at = projection.function, projection.scheduled

        def function(values: Any) -> Any:
            with self._kept():
                return whole(values)

        def scheduled(values: Any, progress: float) -> Any:
            assert at is not None
            with self._kept():
                return at(values, progress)

        return replace(projection, function=function, scheduled=None if at is None else scheduled)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._first = self._first or error
            raise

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Raise the recorded error as it is within the context, in place of that of TensorFlow."""
        try:
            yield
        except tf.errors.OpError:
            if self._first is not None:
                raise self._first from None
            raise


class Feed:
    """The batches of each epoch of a training.

    Arrays are shuffled in each epoch and split into batches whose sizes differ by at most one. A stream is read once
    for each epoch, in its own order. An epoch must be begun by `begin` before its batches are read.

    Attributes:
        batches_per_epoch: number of batches.
        dataset: a `tf.data.Dataset` of (x, y, weights), whose every iteration reads the epoch that was begun last. With
            soft targets, y is a pair of the labels and the soft targets. Without weights, elements are (x, y).
    """

    def __init__(
        self,
        data: Data,
        batch_size: int,
        seed: int = 0,
        soft_targets: Any = None,
        first_pass: int = 0,
        errors: SourceErrors | None = None,
    ) -> None:
        """Create the feed of a training.

        Args:
            data: the training data.
            batch_size: number of examples in a batch of arrays.
            seed: seed of the order.
            soft_targets: a teacher's outputs for the examples of arrays, in their order: an array (N, ...), or a tuple
                with an array for each output. None if they are computed batch by batch.
            first_pass: the pass over a stream that the first epoch reads.
            errors: records errors of the source.
        """
        self._data, self._soft_targets, self._first_pass = data, soft_targets, first_pass
        self._order = _Order(0 if isinstance(data, Stream) else len(data), seed)
        self._epoch = 0
        self.batches_per_epoch = _batch_count(data, batch_size)
        signature = tf.nest.map_structure(_spec, self._element(_first_example(data), slice(1)))
        elements = self._elements if errors is None else errors.recorded(self._elements)
        self.dataset = _dataset(elements, signature, self.batches_per_epoch)

    def begin(self, epoch: int) -> None:
        """Let the next iteration read this epoch, counted from 0."""
        self._epoch = epoch
        if isinstance(self._data, Stream):
            self._data.rewind(self._first_pass + epoch)

    def _elements(self) -> Iterator[Any]:
        if isinstance(self._data, Stream):
            yield from map(_copied_element, self._data.batches())
        else:
            for part in np.array_split(self._order.of(self._epoch), self.batches_per_epoch):
                yield self._element(self._data.take(part), part)

    def _element(self, batch: Arrays, part: Any) -> Any:
        targets = self._soft_targets
        return _element(batch, None if targets is None else each(lambda array: array[part], targets))


class _Order:
    """The order of the examples in each epoch, which depends on the seed alone."""

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed = count, seed
        self._restart()

    def _restart(self) -> None:
        self._generator, self._next = np.random.default_rng(self._seed), 0

    def of(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return the indices of the examples (N,) in the order of an epoch."""
        if epoch < self._next:
            self._restart()
        for _ in range(self._next, epoch):
            self._generator.permutation(self._count)
        self._next = epoch + 1
        return self._generator.permutation(self._count)


def evaluation_dataset(data: Data, batch_size: int, errors: SourceErrors) -> Any:
    """Return a `tf.data.Dataset` of the examples in their order, as (x, y) or (x, y, weights).

    Args:
        data: the examples.
        batch_size: number of examples in a batch of arrays.
        errors: records errors of a stream.
    """
    signature = tf.nest.map_structure(_spec, _element(_first_example(data)))
    elements = errors.recorded(lambda: map(_copied_element, each_batch(data, batch_size)))
    return _dataset(elements, signature, _batch_count(data, batch_size))


def _first_example(data: Data) -> Arrays:
    return data.sample(1) if isinstance(data, Stream) else data.take(slice(1))


def _batch_count(data: Data, batch_size: int) -> int:
    return data.batches_per_pass if isinstance(data, Stream) else math.ceil(len(data) / batch_size)


def _dataset(elements: Callable[[], Iterator[Any]], signature: Any, count: int) -> Any:
    """Return a data set of `count` batches, which are read ahead by one."""
    read = tf.data.Dataset.from_generator(elements, output_signature=signature)
    return read.apply(tf.data.experimental.assert_cardinality(count)).prefetch(1)


def _element(batch: Arrays, soft_targets: Any = None) -> Any:
    """Return a batch as Keras takes it: (x, y) or (x, y, weights), where y is a pair if there are soft targets."""
    labels = batch.y if soft_targets is None else (batch.y, soft_targets)
    return (batch.x, labels) if batch.weights is None else (batch.x, labels, batch.weights)


def _copied_element(batch: Arrays) -> Any:
    """Return a copy of a batch as Keras takes it, for batches that may be views of arrays that are read again.

    TensorFlow does not copy an array that starts at a multiple of 64 bytes. If a batch is divided among devices, a step
    may write results of its operations into the memory of the array.
    """
    return tf.nest.map_structure(np.array, _element(batch))


def _spec(array: Any) -> Any:
    return tf.TensorSpec((None, *array.shape[1:]), tf.as_dtype(array.dtype))
