"""Windows that move over images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reds_c_engine.fixed_point import IntArray

_SAME = 0
"""The padding of operators that keep ceil(size / stride) positions; the other one is VALID."""


@dataclass(frozen=True)
class Steps:
    """The positions of a window along one axis.

    Attributes:
        count: The number of positions.
        before: The padding before the first element.
        after: The padding behind the last one.
        stride: The distance of neighbouring positions.
        dilation: The distance of neighbouring taps.
        taps: The number of taps.
    """

    count: int
    before: int
    after: int
    stride: int
    dilation: int
    taps: int

    @staticmethod
    def along(size: int, taps: int, padding: int, stride: int, dilation: int = 1) -> Steps:
        """Return the positions on an axis of a size, with padding that is SAME or VALID."""
        reach = (taps - 1) * dilation + 1
        if padding != _SAME:
            return Steps((size - reach) // stride + 1, 0, 0, stride, dilation, taps)
        count = -(-size // stride)
        missing = max((count - 1) * stride + reach - size, 0)
        return Steps(count, missing // 2, missing - missing // 2, stride, dilation, taps)

    def at(self, tap: int) -> slice:
        """Return which elements of the padded axis a tap meets."""
        first = tap * self.dilation
        return slice(first, first + (self.count - 1) * self.stride + 1, self.stride)


def steps(options: Any, image: tuple[int, ...], taps: tuple[int, int]) -> tuple[Steps, Steps]:
    """Return the positions along height and width of a window, from the options of an operator."""
    dilations = (int(getattr(options, "dilationHFactor", 1)), int(getattr(options, "dilationWFactor", 1)))
    strides = (int(options.strideH), int(options.strideW))
    rows, columns = (
        Steps.along(image[axis], taps[axis], int(options.padding), strides[axis], dilations[axis]) for axis in (0, 1)
    )
    return rows, columns


def windows(x: IntArray, rows: Steps, columns: Steps, padding: int) -> IntArray:
    """Return what each position of a window sees.

    Args:
        x: Images, (examples, height, width, channels).
        rows: The positions along the height.
        columns: The positions along the width.
        padding: The value outside of the image.

    Returns:
        An array (examples, positions along the height, along the width, taps along the height, along the width,
        channels).
    """
    sides = ((0, 0), (rows.before, rows.after), (columns.before, columns.after), (0, 0))
    padded = np.pad(x, sides, constant_values=padding)
    found = np.empty((len(x), rows.count, columns.count, rows.taps, columns.taps, x.shape[3]), np.int64)
    for i in range(rows.taps):
        for j in range(columns.taps):
            found[:, :, :, i, j] = padded[:, rows.at(i), columns.at(j)]
    return found
