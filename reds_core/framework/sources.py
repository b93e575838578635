"""Streams over sources that can be read again and again: functions that return iterators, data loaders, and others."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sized
from typing import Any

import numpy as np

from reds_core.errors import InputError, RedsError
from reds_core.framework.data import (
    SAMPLE_BYTES,
    SAMPLE_EXAMPLES,
    Arrays,
    Stream,
    columns,
    first_examples,
    no_labels,
)
from reds_core.framework.examples import examples_of, is_array, layout

_ITEMS = "give batches of the form (x, y) or (x, y, sample_weight)"


class BatchSource(ABC):
    """Something that yields batches (x, y) or (x, y, sample_weight), pass after pass.

    Attributes:
        is_fixed: whether every pass yields the same batches in the same order.
        is_seeded: whether the first batch is the same in every process.
        must_be_read: whether a pass that is left before its end makes the next ones differ from run to run, as one does
            that is read ahead by other threads which change a state.
    """

    is_fixed: bool = False
    is_seeded: bool = True
    must_be_read: bool = False

    @property
    def count(self) -> int | None:
        """Number of batches in a pass, or None if only reading them tells it, which is the default."""
        return None

    @abstractmethod
    def read(self) -> Iterator[Any]:
        """Begin a pass."""

    def between_passes(self) -> None:  # noqa: B027
        """Called after a pass has been read and before the next one. Does nothing by default."""

    def skip(self) -> None:
        """Leave the source as if one pass had been read. By default this reads one."""
        for _ in self.read():
            pass


class SourceStream(Stream):
    """A stream over a source.

    The source is read once when the stream is created: as far as the sample needs it, or to the end to count its
    batches if it does not know their number. So training always begins after the same number of readings, whether or
    not a run is resumed. Every batch is converted to arrays and checked.
    """

    def __init__(self, source: BatchSource, what: str = "data", labelled: bool = True) -> None:
        """Create the stream, and read its sample.

        Args:
            source: what is read.
            what: name of the data in messages, such as "training data".
            labelled: whether batches have labels. If they need none, those that they have are left out.

        Raises:
            InputError: if there are no batches, or one is not of the right form.
        """
        self._source, self._what, self._labelled = source, what, labelled
        self._begun, self._next = 0, 0
        self._form: str | None = None
        reading = self._converted(source.read())
        first = next(reading, None)
        if first is None:
            raise InputError(f"the {what} holds no batches", "give at least one; an iterator can be read only once")
        counted = _Counted(first, reading)
        self._sample = first_examples(counted, SAMPLE_EXAMPLES, SAMPLE_BYTES)
        known = source.count
        if known is None or source.must_be_read:
            for _ in counted:
                pass
        self._count = counted.count if known is None else known
        digest = hashlib.sha256(f"{layout(first)}{self._count}".encode())
        if source.is_seeded:
            for array in (*columns(first.x), *columns(first.y)):
                digest.update(np.ascontiguousarray(array).data)
        self._digest = digest.hexdigest()

    @property
    def batches_per_pass(self) -> int:
        return self._count

    @property
    def digest(self) -> str:
        """The digest of the types, shapes and number of batches and, if the source is seeded, of the first batch."""
        return self._digest

    def batches(self) -> Iterator[Arrays]:
        index, self._next = self._next, self._next + 1
        if not self._source.is_fixed:
            while self._begun < index:
                self._begin()
                self._source.skip()
            self._begin()
        return self._counted(self._converted(self._source.read()))

    def rewind(self, passes: int) -> None:
        """Continue as if exactly `passes` passes had been read.

        Passes ahead are skipped. A source that is shuffled anew in each pass cannot go back: it continues with the pass
        after the last one, which only happens to data that is read for measuring.
        """
        self._next = passes

    def sample(self, count: int) -> Arrays:
        return self._sample.take(slice(count))

    def survey(self) -> Iterator[Arrays]:
        return self._converted(self._source.read())

    def _begin(self) -> None:
        if self._begun:
            self._source.between_passes()
        self._begun += 1

    def _converted(self, batches: Iterator[Any]) -> Iterator[Arrays]:
        for index, batch in enumerate(self._readable(batches)):
            name = f"{self._what} (batch {index + 1})"
            found = batch_of(batch, name, self._labelled)
            if self._form is None:
                self._form = _form(found)
            elif self._form != _form(found):
                raise InputError(
                    f"the {name} has {_form(found)}, but the first batch has {self._form}",
                    "give batches of the same form, with the same shapes",
                )
            yield found

    def _readable(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield the same batches, and name the batch at which the source raises an error of its own."""
        index = 0
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (RedsError, MemoryError):
                raise
            except Exception as error:
                raise InputError(
                    f"the {self._what} cannot be read (batch {index + 1}): {type(error).__name__}: {error}",
                    "correct what yields the batches",
                ) from error
            yield batch
            index += 1

    def _counted(self, batches: Iterator[Arrays]) -> Iterator[Arrays]:
        """Yield the batches of a pass.

        Raises:
            InputError: at the end, if there are fewer than in a pass.
        """
        count = 0
        for batch in batches:
            yield batch
            count += 1
        if count < self._count:
            raise InputError(
                f"the {self._what} ended after {count} batches instead of {self._count}",
                "yield the same number of batches in every pass",
            )


