"""Factors of matrices and kernels of low rank that change what a layer computes the least.

All of them come from eigenvectors of a symmetric matrix whose side is the smaller one of what is decomposed. That is
exact enough in double precision and several times faster than a singular value decomposition, which matters because a
training decomposes every kernel in every step.

Factors depend on their product alone, whatever it was decomposed from. What later transforms make of the factors, such
as integers of a few bits, is therefore the same in a training, which keeps the product, and in a file.
"""

from __future__ import annotations

import numpy as np

from reds_core.arrays import BoolArray, FloatArray

NEGLIGIBLE = 1e-6
"""Share of the largest singular value up to which one counts as zero; its vectors would be those of rounding errors."""
RIDGE = 1e-6
"""Share of the mean second moment that is added to each, so that channels that were always zero keep some weight."""


def split(matrix: FloatArray, rank: int, moments: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Return two matrices, (rows, rank) and (rank, columns), whose product is the nearest one of that rank.

    Without moments, the product is the truncated singular value decomposition, which has the least squared error of all
    matrices of the rank (Eckart and Young, 1936). With moments, the error of `x @ matrix` is the least on average. The
    factors are the singular vectors of the product, each times the root of its singular value, so that neither needs a
    wider range of numbers than the other.

    Args:
        matrix: The matrix, which is multiplied by row vectors x from the left.
        rank: The rank. Beyond that of the matrix, the factors have columns and rows of zeros.
        moments: The mean of x^T x, (c, c) and positive definite, where the rows of the matrix are any number of blocks
            of c rows. Inputs of different blocks are taken to be uncorrelated. None if all inputs count the same.
    """
    rows, columns = matrix.shape
    if rank >= min(rows, columns):
        eye = np.eye(min(rows, columns))
        left, right = (matrix, eye) if columns <= rows else (eye, matrix)
        missing = rank - len(eye)
        return np.pad(left, ((0, 0), (0, missing))), np.pad(right, ((0, missing), (0, 0)))
    if columns <= rows:
        basis = _leading(matrix.T @ _weighted(matrix, moments), rank)
    else:
        seen = matrix if moments is None else _weighted(matrix, _root(moments))
        # Rounding would leave small singular values with bases that are not orthogonal.
        basis = np.linalg.qr(seen.T @ _leading(seen @ seen.T, rank))[0]
    reduced = matrix @ basis
    turn = _leading(reduced.T @ reduced, rank)
    left, right = reduced @ turn, basis @ turn
    values = np.linalg.norm(left, axis=0)
    counted, signs = _counts(values), _signs(right)
    left = left * signs / np.sqrt(np.where(counted, values, np.inf))
    return left, (right * signs * np.sqrt(np.where(counted, values, 0.0))).T


def tucker(
    kernel: FloatArray, ranks: tuple[int, int], moments: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the Tucker-2 decomposition of a kernel by its input and output channels.

    What it composes is the sequentially truncated higher-order singular value decomposition (Vannieuwenhoven et al.,
    2012), first of the output channels and then of the input channels. The factors are the higher-order singular value
    decomposition of that (De Lathauwer et al., 2000).

    Args:
        kernel: The kernel, (offsets, inputs, outputs).
        ranks: The ranks r of the input channels and s of the output channels. Beyond the numbers of channels, factors
            are filled up with zeros.
        moments: The second moments of the input channels, (inputs, inputs) and positive definite, or None if all inputs
            count the same.

    Returns:
        The factors (inputs, r), (offsets, r, s) and (s, outputs).
    """
    _, inputs, outputs = kernel.shape
    before, after = ranks
    last: FloatArray = np.eye(min(after, outputs), outputs)
    if after < outputs:
        flat = kernel.reshape(-1, outputs)
        last = _leading(flat.T @ _weighted(flat, moments), after).T
    core = kernel @ last.T
    first: FloatArray = np.eye(inputs, min(before, inputs))
    if before < inputs:
        # In coordinates in which the inputs are uncorrelated and of equal size, the best projection is orthogonal.
        scale = np.eye(inputs) if moments is None else _root(moments)
        seen = scale @ core
        unfolded = seen.transpose(1, 0, 2).reshape(inputs, -1)
        basis = _leading(unfolded @ unfolded.T, before)
        first = basis if moments is None else np.asarray(np.linalg.solve(scale, basis), np.float64)
        core = basis.T @ seen
    first, core, last = _turned(first, core, last)
    missing_before, missing_after = before - first.shape[1], after - len(last)
    return (
        np.pad(first, ((0, 0), (0, missing_before))),
        np.pad(core, ((0, 0), (0, missing_before), (0, missing_after))),
        np.pad(last, ((0, missing_after), (0, 0))),
    )


def _turned(first: FloatArray, core: FloatArray, last: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Turn the factors that are no identities to singular vectors of what all three compose."""
    if first.shape[1] < len(first):
        first, triangle = np.linalg.qr(first)
        core = triangle @ core
    rank_before, rank_after = core.shape[1:]
    if last.shape[0] < last.shape[1]:
        flat = core.reshape(-1, rank_after)
        turn = _leading(flat.T @ flat, rank_after)
        turn = turn * _signs(last.T @ turn)
        core, last = core @ turn, turn.T @ last
        last = last * _counts(np.linalg.norm(core, axis=(0, 1)))[:, None]
    if first.shape[1] < len(first):
        flat = core.transpose(1, 0, 2).reshape(rank_before, -1)
        turn = _leading(flat @ flat.T, rank_before)
        turn = turn * _signs(first @ turn)
        core, first = turn.T @ core, first @ turn
        first = first * _counts(np.linalg.norm(core, axis=(0, 2)))
    return first, core, last


def _counts(values: FloatArray) -> BoolArray:
    """Return which singular values are more than rounding errors of numbers in single precision."""
    return np.asarray(values > NEGLIGIBLE * values.max(initial=0.0), np.bool_)


def _signs(vectors: FloatArray) -> FloatArray:
    """Return, for each column, the sign of its largest element: vectors that differ by a sign become equal by it."""
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    return np.where(largest < 0, -1.0, 1.0)


def positive_definite(moments: FloatArray) -> FloatArray:
    """Return second moments with a ridge, relative to their mean, so that they can be inverted."""
    mean = float(np.trace(moments)) / len(moments)
    return moments / mean + RIDGE * np.eye(len(moments)) if mean > 0 else np.eye(len(moments))


def _weighted(matrix: FloatArray, moments: FloatArray | None) -> FloatArray:
    """Multiply each block of rows by the moments."""
    if moments is None:
        return matrix
    blocks = matrix.reshape(-1, len(moments), matrix.shape[1])
    weighted: FloatArray = (moments @ blocks).reshape(matrix.shape)
    return weighted


def _leading(symmetric: FloatArray, count: int) -> FloatArray:
    """Return the eigenvectors of the largest eigenvalues as columns, those of the largest first."""
    vectors: FloatArray = np.linalg.eigh(symmetric)[1]
    return vectors[:, ::-1][:, :count]


def _root(moments: FloatArray) -> FloatArray:
    """Return the symmetric square root of second moments."""
    values, vectors = np.linalg.eigh(moments)
    scaled: FloatArray = (vectors * np.sqrt(np.maximum(values, RIDGE / 2))) @ vectors.T
    return scaled
