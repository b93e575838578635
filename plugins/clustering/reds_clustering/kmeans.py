"""K-means in one dimension, of many columns of values at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray

MAX_ITERATIONS = 300
"""The most iterations of Lloyd's algorithm in a row. Networks need a few dozen."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which values of each column belong together.

    Attributes:
        codes: The cluster of each value, int64 (values, columns), from 0 in ascending order of the means.
        count: The number of clusters of each column, some of which may be empty.
        has_zero: For each column, whether one of its clusters stands for exactly 0, bool (columns,).
        zero_code: The code of that cluster where there is one, int64 (columns,).
    """

    codes: IntArray
    count: int
    has_zero: BoolArray
    zero_code: IntArray

    @classmethod
    def of(cls, values: FloatArray, count: int) -> Clusters:
        """Cluster the values of each column by k-means.

        The means start at equal distances between the least and the largest value of their column, as in Deep
        Compression (Han et al., arXiv 1510.00149), and Lloyd's algorithm improves them. A cluster that ends without
        values starts again at the value that is farthest from its mean. The squared error is thus never larger than
        that of the nearest of the initial means, but it need not be the least possible.

        Where a column has no more than `count` different values, each of them gets a cluster of its own. Where it has
        values that are exactly 0, the cluster with these stands for 0.

        Args:
            values: The values, float64 (values, columns).
            count: The number of clusters, at least 2.
        """
        ascending = np.sort(values, axis=0)
        means = _means(ascending, count)
        codes = np.zeros(values.shape, np.int64)
        for code in range(count - 1):
            codes += values > (means[code] + means[code + 1]) / 2
        return cls(codes, count, (ascending == 0).any(axis=0), np.argmin(np.abs(means), axis=0))

    def keeps_zeros(self, values: FloatArray) -> bool:
        """Whether values that are exactly 0 are all in clusters for 0, so that `shared` returns 0 for them.

        Args:
            values: The values, float64 (values, columns), in the order of `codes`.
        """
        return bool(np.all((values != 0) | (self.has_zero & (self.codes == self.zero_code))))

    def shared(self, values: FloatArray) -> FloatArray:
        """Return values of which those of each cluster are replaced by their mean, or by 0 in a cluster for 0.

        Args:
            values: The values, float64 (values, columns), in the order of `codes`.
        """
        columns = values.shape[1]
        places = (self.codes + self.count * np.arange(columns)).ravel()
        size = self.count * columns
        # Sums of differences from one value of the cluster are exactly 0 if all are equal, so that these do not change.
        some = np.zeros(size)
        some[places] = values.ravel()
        sums = np.bincount(places, values.ravel() - some[places], size)
        means = some + sums / np.maximum(np.bincount(places, minlength=size), 1)
        means[(self.zero_code + self.count * np.arange(columns))[self.has_zero]] = 0.0
        shared: FloatArray = means[places].reshape(values.shape)
        return shared


def _means(ascending: FloatArray, count: int) -> FloatArray:
    """Return the means of the clusters of sorted columns in ascending order (count, columns)."""
    if not len(ascending):
        return np.zeros((count, ascending.shape[1]))
    steps = np.arange(count)[:, None] / (count - 1)
    means: FloatArray = ascending[0] + (ascending[-1] - ascending[0]) * steps
    many = np.flatnonzero(~_few_different(ascending, count, means))
    if len(many):
        means[:, many] = _improved(ascending[:, many], means[:, many])
    return means


def _few_different(ascending: FloatArray, count: int, means: FloatArray) -> BoolArray:
    """Find columns of at most `count` different values, and set their means to these; the last repeats if necessary."""
    is_new = np.ones(ascending.shape, bool)
    is_new[1:] = ascending[1:] != ascending[:-1]
    rank = np.cumsum(is_new, axis=0) - 1
    few: BoolArray = rank[-1] < count
    columns = np.flatnonzero(few)
    own = np.repeat(ascending[-1:, columns], count, axis=0)
    np.put_along_axis(own, rank[:, columns], ascending[:, columns], axis=0)
    means[:, columns] = own
    return few


def _improved(ascending: FloatArray, means: FloatArray) -> FloatArray:
    """Return the means (count, columns) after Lloyd's algorithm, in which each cluster has values."""
    # Sums of stretches of the sorted values, relative to their middle so that little is lost by rounding.
    middle = ascending[len(ascending) // 2]
    sums = np.concatenate([np.zeros((1, ascending.shape[1])), np.cumsum(ascending - middle, axis=0)])
    for _ in range(len(means)):
        means, sizes = _converged(ascending, sums, middle, means)
        columns = np.flatnonzero((sizes == 0).any(axis=0))
        if not len(columns):
            break
        means = means.copy()
        # The farthest value is never at its mean, because a column has more different values than clusters.
        means[np.argmax(sizes[:, columns] == 0, axis=0), columns] = _farthest(ascending[:, columns], means[:, columns])
        means = np.sort(means, axis=0)
    return means


def _converged(
    ascending: FloatArray, sums: FloatArray, middle: FloatArray, means: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Return the means at which Lloyd's algorithm stops, and the number of values of each cluster."""
    ends = _ends(ascending, means)
    for _ in range(MAX_ITERATIONS):
        sizes = np.diff(ends, axis=0)
        totals = np.diff(np.take_along_axis(sums, ends, axis=0), axis=0)
        means = np.where(sizes > 0, middle + totals / np.maximum(sizes, 1), means)
        before, ends = ends, _ends(ascending, means)
        if np.array_equal(before, ends):
            break
    return means, np.diff(ends, axis=0)


def _ends(ascending: FloatArray, means: FloatArray) -> IntArray:
    """Return how many of the sorted values are nearest to the first j means, (count + 1, columns), by bisection."""
    middles = (means[1:] + means[:-1]) / 2
    low, high = np.zeros(middles.shape, np.int64), np.full(middles.shape, len(ascending))
    while np.any(low < high):
        at = (low + high) // 2
        is_below = (np.take_along_axis(ascending, np.minimum(at, len(ascending) - 1), axis=0) <= middles) & (low < high)
        low, high = np.where(is_below, at + 1, low), np.where(is_below, high, np.minimum(high, at))
    edge = np.zeros((1, means.shape[1]), np.int64)
    return np.concatenate([edge, low, edge + len(ascending)])


def _farthest(ascending: FloatArray, means: FloatArray) -> FloatArray:
    """Return the value of each column that is farthest from the nearest mean."""
    ends = _ends(ascending, means)
    places = np.arange(len(ascending))[:, None]
    codes = sum((places >= end).astype(np.int64) for end in ends[1:-1])
    errors = np.abs(ascending - np.take_along_axis(means, codes, axis=0))
    found: FloatArray = np.take_along_axis(ascending, np.argmax(errors, axis=0)[None], axis=0)[0]
    return found
