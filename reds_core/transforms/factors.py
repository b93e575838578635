"""Chains of linear layers as one layer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import reduce

import numpy as np

from reds_core.arrays import FloatArray


def composed(factors: Sequence[FloatArray]) -> FloatArray:
    """Return the kernel of the one layer that computes what a chain of linear layers computes.

    A kernel has the shape (spatial axes..., inputs, outputs): no spatial axes for dense layers, one or two for
    convolutions. Along each spatial axis, the length of the result is the sum of the lengths of the factors less the
    number of compositions, so that a 3 x 1 and a 1 x 3 convolution are one of 3 x 3.

    Args:
        factors: The kernels, first to last, at least one.
    """
    return reduce(_both, factors)


def _both(first: FloatArray, second: FloatArray) -> FloatArray:
    before, after = first.shape[:-2], second.shape[:-2]
    lengths = tuple(a + b - 1 for a, b in zip(before, after, strict=True))
    found = np.zeros((*lengths, first.shape[-2], second.shape[-1]))
    for offset in itertools.product(*map(range, after)):
        window = tuple(slice(start, start + length) for start, length in zip(offset, before, strict=True))
        found[window] += first @ second[offset]
    return found
