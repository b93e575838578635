"""Shapes whose dimensions are channel axes: how reshaping moves channels. Row-major, without the batch dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reds_core.network.axis import Axis, Fixed, Repeat, Tile
from reds_core.network.grouping import repeat, tile

Dims = tuple[Axis, ...]
"""One axis for each dimension of a tensor."""


def fixed_dims(shape: Sequence[int]) -> Dims:
    """Dimensions that always stay whole."""
    return tuple(Fixed(size) for size in shape)


def unfolded(dims: Dims) -> Dims:
    """The dimensions with repeated axes taken apart, outer before inner: as they were before a Flatten."""
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
    """The dimensions of a tensor of shape `sizes` after a row-major reshape to `shape`.

    Args:
        dims: with at most one axis that holds groups.
        sizes: full length of each of `dims`.
        shape: new full lengths.

    Returns:
        None where the new shape has no dimension that the channels keep to.
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
        if found is None or outer * inner == 1:  # beside dimensions of length 1 there are several: the plainest
            found = (*fixed_dims(shape[:place]), axis, *fixed_dims(shape[place + 1 :]))
    return found


def blocks(sizes: Sequence[int], at: int, shape: Sequence[int]) -> tuple[int, int] | None:
    """Blocks of equal length that a row-major reshape from `sizes` to `shape` makes of dimension `at`.

    Returns:
        The dimension of `shape` on which the elements of one block lie, and the number of blocks; None where no
        dimension holds whole blocks alone.
    """
    before, after = math.prod(sizes[:at]), math.prod(sizes[at + 1 :])
    for place in reversed(range(len(shape))):
        count, rest = divmod(math.prod(shape[:place]), before)
        if math.prod(shape[place + 1 :]) == after:
            return (place, count) if not rest and shape[place] > 1 and count * shape[place] == sizes[at] else None
    return None
