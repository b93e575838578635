"""Streams over `tf.data.Dataset` and `keras.utils.PyDataset`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework import BatchSource, SourceStream, Stream

_PLAIN = frozenset(
    {
        *("BatchDataset", "CacheDataset", "ConcatenateDataset", "FilterDataset", "FixedLengthRecordDataset"),
        *("FlatMapDataset", "InterleaveDataset", "MapDataset", "OptionsDataset", "PaddedBatchDataset"),
        *("ParallelBatchDataset", "ParallelInterleaveDataset", "ParallelMapDataset", "PrefetchDataset"),
        *("RangeDataset", "RebatchDataset", "RepeatDataset", "ShardDataset", "ShuffleDataset", "SkipDataset"),
        *("TFRecordDataset", "TakeDataset", "TensorDataset", "TensorSliceDataset", "TextLineDataset"),
        *("UnbatchDataset", "WindowDataset", "ZipDataset"),
    }
)
"""Transformations whose passes depend on nothing but their inputs, their functions and the seeds of shuffles."""
_BEGIN_LATE = frozenset({"ConcatenateDataset", "FlatMapDataset", "InterleaveDataset", "RepeatDataset"})
"""Transformations that begin passes over their inputs while they are read."""
_CACHE = "CacheDataset"


def stream(source: Any, model: Any | None, batch_size: int, what: str, labelled: bool = True) -> Stream | None:
    """Return a stream over a data set of TensorFlow or Keras, or None if `source` is not one.

    Args:
        source: what the user gives as data.
        model: the model that takes the examples, which tells batches from single examples; None for images.
        batch_size: number of examples in a batch, if the data set yields single examples.
        what: name of the data in messages.
        labelled: whether it yields labels. Otherwise it may also yield x or (x,).

    Raises:
        InputError: if the data set has no end, or what it yields is not (x, y) or (x, y, sample_weight).
    """
    if isinstance(source, tf.data.Dataset):
        batched = _batched(source, model, batch_size, what, labelled)
        return SourceStream(TensorFlowSource(batched, what), what, labelled)
    if isinstance(source, keras.utils.PyDataset):
        return SourceStream(PyDatasetSource(source, what), what, labelled)
    return None


class TensorFlowSource(BatchSource):
    """A `tf.data.Dataset` of batches.

    A shuffle with a seed draws a new order for each iterator that is made, one after the other. So a pass is skipped by
    making its iterator, unless the data set keeps state while it is read, as a cache does, or functions with state do.
    """

    def __init__(self, dataset: Any, what: str) -> None:
        self._dataset = dataset
        cardinality = int(dataset.cardinality())
        if cardinality == tf.data.INFINITE_CARDINALITY:
            raise InputError(
                f"the {what} is a tf.data.Dataset without an end", "end each pass with .take(n), or leave out .repeat()"
            )
        self._count = None if cardinality == tf.data.UNKNOWN_CARDINALITY else cardinality
        parts = list(_parts_of(dataset))
        kinds = {_kind(part) for part in parts}
        shuffles = [part for part in parts if _kind(part) == "ShuffleDataset"]
        reshuffles = any(shuffle._reshuffle_each_iteration is not False for shuffle in shuffles)
        operations = [operation for part in parts for operation in _stateful_operations(part)]
        draws = any(map(_is_random, operations))
        has_state = not kinds <= _PLAIN or not all(map(_is_random, operations)) or any(map(_captures_state, parts))
        self.is_seeded = not has_state and not draws and all(map(_has_seed, shuffles))
        self.is_fixed = not has_state and not draws and not reshuffles
        self.must_be_read = has_state or _CACHE in kinds or (bool(shuffles) and bool(kinds & _BEGIN_LATE))

    @property
    def count(self) -> int | None:
        return self._count

    def read(self) -> Iterator[Any]:
        return iter(self._dataset)

    def skip(self) -> None:
        if self.must_be_read:
            super().skip()
        else:
            next(iter(self._dataset), None)


class PyDatasetSource(BatchSource):
    """A `keras.utils.PyDataset`, whose batches are read in order and which is told of the end of each pass."""

    def __init__(self, dataset: Any, what: str) -> None:
        self._dataset = dataset
        count = dataset.num_batches
        if count is None:
            raise InputError(f"the {what} is a PyDataset without an end", "give it a length by __len__")
        self._count = int(count)

    @property
    def count(self) -> int | None:
        return self._count

    def read(self) -> Iterator[Any]:
        on_epoch_begin = getattr(self._dataset, "on_epoch_begin", None)
        if on_epoch_begin is not None:
            on_epoch_begin()
        for index in range(self._count):
            yield self._dataset[index]

    def between_passes(self) -> None:
        self._dataset.on_epoch_end()


def _batched(dataset: Any, model: Any | None, batch_size: int, what: str, labelled: bool) -> Any:
    """Return a data set of batches. Single examples are told by their rank, and put into batches."""
    spec = dataset.element_spec
    if not labelled and not isinstance(spec, tuple):
        spec = (spec,)
    elif (
        isinstance(spec, Mapping) or not isinstance(spec, tuple) or len(spec) not in ((2, 3) if labelled else (1, 2, 3))
    ):
        form = f"a dict of {', '.join(map(repr, spec))}" if isinstance(spec, Mapping) else f"of the form {spec}"
        raise InputError(
            f"an element of the {what} is {form}", "map it to (x, y) or (x, y, sample_weight) by .map(function)"
        )
    for part in tf.nest.flatten(spec):
        if not isinstance(part, tf.TensorSpec):
            raise UnsupportedError(
                f"the {what} holds {type(part).__name__.removesuffix('Spec')}s", "map them to dense tensors"
            )
    is_single = [_is_example(given, example) for given, example in _input_shapes(spec[0], model)]
    return dataset.batch(batch_size) if is_single and all(is_single) else dataset


def _input_shapes(spec: Any, model: Any | None) -> list[tuple[Any, Any]]:
    """Pairs of the shape that the data has for an input, and the shape of one example that the model takes."""
    if model is None:
        wanted = {"image": tf.TensorShape((None, None, None))}
    else:
        wanted = {tensor.name: tf.TensorShape(tensor.shape[1:]) for tensor in model.inputs}
    if isinstance(spec, Mapping) and wanted.keys() & spec.keys():
        return [(spec[name].shape, shape) for name, shape in wanted.items() if name in spec]
    return list(zip((part.shape for part in tf.nest.flatten(spec)), wanted.values(), strict=False))


def _is_example(given: Any, example: Any) -> bool:
    """Whether a shape is that of a single example, which may lack a last dimension of 1."""
    if given.rank is None:
        return False
    if given.rank == example.rank:
        is_batch = example.rank > 0 and example[-1] == 1 and given[1:].is_compatible_with(example[:-1])
        return given.is_compatible_with(example) or not is_batch
    return bool(given.rank == example.rank - 1 and example[-1] == 1)


def _parts_of(dataset: Any) -> Iterator[Any]:
    """The data set and all those that it is made from."""
    yield dataset
    for source in dataset._inputs():
        yield from _parts_of(source)


def _kind(dataset: Any) -> str:
    return type(dataset).__name__.lstrip("_").removesuffix("V2").removesuffix("V1")


def _has_seed(shuffle: Any) -> bool:
    return bool(int(shuffle._seed) or int(shuffle._seed2))


def _functions(dataset: Any) -> Iterator[Any]:
    """The functions that a data set applies to its elements."""
    for attribute in vars(dataset).values():
        function = getattr(attribute, "function", None)
        if getattr(function, "graph", None) is not None:
            yield function


def _stateful_operations(dataset: Any) -> Iterator[Any]:
    """The operations in the functions of a data set that may have a state, such as a call of Python."""
    for function in _functions(dataset):
        for operation in function.graph.get_operations():
            if operation.op_def is None or (operation.op_def.is_stateful and not _is_reader(operation)):
                yield operation


def _is_reader(operation: Any) -> bool:
    """Whether an operation makes a data set without a state and without functions.

    Such operations are called stateful only to keep them from being folded into constants.
    """
    kind = operation.type.rstrip("V123")
    has_function = any(value.HasField("func") for value in operation.node_def.attr.values())
    return kind.endswith("Dataset") and not has_function and not kind.startswith(("Shuffle", "Random"))


def _is_random(operation: Any) -> bool:
    """Whether an operation draws random numbers from a generator of its own, which starts anew in each pass."""
    return operation.type.startswith("Random") and "seed2" in operation.node_def.attr


def _captures_state(dataset: Any) -> bool:
    """Whether a function of the data set refers to variables, tables or other data sets."""
    kinds = (tf.resource, tf.variant)
    return any(tensor.dtype in kinds for function in _functions(dataset) for tensor in function.captured_inputs)
