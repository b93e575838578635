"""Which weights of a kernel stay, by their magnitudes: anywhere, N of every 4 inputs, or blocks of 4 inputs."""

from __future__ import annotations

from enum import Enum

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.network import Weight

GROUP = 4
"""The number of consecutive inputs of an output channel that the patterns other than UNSTRUCTURED group."""


class Pattern(Enum):
    """Which sets of weights may stay.

    Attributes:
        UNSTRUCTURED: Any.
        N_OF_FOUR: The same number of every 4 consecutive inputs of an output channel.
        BLOCK: Blocks of 4 consecutive inputs of an output channel.
    """

    UNSTRUCTURED = "unstructured"
    N_OF_FOUR = "n:4"
    BLOCK = "block"

    def suits(self, of: Weight) -> bool:
        """Whether a kernel has weights that the pattern can group."""
        if self is Pattern.UNSTRUCTURED:
            return True
        axis = input_axis(of)
        if axis is None:
            return False
        length = of.axes[axis].length()
        return bool(length.coefficients) or length.constant >= GROUP


def input_axis(of: Weight) -> int | None:
    """Return the last dimension over which the outputs of a kernel are sums; None if there is none.

    It is the dimension of the input channels, except in depthwise convolutions, which have only spatial dimensions.
    """
    others = [axis for axis in range(len(of.axes)) if axis not in of.scales_along]
    return others[-1] if others else None


def kept_count(size: int, density_percent: int) -> int:
    """Return how many of `size` weights stay: the percentage of them, rounded up."""
    return -(-size * density_percent // 100)


def magnitude_mask(
    values: FloatArray, of: Weight, pattern: Pattern, density_percent: int, forced: BoolArray | None = None
) -> BoolArray:
    """Return which weights stay, in the shape of `values`: exactly `kept_count` of them, the largest that may.

    Among equal ones, the first stay. Where the number of inputs is not a multiple of 4, the last group of each output
    channel is smaller. Of such groups, N of 4 keeps as large a part, rounded up or down so that the number over all is
    exact. Blocks are ranked by their mean magnitude. The last of them stays in part, if the number asks for it.

    Args:
        values: The weights.
        of: Their description.
        pattern: Which weights may stay.
        density_percent: How many stay.
        forced: Weights that come first, before larger ones. More than can stay are ranked like others.
    """
    first = np.zeros(values.shape, np.bool_) if forced is None else forced
    count = kept_count(values.size, density_percent)
    if pattern is Pattern.UNSTRUCTURED:
        mask = _largest(np.abs(values).reshape(-1), first.reshape(-1), count)
        return mask.reshape(values.shape)
    axis = input_axis(of)
    assert axis is not None
    rows = np.moveaxis(values, axis, -1)
    magnitudes, is_first = np.abs(rows), np.moveaxis(first, axis, -1)
    inputs = rows.shape[-1]
    table = magnitudes.reshape(-1, inputs), is_first.reshape(-1, inputs)
    find = _blocks if pattern is Pattern.BLOCK else _of_every_four
    return np.moveaxis(find(*table, count, density_percent).reshape(rows.shape), -1, axis)


def _largest(magnitudes: FloatArray, first: BoolArray, count: int) -> BoolArray:
    """Return the `count` largest of a list, of which those in `first` come before all others."""
    mask = np.zeros(len(magnitudes), np.bool_)
    if count >= len(magnitudes):
        mask[:] = True
    elif first.any():
        mask[np.lexsort((-magnitudes, ~first))[:count]] = True
    elif count:  # in linear time
        least = np.partition(magnitudes, len(magnitudes) - count)[len(magnitudes) - count]
        mask = magnitudes > least
        mask[np.flatnonzero(magnitudes == least)[: count - int(mask.sum())]] = True
    return mask


def _of_every_four(magnitudes: FloatArray, first: BoolArray, count: int, density_percent: int) -> BoolArray:
    """Return N of every 4 inputs of each row, (rows, inputs)."""
    whole = magnitudes.shape[1] // GROUP * GROUP
    mask = np.zeros(magnitudes.shape, np.bool_)
    each = GROUP * density_percent // 100
    grouped = (len(magnitudes), whole // GROUP, GROUP)
    ranks = _ranks(magnitudes[:, :whole].reshape(grouped), first[:, :whole].reshape(grouped))
    mask[:, :whole] = (ranks < each).reshape(len(magnitudes), whole)
    rest = magnitudes.shape[1] - whole
    if rest:
        ranks = _ranks(magnitudes[:, whole:], first[:, whole:])
        fewest = rest * density_percent // 100
        mask[:, whole:] = ranks < fewest
        # Each row may keep one more. The largest of these make the number over all rows exact.
        more = ranks == fewest
        found = _largest(magnitudes[:, whole:][more], first[:, whole:][more], count - int(mask.sum()))
        mask[:, whole:][more] = found
    return mask


def _ranks(magnitudes: FloatArray, first: BoolArray) -> IntArray:
    """Return the rank of each element along the last axis, 0 for the largest. Those in `first` come before others."""
    order = np.lexsort((-magnitudes, ~first), axis=-1)
    return np.argsort(order, axis=-1).astype(np.int64)


def _blocks(magnitudes: FloatArray, first: BoolArray, count: int, density_percent: int) -> BoolArray:
    """Return blocks of inputs of each row, (rows, inputs)."""
    starts = np.arange(0, magnitudes.shape[1], GROUP)
    sizes = np.diff([*starts, magnitudes.shape[1]])
    block = np.arange(len(magnitudes))[:, None] * len(starts) + np.repeat(np.arange(len(starts)), sizes)[None, :]
    means = np.add.reduceat(magnitudes, starts, axis=1) / sizes
    begun = np.logical_or.reduceat(first, starts, axis=1)
    # Elements that come first, then the rest of their blocks, then whole blocks.
    keys = (-magnitudes, block, -np.repeat(means, sizes, axis=1), ~np.repeat(begun, sizes, axis=1), ~first)
    order = np.lexsort([key.reshape(-1) for key in keys])
    mask = np.zeros(magnitudes.size, np.bool_)
    mask[order[:count]] = True
    return mask.reshape(magnitudes.shape)
