"""The examples that scorers look at."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reds_scorers.examples import training_examples

from reds_core.errors import InputError
from reds_core.framework import Arrays


def labelled(y: npt.NDArray[Any]) -> Arrays:
    return Arrays(np.arange(len(y), dtype=np.float32)[:, None], y)


def forms(classes: list[int]) -> list[npt.NDArray[Any]]:
    """The same classes as numbers, in a column, and one-hot."""
    y = np.array(classes)
    return [y, y[:, None], np.eye(5)[y]]


@given(st.lists(st.integers(0, 4), min_size=2, max_size=60), st.integers(1, 59), st.integers(0, 9))
def test_classes_are_drawn_in_turn(classes: list[int], examples: int, seed: int) -> None:
    examples = min(examples, len(classes) - 1)
    for y in forms(classes):
        data = labelled(y)
        drawn = training_examples("any", data, examples, seed)
        assert len(drawn) == examples
        at = drawn.x[:, 0].astype(int)
        assert np.all(np.diff(at) > 0)
        np.testing.assert_array_equal(drawn.y, y[at])
        total, found = np.bincount(classes, minlength=5), np.bincount(np.array(classes)[at], minlength=5)
        # a class has fewer than another's less one only where it has no more
        assert all(found[c] == total[c] or found[c] >= found.max() - 1 for c in range(5))


def test_the_seed_draws_and_every_form_of_labels_draws_alike() -> None:
    classes = list(range(5)) * 8
    first = [training_examples("any", labelled(y), 10, 3).x for y in forms(classes)]
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(first[0], first[2])
    assert not np.array_equal(first[0], training_examples("any", labelled(np.array(classes)), 10, 4).x)


@pytest.mark.parametrize(
    "y",
    [
        np.linspace(0, 1, 20),
        np.random.default_rng(0).normal(size=(20, 3)),
        np.random.default_rng(0).integers(0, 2, (20, 3)),
    ],
)
def test_labels_that_are_no_classes_are_drawn_all_the_same(y: npt.NDArray[Any]) -> None:
    assert len(training_examples("any", labelled(y), 7, 0)) == 7


@pytest.mark.parametrize("examples", [0, 12, 13])
def test_all_examples_are_the_data_themselves(examples: int) -> None:
    data = labelled(np.zeros(12, np.int64))
    assert training_examples("any", data, examples, 0) is data


def test_without_data_the_scorer_is_named() -> None:
    with pytest.raises(InputError, match=r"'any' needs training data; give data, or scorer=.magnitude."):
        training_examples("any", None, 0, 0)
