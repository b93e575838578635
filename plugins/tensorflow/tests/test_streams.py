"""Streams over data sets of TensorFlow and Keras: what is read, that it is always the same, and what is refused."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.errors import RedsError
from reds_core.framework import Stream

COUNT = 24
X = np.arange(COUNT * 4, dtype=np.uint8).reshape(COUNT, 2, 2, 1)
Y = np.arange(COUNT) % 3


def model_of(*shapes: tuple[int | None, ...], names: tuple[str, ...] = ("image", "meta")) -> Any:
    inputs = [keras.Input(shape, name=name) for shape, name in zip(shapes, names, strict=False)]
    flat = [keras.layers.Flatten()(tensor) for tensor in inputs]
    joined = flat[0] if len(flat) == 1 else keras.layers.Concatenate()(flat)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], keras.layers.Dense(3)(joined))


MODEL = model_of((2, 2, 1))


def stream_of(source: Any, model: Any = MODEL, batch_size: int = 5) -> Stream:
    found = TensorFlowFramework().stream(source, model, batch_size, "training data")
    assert found is not None
    return found


def refusal(source: Any) -> str:
    with pytest.raises(RedsError) as caught:
        for _ in stream_of(source).batches():
            pass
    return str(caught.value)


def pairs() -> Any:
    return tf.data.Dataset.from_tensor_slices((X, Y))


def read(stream: Stream) -> list[npt.NDArray[Any]]:
    return [np.asarray(batch.x) for batch in stream.batches()]


def noisy(x: Any, y: Any) -> Any:
    return tf.cast(x, tf.float32) + tf.random.uniform(tf.shape(x), seed=3), y


def with_variable() -> Any:
    state = tf.random.Generator.from_seed(5)
    return pairs().shuffle(9, seed=1).map(lambda x, y: (tf.cast(x, tf.float32) + state.normal(()), y)).batch(5)


def with_python() -> Any:
    rng = np.random.default_rng(1)

    def examples() -> Any:
        order = rng.permutation(COUNT)
        yield from zip(X[order], Y[order], strict=True)

    spec = (tf.TensorSpec((2, 2, 1), tf.uint8), tf.TensorSpec((), tf.int64))
    return tf.data.Dataset.from_generator(examples, output_signature=spec)


class Images(keras.utils.PyDataset):  # type: ignore[misc]
    """Images in a new order after each pass, with noise that is drawn while they are read."""

    def __init__(self) -> None:
        super().__init__()
        self._rng = np.random.default_rng(3)
        self._order = np.arange(COUNT)
        self.ends = 0

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        part = self._order[index * 5 : index * 5 + 5]
        return X[part] + self._rng.normal(size=(len(part), 1, 1, 1)), Y[part]

    def on_epoch_end(self) -> None:
        self.ends += 1
        self._rng.shuffle(self._order)


SOURCES: dict[str, Callable[[], Any]] = {
    "fixed": lambda: pairs().batch(5),
    "single": pairs,
    "shuffled": lambda: pairs().shuffle(10, seed=4, reshuffle_each_iteration=True).batch(5).prefetch(2),
    "shuffled twice": lambda: pairs().shuffle(10, seed=4).batch(5).shuffle(3, seed=8),
    "shuffled once": lambda: pairs().shuffle(10, seed=4, reshuffle_each_iteration=False),
    "shuffled before a cache": lambda: pairs().shuffle(10, seed=4).cache().batch(5),
    "shuffled after a cache": lambda: pairs().cache().shuffle(10, seed=4),
    "repeated": lambda: pairs().shuffle(10, seed=4).repeat(2),
    "concatenated": lambda: pairs().shuffle(9, seed=4).concatenate(pairs().shuffle(9, seed=5)),
    "zipped": lambda: tf.data.Dataset.zip(
        (tf.data.Dataset.from_tensor_slices(X).shuffle(9, seed=1), tf.data.Dataset.from_tensor_slices(Y))
    ),
    "filtered": lambda: pairs().filter(lambda x, y: y > 0).shuffle(10, seed=4),
    "interleaved": lambda: (
        tf.data.Dataset.range(3).interleave(lambda i: pairs().skip(i).take(7).shuffle(5, seed=2)).shuffle(4, seed=1)
    ),
    "interleaved outer": lambda: (lambda inner: tf.data.Dataset.range(2).flat_map(lambda _: inner))(
        pairs().shuffle(20, seed=2)
    ),
    "interleaved with a random map": lambda: tf.data.Dataset.range(3).interleave(
        lambda i: pairs().skip(i).take(7).shuffle(5, seed=2).map(noisy)
    ),
    "random map": lambda: pairs().shuffle(9, seed=1).map(noisy).batch(5),
    "generator of random numbers": with_variable,
    "Python": with_python,
    "PyDataset": Images,
}


SAME_IN_EACH_PASS = {"fixed", "single", "shuffled once", "shuffled before a cache", "interleaved with a random map"}


@pytest.mark.parametrize("name", SOURCES)
def test_rewinding_in_another_process_equals_reading(name: str) -> None:
    stream = stream_of(SOURCES[name]())
    passes = [read(stream) for _ in range(4)]
    assert len(passes[0]) == stream.batches_per_pass
    for start in range(4):
        other = stream_of(SOURCES[name]())
        other.rewind(start)
        other.sample(3)
        for expected in passes[start:]:
            for batch, other_batch in zip(expected, read(other), strict=True):
                np.testing.assert_array_equal(batch, other_batch)
    if name not in SAME_IN_EACH_PASS:
        assert any(not np.array_equal(a, b) for a, b in zip(*passes[:2], strict=True))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(1, COUNT))
@settings(max_examples=15, deadline=None)
def test_any_skips_forward_equal_reading(skips: list[int], buffer: int) -> None:
    def fresh() -> Stream:
        return stream_of(pairs().shuffle(buffer, seed=2).batch(7))

    whole, jumping = fresh(), fresh()
    passes = [read(whole) for _ in range(sum(skips) + len(skips))]
    index = 0
    for skip in skips:
        index += skip
        jumping.rewind(index)
        for batch, other in zip(passes[index], read(jumping), strict=True):
            np.testing.assert_array_equal(batch, other)
        index += 1


@pytest.mark.parametrize("name", SOURCES)
def test_equal_sources_have_equal_digests(name: str) -> None:
    assert stream_of(SOURCES[name]()).digest == stream_of(SOURCES[name]()).digest != ""


def test_other_contents_types_or_counts_have_other_digests() -> None:
    others = [
        pairs().batch(5),
        pairs().batch(6),
        pairs().take(20).batch(5),
        pairs().map(lambda x, y: (x + 1, y)).batch(5),
    ]
    others.append(pairs().map(lambda x, y: (tf.cast(x, tf.float32), y)).batch(5))
    assert len({stream_of(other).digest for other in others}) == len(others)


def test_a_shuffle_without_a_seed_is_identified_by_what_is_known() -> None:
    tf.random.set_seed(None)  # an earlier test may have set the global seed, from which shuffles take theirs
    assert stream_of(pairs().shuffle(COUNT)).digest == stream_of(pairs().shuffle(COUNT)).digest


@pytest.mark.parametrize("name", ["fixed", "single"])
def test_all_examples_come_in_batches_with_their_types(name: str) -> None:
    stream = stream_of(SOURCES[name]())
    batches = list(stream.batches())
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 4]
    assert {batch.x.dtype for batch in batches} == {np.dtype(np.uint8)}
    np.testing.assert_array_equal(np.concatenate([batch.x for batch in batches]), X)
    np.testing.assert_array_equal(np.concatenate([batch.y for batch in batches]), Y)
    np.testing.assert_array_equal(stream.sample(7).x, X[:7])


def test_unknown_numbers_of_batches_are_counted() -> None:
    assert stream_of(pairs().filter(lambda x, y: y > 0).batch(5)).batches_per_pass == 4


def test_a_batch_is_told_from_an_example_without_its_last_dimension() -> None:
    without = tf.data.Dataset.from_tensor_slices((X[..., 0], Y))
    assert stream_of(without).sample(100).x.shape == (COUNT, 2, 2)
    assert [len(b) for b in stream_of(without).batches()] == [5, 5, 5, 5, 4]
    assert [len(b) for b in stream_of(without.batch(12)).batches()] == [12, 12]
    assert [len(b) for b in stream_of(pairs(), model=None).batches()] == [5, 5, 5, 5, 4]


def test_several_inputs_and_weights_keep_their_names_and_order() -> None:
    model = model_of((2, 2, 1), (4,))
    meta = np.arange(COUNT * 4, dtype=np.float32).reshape(COUNT, 4)
    weights = np.linspace(0, 1, COUNT)
    named = tf.data.Dataset.from_tensor_slices(({"meta": meta, "image": X}, Y, weights))
    batch = next(stream_of(named, model).batches())
    np.testing.assert_array_equal(batch.x["image"], X[:5])
    np.testing.assert_array_equal(batch.x["meta"], meta[:5])
    np.testing.assert_array_equal(batch.weights, weights[:5].astype(np.float32))
    listed = next(stream_of(tf.data.Dataset.from_tensor_slices(((X, meta), Y)), model).batches())
    assert [x.shape for x in listed.x] == [(5, 2, 2, 1), (5, 4)]


def test_record_files_are_read(tmp_path: Any) -> None:
    path = str(tmp_path / "data.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for image in X:
            writer.write(tf.io.serialize_tensor(image).numpy())

    def decoded(record: Any) -> Any:
        return tf.ensure_shape(tf.io.parse_tensor(record, tf.uint8), (2, 2, 1)), 0

    stream = stream_of(tf.data.TFRecordDataset([path]).map(decoded))
    np.testing.assert_array_equal(np.concatenate(read(stream)), X)


def test_the_end_of_each_pass_is_told_to_a_py_dataset() -> None:
    images = Images()
    stream = stream_of(images)
    for passes in range(3):
        read(stream)
        assert images.ends == passes


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            lambda: pairs().repeat(),
            "the training data is a tf.data.Dataset without an end; end each pass with .take(n)",
        ),
        (lambda: tf.data.Dataset.from_tensor_slices(X), "an element of the training data is of the form TensorSpec"),
        (lambda: tf.data.Dataset.from_tensor_slices({"a": X, "b": Y}), "is a dict of 'a', 'b'; map it to (x, y)"),
        (lambda: pairs().take(0), "the training data holds no batches"),
        (lambda: pairs().batch(5).map(lambda x, y: (x, y, y, y)), "of the form"),
        (
            lambda: tf.data.Dataset.from_tensor_slices((np.where(X > 60, np.nan, X), Y)).batch(5),
            "the training data (batch 4) hold NaN or infinite numbers",
        ),
        (
            lambda: tf.data.Dataset.from_tensor_slices((tf.ragged.constant([[1], [1, 2]]), [0, 1])),
            "the training data holds RaggedTensors",
        ),
    ],
)
def test_what_cannot_be_read_is_told_by_what_it_is(source: Callable[[], Any], message: str) -> None:
    assert message in refusal(source())


def test_other_objects_are_left_to_others() -> None:
    assert TensorFlowFramework().stream([1, 2], MODEL, 5, "data") is None


def test_data_sets_of_tensorflow_datasets_are_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load(name: str, split: list[str], **options: Any) -> Any:
        asked.append((name, split, options))
        if name == "strange":
            raise ValueError("no such data set")
        return [pairs(), pairs().take(6)]

    module = types.ModuleType("tensorflow_datasets")
    module.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)
    train, test = TensorFlowFramework().load_dataset("tfds:some/1.0.0")
    assert asked[0][:2] == ("some/1.0.0", ["train", "test"])
    assert asked[0][2]["as_supervised"]
    stream = stream_of(train)
    first, second = (np.concatenate(read(stream)) for _ in range(2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(np.sort(first, axis=0), X)
    np.testing.assert_array_equal(np.concatenate(read(stream_of(test))), X[:6])
    with pytest.raises(RedsError, match="data set 'tfds:strange' cannot be loaded"):
        TensorFlowFramework().load_dataset("tfds:strange")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(RedsError, match="needs tensorflow-datasets, which is not installed; run: pip install"):
        TensorFlowFramework().load_dataset("tfds:some")
