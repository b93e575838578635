"""Which channels are similar enough to be merged: k-means, and iterative merging of the closest pair."""

from __future__ import annotations

from typing import Literal

import numpy as np

from reds_core.arrays import FloatArray, IntArray

Method = Literal["k-means", "iterative"]
"""k-means: clusters with the least squared distances to their means, as far as a local search finds them; iterative:
the two closest clusters are merged again and again."""


def clustered(features: FloatArray, count: int, method: Method) -> IntArray:
    """Return the cluster of each channel, int64 (channels,), in the order of their first channels.

    There is no randomness: k-means starts from the clusters of Ward's method, which merges the pair of clusters that
    raises the squared distances least. Exact copies are always merged first.

    Args:
        features: One row for each channel, float64 (channels, features).
        count: The number of clusters, from 1 to the number of channels.
        method: How clusters are found.
    """
    if count == len(features):
        return np.arange(count, dtype=np.int64)
    features = _rotated(features)
    if method == "iterative":
        return _numbered(_agglomerated(features, count, "centroid"))
    start = _agglomerated(features, count, "ward")
    return _numbered(_improved(features, start, count))


def centres(features: FloatArray, clusters: IntArray) -> FloatArray:
    """Return the mean of the features of each cluster, float64 (clusters, features)."""
    members = np.eye(int(clusters.max()) + 1)[clusters]
    means: FloatArray = members.T @ features / members.sum(axis=0)[:, None]
    return means


def representatives(features: FloatArray, clusters: IntArray) -> IntArray:
    """Return the channel of each cluster that is nearest to its mean, int64 (clusters,).

    Of channels that are equally near, such as any two that are a cluster of their own, it is the largest.
    """
    distances = np.linalg.norm(features - centres(features, clusters)[clusters], axis=1)
    sizes = np.linalg.norm(features, axis=1)
    near = np.round(distances / max(float(sizes.max()), 1e-300), 9)
    own = [np.flatnonzero(clusters == cluster) for cluster in range(int(clusters.max()) + 1)]
    return np.array([min(channels, key=lambda i: (near[i], -sizes[i])) for channels in own], np.int64)


def _rotated(features: FloatArray) -> FloatArray:
    """Return features with the same distances, but no more of them than channels."""
    if features.shape[1] <= len(features):
        return features
    left, sizes, _ = np.linalg.svd(features, full_matrices=False)
    rotated: FloatArray = left * sizes
    return rotated


def _agglomerated(features: FloatArray, count: int, distance: Literal["ward", "centroid"]) -> IntArray:
    from scipy.cluster.hierarchy import linkage

    channels = len(features)
    members = {channel: [channel] for channel in range(channels)}
    for step, (one, other, *_) in enumerate(linkage(features, distance)[: channels - count]):
        members[channels + step] = members.pop(int(one)) + members.pop(int(other))
    clusters = np.zeros(channels, np.int64)
    for number, own in enumerate(members.values()):
        clusters[own] = number
    return clusters


def _improved(features: FloatArray, start: IntArray, count: int) -> IntArray:
    """Return the clusters at which Lloyd's algorithm stops, or those of the start if one of them would get empty."""
    from scipy.cluster.vq import kmeans, vq

    means, _ = kmeans(features, centres(features, start))
    if len(means) < count:
        return start
    clusters = np.asarray(vq(features, means)[0], np.int64)
    return clusters if len(np.unique(clusters)) == count else start


def _numbered(clusters: IntArray) -> IntArray:
    """Return the same clusters, numbered in the order of their first channels."""
    _, first, inverse = np.unique(clusters, return_index=True, return_inverse=True)
    numbers = np.argsort(np.argsort(first))
    return np.asarray(numbers[inverse], np.int64)
