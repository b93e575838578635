"""The coefficients of merged channels in the weights that compute them, and the repair of their statistics.

A channel that is the mean of channels which are not perfectly correlated varies less than these, so that everything
behind it sees values that are too small (variance collapse: Jordan et al., REPAIR, arXiv 2211.08403). For a cluster of
n channels behind a batch norm, let z_c be what the kernel computes, with running mean m_c and variance v_c, and let

    y_c = a_c (z_c - m_c) + b_c,   a_c = g_c / sqrt(v_c + epsilon),

be what the batch norm makes of it. Merging takes the mean of the y_c. It is computed by a kernel that is the sum of
w_c times those of the channels, with the same coefficients for biases and running means, and by a batch norm with the
offset b' = mean(b_c), the scale g' and the variance v', where

    g' = mean |g_c|, with the sign of the sum of the g_c,
    w_c = (a_c / n) sqrt(mean(v_c + epsilon)) / g',

so that with v' = mean(v_c) it is exactly that mean. Each y_c has standard deviation |g_c|, and g' is their mean, which
is what REPAIR restores. The batch norm reaches it as soon as v' is the variance that its input really has. With data it
is measured. Without data it is

    v' = sum over c, d of w_c w_d sqrt(v_c v_d) r_cd,

where r_cd is the correlation of z_c and z_d. For inputs that are uncorrelated and vary equally, it is the cosine of the
angle between the kernels of c and d. If all channels of the cluster have the same variance and scale, and R is the mean
correlation of two different channels, this is v (1 + (n - 1) R) / n, and the output is scaled by
sqrt(n / (1 + (n - 1) R)): the approximate repair of model folding (Wang et al., arXiv 2502.10216, Fold-AR). Copies have
correlation 1, so that v' = v and nothing is changed.

A batch norm that has no kernel before it, such as one behind an addition, reads merged channels instead of computing
them. It gets the mean of the slopes a_c, and v' from the correlations of all kernels that compute the channels.

Where channels pass no batch norm, nothing tells by how much and around which mean they vary, so their means are left as
they are. Scaling their kernels by the same argument moves their means as well, which made networks worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_merging.producers import BatchNorm, Producer


def coefficients(producers: Sequence[Producer], clusters: IntArray, repairs: bool) -> dict[int, FloatArray]:
    """Return the coefficients of weights in which merged channels are not plain means, by index of the weight.

    Args:
        producers: What computes the channels of the group.
        clusters: The cluster of each channel.
        repairs: Whether the shrunk variance is corrected.

    Returns:
        For each of these weights a matrix, float64 (clusters, channels).
    """
    found: dict[int, FloatArray] = {}
    kernels = [producer.sloped for producer in producers if producer.rows is not None]
    together = np.concatenate(kernels, axis=1) if kernels else np.zeros((len(clusters), 0))
    for producer in producers:
        if producer.norm is not None:
            found.update(_normalised(producer, producer.norm, together, clusters, repairs))
    return found


def means(clusters: IntArray) -> FloatArray:
    """Return the matrix that takes the mean of each cluster, float64 (clusters, channels)."""
    members = np.eye(int(clusters.max()) + 1)[clusters].T
    plain: FloatArray = members / members.sum(axis=1, keepdims=True)
    return plain


def _merged(clusters: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Yield each cluster of more than one channel with its channels."""
    for cluster in range(int(clusters.max()) + 1):
        own = np.flatnonzero(clusters == cluster)
        if len(own) > 1:
            yield cluster, own


def _normalised(
    producer: Producer, norm: BatchNorm, together: FloatArray, clusters: IntArray, repairs: bool
) -> Iterator[tuple[int, FloatArray]]:
    """Yield the coefficients of a batch norm, and of the kernel that it is folded into."""
    plain = means(clusters)
    inner, scale, variance = plain.copy(), plain.copy(), plain.copy()
    is_folded = producer.rows is not None
    rows = together if producer.rows is None else producer.rows
    for cluster, own in _merged(clusters):
        scales, variances = norm.scale[own], norm.variance[own]
        root = np.sqrt(variances.mean() + norm.epsilon)
        if is_folded:
            sign = -1.0 if scales.sum() < 0 else 1.0
            target = sign * float(np.abs(scales).mean())
            scale[cluster, own] = sign * np.sign(scales) / len(own)
            if target:
                inner[cluster, own] = norm.slope[own] * root / (len(own) * target)
        else:
            scale[cluster, own] = root / np.sqrt(variances + norm.epsilon) / len(own)
        if repairs and variances.mean() > 0:
            spread = inner[cluster, own] * np.sqrt(variances)
            reached = float(spread @ _correlations(rows[own]) @ spread)
            variance[cluster, own] = reached / variances.mean() / len(own)
    yield norm.variance_at, variance
    if norm.scale_at is not None:
        yield norm.scale_at, scale
    if is_folded:
        yield norm.mean_at, inner
        yield from ((index, inner) for index in producer.weights)


def _correlations(rows: FloatArray) -> FloatArray:
    """Return the cosines of the angles between rows, float64 (rows, rows). A row of zeros has 0 with all others."""
    sizes = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(sizes > 0, sizes, 1.0)
    cosines: FloatArray = unit @ unit.T
    np.fill_diagonal(cosines, 1.0)
    return cosines
