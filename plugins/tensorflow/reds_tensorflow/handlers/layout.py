"""The layout of Keras tensors: the dimension of channels, and the number of elements per channel."""

from __future__ import annotations

import math
from typing import Any


def channel_dimension(layer: Any) -> int:
    """Return the dimension of channels in the layer's data format, not counting the batch."""
    return 0 if getattr(layer, "data_format", None) == "channels_first" else -1


def positions(shape: tuple[int, ...], at: int) -> int:
    """Return the number of elements per channel in a tensor of `shape` whose channels are dimension `at`."""
    return math.prod(shape) // shape[at]
