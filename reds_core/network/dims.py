"""Shapes of channel axes, and what a reshape does to them. All shapes are row-major and exclude the batch dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reds_core.network.axis import Axis, Fixed, Repeat, Tile
from reds_core.network.grouping import repeat, tile

Dims = tuple[Axis, ...]
"""One axis for each dimension of a tensor."""


def fixed_dims(shape: Sequence[int]) -> Dims:
    """Return dimensions that are never pruned."""
    return tuple(Fixed(size) for size in shape)


def unfolded(dims: Dims) -> Dims:
    """Return the dimensions with tiled and repeated axes split into separate dimensions, as before a Flatten."""
    apart: list[Axis] = []
    for axis in dims:
        match axis:
            case Tile(inner, times):
                apart += [Fixed(times), *unfolded((inner,))]
            case Repeat(inner, times):
                apart += [*unfolded((inner,)), Fixed(times)]
            case _:
                apart.append(axis)
    return tuple(apart)


def reshaped(dims: Dims, sizes: Sequence[int], shape: Sequence[int]) -> Dims | None:
    """Return the dimensions of a tensor of shape `sizes` after a row-major reshape to `shape`.

    Args:
        dims: the dimensions before, at most one of which contains groups.
        sizes: full length of each of `dims`.
        shape: full lengths after the reshape.

    Returns:
        The new dimensions, or None if the channels do not end up on a single dimension.
    """
    moving = [i for i, axis in enumerate(dims) if axis.groups()]
    if not moving:
        return fixed_dims(shape)
    (at,) = moving
    before, after = math.prod(sizes[:at]), math.prod(sizes[at + 1 :])
    apart = unfolded((dims[at],))
    (inner_at,) = [i for i, axis in enumerate(apart) if axis.groups()]
    before *= math.prod(axis.length().constant for axis in apart[:inner_at])
    after *= math.prod(axis.length().constant for axis in apart[inner_at + 1 :])
    size = math.prod(sizes) // (before * after)
    found: Dims | None = None
    for place, length in enumerate(shape):
        outer, no_outer = divmod(before, math.prod(shape[:place]))
        inner, no_inner = divmod(after, math.prod(shape[place + 1 :]))
        if no_outer or no_inner or outer * size * inner != length:
            continue
        axis = tile(repeat(apart[inner_at], inner), outer)
        if found is None or outer * inner == 1:  # next to dimensions of length 1 several fit: prefer the plain axis
            found = (*fixed_dims(shape[:place]), axis, *fixed_dims(shape[place + 1 :]))
    return found


def blocks(sizes: Sequence[int], at: int, shape: Sequence[int]) -> tuple[int, int] | None:
    """Return the blocks of equal length into which a row-major reshape from `sizes` to `shape` splits dimension `at`.

    Returns:
        The dimension of `shape` along which the elements of one block lie, and the number of blocks; None if there is
        no dimension that contains exactly one block.
    """
    before, after = math.prod(sizes[:at]), math.prod(sizes[at + 1 :])
    for place in reversed(range(len(shape))):
        count, rest = divmod(math.prod(shape[:place]), before)
        if math.prod(shape[place + 1 :]) == after:
            return (place, count) if not rest and shape[place] > 1 and count * shape[place] == sizes[at] else None
    return None
