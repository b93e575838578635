"""Examples with their labels: arrays in memory, and streams that are read in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError

SMALL_BYTES = 4
"""Examples with fewer bytes per element keep their type in memory, since they could be too large as float32."""

SAMPLE_EXAMPLES = 2048
"""Maximum number of examples of a stream that are kept in memory, for scores, calibration and statistics."""
SAMPLE_BYTES = 256 * 2**20
"""Maximum size of these examples."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """Examples and their labels in memory.

    Attributes:
        x: examples (N, *input shape) in float32 or a smaller type, such as images of bytes, which frameworks cast batch
            by batch. A tuple, or before `check_data` a dict, for models of several inputs.
        y: labels in a form that the task's loss takes: integers (N,), or one-hot rows or real numbers (N, ...). A
            tuple, or before `check_data` a dict, for models of several outputs. Data without labels has those of
            `no_labels` until others are filled in.
        weights: how much each example counts in losses and metrics, float32 (N,); None counts all alike.
    """

    x: Any
    y: Any
    weights: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(columns(self.x)[0])

    def take(self, indices: npt.NDArray[np.int64] | slice) -> Arrays:
        """Return the examples at `indices` with their labels and weights."""

        def part(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return array[indices]

        weights = None if self.weights is None else self.weights[indices]
        return Arrays(each(part, self.x), each(part, self.y), weights)


def no_labels(count: int) -> npt.NDArray[np.float32]:
    """Return what stands for the labels of `count` examples that have none: an array (count, 0)."""
    return np.zeros((count, 0), np.float32)


def has_labels(data: Arrays) -> bool:
    """Whether examples have labels."""
    return isinstance(data.y, Mapping | tuple) or data.y.ndim != 2 or data.y.shape[1] > 0


class Stream(ABC):
    """Examples that are read in batches, pass after pass, so that they need not fit into memory.

    The order of the examples may differ from pass to pass, but the order of the n-th pass is always the same, so that
    a resumed training sees what the interrupted one would have seen. Neither `sample` nor `batches_per_pass` counts as
    a pass.
    """

    @property
    @abstractmethod
    def batches_per_pass(self) -> int:
        """Number of batches in a pass."""

    @abstractmethod
    def batches(self) -> Iterator[Arrays]:
        """Read the next pass over the examples, batch by batch."""

    @abstractmethod
    def rewind(self, passes: int) -> None:
        """Continue as if exactly `passes` passes had been read, so that the next pass is the one with that index."""

    @abstractmethod
    def sample(self, count: int) -> Arrays:
        """Return the same `count` examples whenever it is called, or fewer if the stream keeps fewer in memory.

        A stream keeps at most `SAMPLE_EXAMPLES` examples and `SAMPLE_BYTES`.
        """

    @abstractmethod
    def survey(self) -> Iterator[Arrays]:
        """Read all examples once without counting it as a pass, for figures that are needed before training.

        A resumed run must make the same surveys as the run that it resumes.
        """

    @property
    def digest(self) -> str:
        """A text that identifies the data as far as it is known without reading it; empty if nothing is known."""
        return ""

    def mapped(self, function: Callable[[Arrays], Arrays]) -> Stream:
        """Return a stream of the batches of this one after `function`, which keeps the number of examples."""
        return _Mapped(self, function)


Data = Arrays | Stream
"""Examples and their labels, in memory or read in batches."""


class _Mapped(Stream):
    def __init__(self, source: Stream, function: Callable[[Arrays], Arrays]) -> None:
        self._source, self._function = source, function

    @property
    def batches_per_pass(self) -> int:
        return self._source.batches_per_pass

    def batches(self) -> Iterator[Arrays]:
        return self._each(self._source.batches())

    def survey(self) -> Iterator[Arrays]:
        return self._each(self._source.survey())

    @property
    def digest(self) -> str:
        return self._source.digest

    def _each(self, batches: Iterator[Arrays]) -> Iterator[Arrays]:
        for index, batch in enumerate(batches):
            try:
                changed = self._function(batch)
            except InputError as error:
                raise InputError(f"{error.what} (batch {index + 1})", error.fix) from error
            yield changed

    def rewind(self, passes: int) -> None:
        self._source.rewind(passes)

    def sample(self, count: int) -> Arrays:
        return self._function(self._source.sample(count))


def columns(values: Any) -> tuple[npt.NDArray[Any], ...]:
    """Return the arrays of `values`, which is an array, or a tuple or dict of arrays."""
    if isinstance(values, Mapping):
        return tuple(values.values())
    return values if isinstance(values, tuple) else (values,)


def each(function: Callable[[Any], Any], values: Any) -> Any:
    """Apply a function to an array, or to each array of a tuple or dict."""
    if isinstance(values, Mapping):
        return {name: function(array) for name, array in values.items()}
    return tuple(map(function, values)) if isinstance(values, tuple) else function(values)


def each_batch(data: Data, batch_size: int) -> Iterator[Arrays]:
    """Yield all examples in batches: of `batch_size` for arrays, of its own size for a stream.

    This is for measuring: a stream is read from its first pass, so that the order is the same every time.
    """
    if isinstance(data, Stream):
        data.rewind(0)
        return data.batches()
    return (data.take(part) for part in batches(len(data), batch_size))


def sampled(data: Data, count: int, seed: int) -> Arrays:
    """Return at most `count` examples: drawn at random from arrays, which are often sorted; the sample of a stream."""
    if isinstance(data, Stream):
        return data.sample(count)
    return data.take(np.random.default_rng(seed).permutation(len(data))[:count])


def joined(parts: list[Arrays]) -> Arrays:
    """Return the examples of several batches as one."""

    def column(values: list[Any]) -> Any:
        first = values[0]
        if isinstance(first, Mapping):
            return {name: np.concatenate([value[name] for value in values]) for name in first}
        if isinstance(first, tuple):
            return tuple(np.concatenate(list(arrays)) for arrays in zip(*values, strict=True))
        return np.concatenate(values)

    weights = [part.weights for part in parts if part.weights is not None]
    return Arrays(
        column([part.x for part in parts]),
        column([part.y for part in parts]),
        np.concatenate(weights) if weights else None,
    )


def first_examples(batches: Iterator[Arrays], count: int, size_bytes: int | None = None) -> Arrays:
    """Return the first examples of some batches: at most `count`, and no more than one or `size_bytes` allow.

    The iterator is advanced no further than needed.
    """
    taken: list[Arrays] = []
    for batch in batches:
        taken.append(batch)
        if size_bytes is not None and not taken[1:]:
            count = min(count, max(size_bytes // max(example_bytes(batch), 1), 1))
        if sum(map(len, taken)) >= count:
            break
    return joined(taken).take(slice(count))


def example_bytes(data: Arrays) -> int:
    """The memory that one example and its labels take, in bytes."""
    arrays = (*columns(data.x), *columns(data.y))
    return sum(array.dtype.itemsize * int(np.prod(array.shape[1:])) for array in arrays)


def as_examples(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Convert examples to float32, unless their type is a smaller number, which is kept."""
    return x if x.dtype.kind in "iuf" and x.dtype.itemsize < SMALL_BYTES else x.astype(np.float32, copy=False)


def batches(count: int, batch_size: int) -> list[slice]:
    """Return slices that cover `count` examples in batches."""
    return [slice(start, min(start + batch_size, count)) for start in range(0, count, batch_size)]
