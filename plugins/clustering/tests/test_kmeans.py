"""K-means in one dimension: what it guarantees, and how near it comes to the optimum."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from reds_clustering.kmeans import Clusters

from reds_core.arrays import FloatArray

COUNTS = (2, 4, 16)
VALUES = st.floats(-100, 100, width=32).map(lambda value: 0.0 if abs(value) < 1e-3 else value)
COLUMNS = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 40), st.integers(1, 4)), elements=VALUES, fill=st.nothing()
)


def clustered(values: FloatArray, count: int) -> FloatArray:
    return Clusters.of(values, count).shared(values)


def squared_error(values: FloatArray, count: int) -> float:
    return float(((values - clustered(values, count)) ** 2).sum())


def least_error(values: FloatArray, count: int) -> float:
    """The least squared error of any clustering of one column, by dynamic programming over the sorted values."""
    ascending = np.sort(values.ravel())
    places = len(ascending)
    errors = np.full((count + 1, places + 1), np.inf)
    errors[:, 0] = 0
    for clusters in range(1, count + 1):
        for end in range(1, places + 1):
            for start in range(end):
                own = ascending[start:end]
                errors[clusters, end] = min(
                    errors[clusters, end], errors[clusters - 1, start] + ((own - own.mean()) ** 2).sum()
                )
    return float(errors[count, places])


def linear_error(values: FloatArray, count: int) -> float:
    """The squared error of one column if each value becomes the nearest of `count` values at equal distances."""
    grid = np.linspace(values.min(), values.max(), count)
    return float((np.abs(values.reshape(-1, 1) - grid).min(axis=1) ** 2).sum())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("count", "places"), [(2, 30), (4, 30), (16, 24)])
def test_its_error_lies_between_the_optimum_and_that_of_the_initial_means(seed: int, count: int, places: int) -> None:
    values = np.random.default_rng(seed).normal(size=(places, 1))
    error = squared_error(values, count)
    least = least_error(values, count)
    assert least * (1 - 1e-9) <= error <= linear_error(values, count)
    assert error <= 2 * least + 1e-12  # a local optimum that is far from the global one would be a mistake


@settings(max_examples=60, deadline=None)
@given(COLUMNS, st.sampled_from(COUNTS))
def test_columns_have_few_values_and_stay_what_they_are_when_clustered_again(values: FloatArray, count: int) -> None:
    found = clustered(values, count)
    assert found.shape == values.shape
    for column in range(values.shape[1]):
        assert len(np.unique(found[:, column])) <= count
        assert np.array_equal(clustered(values[:, [column]], count)[:, 0], found[:, column])
    assert np.array_equal(clustered(found, count), found)
    assert np.all(found[values == 0] == 0)
    assert np.all(found >= values.min(axis=0))
    assert np.all(found <= values.max(axis=0))


@settings(max_examples=60, deadline=None)
@given(COLUMNS, st.sampled_from(COUNTS))
def test_the_error_is_never_larger_than_that_of_the_initial_means(values: FloatArray, count: int) -> None:
    values = values + 1000  # without zeros, whose mean would be fixed
    for column in values.T:
        error = squared_error(column[:, None], count)
        assert error <= linear_error(column, count) * (1 + 1e-9) + 1e-9


@settings(max_examples=60, deadline=None)
@given(COLUMNS, st.sampled_from(COUNTS))
def test_clusters_are_stretches_of_the_sorted_values(values: FloatArray, count: int) -> None:
    codes = Clusters.of(values, count).codes
    assert codes.min() >= 0
    assert codes.max() < count
    for column in range(values.shape[1]):
        order = np.argsort(values[:, column], kind="stable")
        assert np.all(np.diff(codes[order, column]) >= 0)
        ties = np.diff(values[order, column]) == 0
        assert np.all(np.diff(codes[order, column])[ties] == 0)


def test_two_groups_of_values_are_found() -> None:
    values = np.array([[1.0], [-2.0], [1.2], [-2.2], [-2.4]])
    assert Clusters.of(values, 2).codes.ravel().tolist() == [1, 0, 1, 0, 0]
    assert np.allclose(clustered(values, 2).ravel(), [1.1, -2.2, 1.1, -2.2, -2.2])


def test_no_more_different_values_than_clusters_do_not_change() -> None:
    """Initial means at equal distances would merge 0.1 and 0.2, and the sum of three times 0.1 is not 0.3."""
    values = np.array([[0.1, 5.0], [0.2, 0.1], [7.0, 5.0], [0.2, 0.1], [1 / 3, 0.1]])
    assert sum([0.1] * 3) / 3 != 0.1
    assert np.array_equal(clustered(values, 4), values)


def test_a_cluster_without_values_is_put_to_use() -> None:
    """Of the four initial means 1, 34, 67 and 100, those in the middle have no values."""
    values = np.array([[1.0], [2.0], [5.0], [6.0], [9.0], [100.0]])
    assert np.allclose(clustered(values, 4).ravel(), [1.5, 1.5, 5.5, 5.5, 9.0, 100.0])


def test_zeros_stay_zeros_and_take_one_cluster() -> None:
    values = np.array([[0.0], [0.0], [0.0], [1.0], [2.0], [-4.0], [-5.0], [1.5]])
    clusters = Clusters.of(values, 4)
    found = clusters.shared(values)
    assert np.all(found[:3] == 0)
    assert len(np.unique(found)) <= 4
    assert (clusters.has_zero.tolist(), clusters.zero_code.tolist()) == ([True], [int(clusters.codes[0, 0])])
    assert not Clusters.of(values + 10, 4).has_zero.any()


def test_values_can_be_shared_by_clusters_of_other_values() -> None:
    """In training, clusters stay what they were at the start, whereas the values move on."""
    clusters = Clusters.of(np.array([[1.0], [2.0], [8.0], [9.0]]), 2)
    assert clusters.shared(np.array([[5.0], [7.0], [1.0], [2.0]])).ravel().tolist() == [6.0, 6.0, 1.5, 1.5]


@pytest.mark.parametrize("shape", [(0, 3), (5, 0), (1, 3)])
def test_tables_without_values_or_columns_are_possible(shape: tuple[int, int]) -> None:
    values = np.ones(shape)
    assert np.array_equal(clustered(values, 4), values)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_scale_of_the_values_does_not_matter(scale: float) -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    assert np.allclose(clustered(values * scale, 4), clustered(values, 4) * scale, rtol=1e-9, atol=0)