def _form(batch: Arrays) -> str:
    """The shapes of one example and its label, and whether there are weights, as text."""

    def shapes(values: Any) -> str:
        return " and ".join(str(array.shape[1:]) for array in columns(values))

    weights = "weights" if batch.weights is not None else "no weights"
    return f"examples of shape {shapes(batch.x)}, labels of shape {shapes(batch.y)} and {weights}"


class _Counted(Iterator[Arrays]):
    """Batches that are counted while they are read."""

    def __init__(self, first: Arrays, rest: Iterator[Arrays]) -> None:
        self.count = 0
        self._first: Arrays | None = first
        self._rest = rest

    def __next__(self) -> Arrays:
        found, self._first = self._first or next(self._rest), None
        self.count += 1
        return found


def batch_of(batch: Any, what: str, labelled: bool = True) -> Arrays:
    """Convert a batch (x, y) or (x, y, sample_weight) to arrays, and check it.

    Args:
        batch: the batch. Without labels it may also be x, or (x,), and y may be None.
        what: name of the batch in messages.
        labelled: whether batches have labels. Otherwise y is left out.

    Raises:
        InputError: if it has another form, or what it holds is refused by `examples_of`.
    """
    if not labelled:
        return unlabelled_examples(batch, what)
    if isinstance(batch, Arrays):
        return batch
    if isinstance(batch, Mapping):
        raise InputError(f"the {what} is a dict of {', '.join(map(repr, batch))} without labels", _ITEMS)
    if is_array(batch) or not isinstance(batch, tuple | list):
        raise InputError(f"the {what} is of type {type(batch).__name__} without labels", _ITEMS)
    if len(batch) not in (2, 3):
        raise InputError(f"the {what} has {len(batch)} parts", _ITEMS)
    return examples_of(*batch, what=what)


def unlabelled_examples(given: Any, what: str) -> Arrays:
    """Convert x, (x,), (x, y) or (x, y, sample_weight) to arrays without labels, and check them.

    Raises:
        InputError: if it has another form, or what it holds is refused by `examples_of`.
    """
    if isinstance(given, Arrays):
        return Arrays(given.x, no_labels(len(given)), given.weights)
    if is_array(given) or isinstance(given, Mapping):
        return examples_of(given, what=what)
    if not isinstance(given, tuple | list) or len(given) not in (1, 2, 3):
        raise InputError(f"the {what} is of type {type(given).__name__}", "give x, (x, y) or (x, y, sample_weight)")
    return examples_of(given[0], None, given[2] if len(given) == 3 else None, what=what)


class FunctionSource(BatchSource):
    """A function that returns a new iterator over the batches whenever it is called."""

    def __init__(self, function: Callable[[], Any], what: str) -> None:
        self._function, self._what = function, what

    def read(self) -> Iterator[Any]:
        try:
            found = self._function()
            return iter(found)
        except TypeError as error:
            raise InputError(
                f"the {self._what} is a function that cannot be called without arguments to get an iterator ({error})",
                "give a function without arguments that returns a new iterator over batches (x, y)",
            ) from error


class LoaderSource(BatchSource):
    """An object with a length over which one can iterate again and again, such as a DataLoader of PyTorch."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self.is_seeded = type(getattr(loader, "sampler", None)).__name__ in ("NoneType", "SequentialSampler")

    @property
    def count(self) -> int | None:
        try:
            return len(self._loader)
        except TypeError:  # a loader over an iterable without a length
            return None

    def read(self) -> Iterator[Any]:
        return iter(self._loader)


def stream_over(source: Any, what: str, labelled: bool = True) -> Stream | None:
    """Return a stream over something that yields batches and belongs to no framework, or None if `source` does not.

    Args:
        source: a function without arguments that returns a new iterator, or an object with a length over which one can
            iterate again and again, such as a DataLoader of PyTorch.
        what: name of the data in messages.
        labelled: whether batches have labels.

    Raises:
        InputError: if `source` is an iterator, which can be read only once, or what it yields is not of the right form.
    """
    if isinstance(source, Stream):
        return source
    if isinstance(source, Iterator):
        raise InputError(
            f"the {what} is a {type(source).__name__}, which can be read only once",
            "give a function that returns a new iterator, without calling it",
        )
    if callable(source) and not isinstance(source, type):
        return SourceStream(FunctionSource(source, what), what, labelled)
    is_values = is_array(source) or isinstance(source, list | tuple | set | frozenset | str | bytes | Mapping)
    if hasattr(source, "__iter__") and isinstance(source, Sized) and not is_values:
        return SourceStream(LoaderSource(source), what, labelled)
    return None
