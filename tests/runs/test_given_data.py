"""Data given as objects in Python: which parts are found in it, and how what does not fit is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sample_streams import Loader

from reds_core.errors import InputError
from reds_core.framework.data import Arrays, has_labels
from reds_core.framework.examples import examples_of
from reds_core.framework.sources import batch_of, stream_over
from reds_core.runs.dataset import Dataset
from reds_core.runs.given_data import Splits, given_data

X, Y, W = np.ones((6, 3), np.uint8), np.arange(6), np.ones(6)
X2, Y2 = np.zeros((4, 3), np.uint8), np.arange(4)
LOADER = Loader(X, Y)


class Tensor:
    """An array of a library that is not NumPy, as PyTorch has them."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> Any:
        return self._array


def found(data: Any) -> Dataset:
    dataset = given_data(data)
    assert isinstance(dataset, Dataset)
    return dataset


@pytest.mark.parametrize(
    "data",
    [
        ((X, Y), (X2, Y2)),
        [(X, Y), (X2, Y2)],
        [[X, Y], [X2, Y2]],
        ([X, Y], [X2, Y2]),
        ((X.tolist(), Y.tolist()), (X2.tolist(), Y2.tolist())),
        ((Tensor(X), Tensor(Y)), (Tensor(X2), Tensor(Y2))),
        ((X, Y, W), (X2, Y2)),
    ],
)
def test_pairs_of_examples_are_training_and_test_data(data: Any) -> None:
    dataset = found(data)
    assert (len(dataset.train), len(dataset.test)) == (6, 4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        (X, Y),
        [X, Y],
        (X.tolist(), Y.tolist()),
        (X, Y, W),
        ((X, Y), None),
        ([X, X], [Y, Y]),
        ([X, X], Y),
        ({"a": X, "b": X}, Y),
        ({"a": X, "b": X}, {"one": Y, "two": Y}, W),
    ],
)
def test_training_data_may_come_alone(data: Any) -> None:
    dataset = found(data)
    assert len(dataset.train) == 6  # type: ignore[arg-type]
    assert dataset.test is None


def test_tables_are_arrays() -> None:
    pandas = pytest.importorskip("pandas")
    table, column = pandas.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4, 5, 6]}), pandas.Series([0, 1, 0])
    for data in ((table, column), ((table, column), (table, column))):
        np.testing.assert_array_equal(found(data).train.x, [[1, 4], [2, 5], [3, 6]])  # type: ignore[union-attr]


