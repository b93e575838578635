"""Examples in memory and streams: takes, batches, samples, and reading that equals skipping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_streams import Loader

from reds_core.errors import InputError
from reds_core.framework.data import (
    Arrays,
    columns,
    each,
    each_batch,
    example_bytes,
    first_examples,
    joined,
    sampled,
)
from reds_core.framework.sources import BatchSource, SourceStream, stream_over


def numbered(count: int, form: str = "array") -> Arrays:
    one, two = np.arange(count, dtype=np.float32), np.arange(count * 2, dtype=np.uint8).reshape(count, 2)
    x: Any = {"array": one, "tuple": (one, two), "dict": {"one": one, "two": two}}[form]
    return Arrays(x, np.arange(count), np.arange(count, dtype=np.float32) / 2)


def numbers(data: Arrays) -> list[int]:
    """The numbers of the examples, which their labels repeat."""
    assert data.x.tolist() == data.y.tolist()
    return [int(number) for number in data.y]


FORMS = st.sampled_from(["array", "tuple", "dict"])


@given(st.data(), FORMS)
@settings(max_examples=60, deadline=None)
def test_nested_takes_are_one_take_of_taken_indices(data: st.DataObject, form: str) -> None:
    count = data.draw(st.integers(1, 20))
    first = np.asarray(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=20)), np.int64)
    second = np.asarray(data.draw(st.lists(st.integers(0, len(first) - 1), min_size=1, max_size=20)), np.int64)
    nested, at_once = numbered(count, form).take(first).take(second), numbered(count, form).take(first[second])
    for part, other in zip(columns(nested.x), columns(at_once.x), strict=True):
        np.testing.assert_array_equal(part, other)
    np.testing.assert_array_equal(nested.y, at_once.y)
    np.testing.assert_array_equal(nested.weights, at_once.weights)


@given(st.integers(1, 30), st.integers(1, 8), FORMS)
@settings(max_examples=60, deadline=None)
def test_batches_joined_are_the_examples(count: int, batch_size: int, form: str) -> None:
    data = numbered(count, form)
    again = joined(list(each_batch(data, batch_size)))
    assert type(again.x) is type(data.x)
    for part, other in zip(columns(again.x), columns(data.x), strict=True):
        np.testing.assert_array_equal(part, other)
        assert part.dtype == other.dtype
    np.testing.assert_array_equal(again.weights, data.weights)


def test_functions_apply_to_every_array() -> None:
    assert each(len, {"a": [1, 2], "b": [3]}) == {"a": 2, "b": 1}
    assert each(len, ([1, 2], [3])) == (2, 1)


def test_the_first_examples_are_read_no_further_than_needed() -> None:
    read: list[int] = []

    def batches() -> Iterator[Arrays]:
        for part in each_batch(numbered(100, "tuple"), 10):
            read.append(len(part))
            yield part

    assert len(first_examples(batches(), 25)) == 25
    assert len(read) == 3
    size = example_bytes(numbered(1, "tuple"))
    assert size == 4 + 2 + 8
    assert len(first_examples(batches(), 25, 12 * size)) == 12
    assert len(first_examples(batches(), 25, 1)) == 1


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_rewinding_forward_equals_reading(skips: list[int], samples: int) -> None:
    def fresh() -> Any:
        return stream_over(Loader(np.arange(20.0), np.arange(20), batch_size=6), "data")

    whole, jumping = fresh(), fresh()
    passes = [numbers(joined(list(whole.batches()))) for _ in range(sum(skips) + len(skips))]
    index = 0
    for skip in skips:
        index += skip
        jumping.rewind(index)
        for _ in range(samples):
            jumping.sample(3)
        assert numbers(joined(list(jumping.batches()))) == passes[index]
        index += 1


def test_the_sample_is_bounded_and_never_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reds_core.framework.sources.SAMPLE_EXAMPLES", 9)
    loader = Loader(np.arange(40.0), np.arange(40), batch_size=6)
    stream = stream_over(loader, "data")
    assert stream is not None
    assert loader.passes == 1
    assert len(sampled(stream, 100, 0)) == 9
    np.testing.assert_array_equal(sampled(stream, 4, 0).x, sampled(stream, 100, 1).x[:4])
    assert stream.batches_per_pass == 7
    assert loader.passes == 1


class Fixed(BatchSource):
    """The same batches in each pass, whose number is unknown."""

    is_fixed = True

    def __init__(self) -> None:
        self.passes = 0

    def read(self) -> Iterator[Any]:
        self.passes += 1
        return iter([(np.ones(3), np.arange(3)), (np.zeros(2), np.arange(2))])


def test_a_source_whose_passes_are_equal_is_not_read_to_skip_them() -> None:
    source = Fixed()
    stream = SourceStream(source)
    assert stream.batches_per_pass == 2
    stream.rewind(50)
    assert len(list(stream.batches())) == 2
    assert source.passes == 2


def test_what_a_mapped_stream_cannot_convert_is_told_with_its_batch() -> None:
    def refuse(batch: Arrays) -> Arrays:
        if len(batch) == 2:
            raise InputError("the data is of the wrong shape", "reshape it")
        return Arrays(batch.x + 1, batch.y)

    stream = SourceStream(Fixed())
    assert len(list(stream.mapped(lambda batch: batch).survey())) == 2
    mapped = stream.mapped(refuse)
    assert mapped.digest == stream.digest
    with pytest.raises(InputError, match=r"the data is of the wrong shape \(batch 2\); reshape it"):
        list(mapped.batches())


def test_no_batches_are_refused() -> None:
    with pytest.raises(InputError, match="the training data holds no batches"):
        stream_over(lambda: iter(()), "training data")


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ((np.zeros((2, 3)), [0, 1]), r"\(batch 2\) has examples of shape \(3,\), .* but the first .* of shape \(2,\)"),
        ((np.zeros((2, 2)), np.eye(3)[:2]), r"\(batch 2\) has .* labels of shape \(3,\) and no weights"),
        ((np.zeros((2, 2)), [0, 1], [1, 1]), r"\(batch 2\) has .* and weights, but the first .* and no weights"),
    ],
)
def test_batches_of_other_forms_are_refused(second: Any, message: str) -> None:
    with pytest.raises(InputError, match="the training data " + message):
        stream_over(lambda: iter([(np.zeros((2, 2)), [0, 1]), second]), "training data")


def test_a_pass_with_fewer_batches_than_the_first_is_refused() -> None:
    counts = iter([3, 2])
    stream = stream_over(lambda: ((np.zeros((2, 2)), [0, 1]) for _ in range(next(counts))), "training data")
    assert stream is not None
    with pytest.raises(InputError, match="the training data ended after 2 batches instead of 3"):
        list(stream.batches())


def test_errors_of_a_source_name_the_batch_and_keep_their_message() -> None:
    def batches() -> Iterator[Any]:
        yield np.zeros((2, 2)), [0, 1]
        raise RuntimeError("the disk is gone")

    with pytest.raises(InputError, match=r"the training data cannot be read \(batch 2\): RuntimeError: the disk is go"):
        stream_over(batches, "training data")