def test_lists_become_tuples_and_dicts_keep_their_names() -> None:
    listed = found(([X, X[:, :2]], Y)).train
    assert [x.shape for x in listed.x] == [(6, 3), (6, 2)]  # type: ignore[union-attr]
    assert isinstance(listed.x, tuple)  # type: ignore[union-attr]
    named = found(({"a": X, "b": X[:, :2]}, {"one": Y, "two": Y})).train
    assert list(named.x) == ["a", "b"]  # type: ignore[union-attr]
    assert list(named.take(slice(2)).y) == ["one", "two"]  # type: ignore[union-attr]
    assert found(([X], Y)).train.x.shape == (6, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize("data", [LOADER, (LOADER, LOADER), (LOADER, None), (LOADER, (X, Y)), ((X, Y), LOADER), iter])
def test_objects_that_may_yield_batches_are_left_to_frameworks(data: Any) -> None:
    assert isinstance(given_data(data), Splits)


@pytest.mark.parametrize("data", [(X, Y), ((X, Y), (X2, Y2)), ({"a": X}, Y)])
def test_digests_follow_contents_names_and_weights(data: Any) -> None:
    digests = {found(data).digest, found((X, Y, W)).digest, found((X, Y, 2 * W)).digest, found(({"z": X}, Y)).digest}
    digests.add(found((X + 1, Y)).digest)
    assert found(data).digest == found(data).digest
    assert len(digests) >= 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((X, Y, X2, Y2), r"type tuple cannot be used as a data set \(its parts: ndarray\(6, 3\), ndarray\(6,\), nd"),
        ((X, Y2), "the training data of 'arrays' has 6 examples and 4 labels; give one label per example"),
        (({"a": X, "b": X2}, Y), "have different numbers of examples: 'a' 6, 'b' 4 with labels 6"),
        (({"a": X, "b": [X, X]}, Y), "the examples 'b' of the training data of 'arrays' are a list of arrays"),
        (({"a": X, "b": ["x"] * 6}, Y), "the examples 'b' of the training data of 'arrays' are of type <U1, not num"),
        (([X, X.astype(object)], Y), "the examples number 2 of the training data of 'arrays' are of type object"),
        (([[1, 2], [3]], [0, 1]), "the training data of 'arrays' cannot become one array (their shapes differ)"),
        ((X, Y, W[:4]), "the sample weights of the training data of 'arrays' have shape (4,)"),
        ((X, Y, -W), "the sample weights of the training data of 'arrays' are not all 0 or more"),
        ((X, Y, W * np.nan), "the sample weights of the training data of 'arrays' hold NaN"),
        ((X, Y, {"one": W}), "the sample weights of the training data of 'arrays' are a dict"),
        (({}, Y), "the examples of the training data of 'arrays' are an empty dict"),
        (((X, Y), (X2[:, :2], Y2)), "training and test examples of 'arrays' have different shapes, (3,) and (2,)"),
        ((({"a": X}, Y), ({"b": X2}, Y2)), "have different shapes, 'a' (3,) and 'b' (3,)"),
    ],
)
def test_what_does_not_fit_is_told_by_what_it_is(data: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        given_data(data)
    assert message.replace("\\", "") in str(caught.value)


def test_batches_are_checked_and_named() -> None:
    def batches() -> Any:
        yield X, Y
        yield X * np.nan, Y

    with pytest.raises(InputError, match=r"the data \(batch 2\) hold NaN"):
        stream_over(batches, "data")
    for batch, message in (
        ({"x": X, "y": Y}, "is a dict of 'x', 'y' without labels"),
        (X, "is of type ndarray without labels"),
        ((X,), "has 1 parts"),
    ):
        with pytest.raises(InputError) as caught:
            batch_of(batch, "batch 1")
        assert message in str(caught.value)


def test_a_function_that_needs_arguments_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be called without arguments"):
        stream_over(lambda x: x, "data")


def test_small_types_stay_and_labels_become_plain() -> None:
    data = examples_of(X, Y.astype(np.int32)[:, None], W)
    assert isinstance(data, Arrays)
    assert (data.x.dtype, data.y.dtype, data.y.shape, data.weights.dtype) == (np.uint8, np.int64, (6,), np.float32)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "data",
    [
        (X, X2),
        [X, X2],
        ((X,), (X2,)),
        ((X, Y), (X2, Y2)),
        ((X, None), (X2, None)),
        ((X, Y, W), X2),
        ((X, None, W), (X2,)),
    ],
)
def test_parts_without_labels(data: Any) -> None:
    dataset = given_data(data, labelled=False)
    assert isinstance(dataset, Dataset)
    for part, x in ((dataset.train, X), (dataset.test, X2)):
        assert isinstance(part, Arrays)
        assert not has_labels(part)
        assert np.array_equal(part.x, x)
    weights = isinstance(data[0], tuple) and len(data[0]) == 3
    assert (dataset.train.weights is not None) == weights  # type: ignore[union-attr]


def test_labels_that_are_left_out_do_not_change_the_digest() -> None:
    digests = {given_data(data, labelled=False).digest for data in ((X, X2), ((X, Y), (X2, Y2)), ((X, 1 - Y), X2))}  # type: ignore[union-attr]
    assert len(digests) == 1


def test_several_inputs_and_one_part_without_labels() -> None:
    named = given_data({"a": X, "b": W}, labelled=False)
    assert isinstance(named, Dataset)
    assert list(named.train.x) == ["a", "b"]  # type: ignore[union-attr]
    assert named.test is None
    paired = given_data((((X, W),), ((X2, W[:4]),)), labelled=False)
    assert isinstance(paired, Dataset)
    assert len(paired.train.x) == 2  # type: ignore[union-attr]


def test_batches_without_labels() -> None:
    for batch in (X, (X,), (X, Y), (X, None), [X, Y, W], {"a": X}, Arrays(X, Y)):
        found = batch_of(batch, "batch 1", labelled=False)
        assert not has_labels(found)
        assert (found.weights is not None) == (isinstance(batch, list))
    stream = stream_over(lambda: iter([(X, Y), (X, Y)]), "data", labelled=False)
    assert stream is not None
    assert not has_labels(stream.sample(2))
    assert stream.digest == stream_over(lambda: iter([X, X]), "data", labelled=False).digest  # type: ignore[union-attr]
    for wrong in (3, (), (X, Y, W, W)):
        with pytest.raises(InputError, match="give x, "):
            batch_of(wrong, "batch 1", labelled=False)
    with pytest.raises(InputError, match="cannot be used as a data set"):
        given_data((X, 3), labelled=False)
