"""Where channels lie in a tensor of Keras, and how many elements each has."""

from __future__ import annotations

import math
from typing import Any


def channel_dimension(layer: Any) -> int:
    """Which dimension, the batch not counted, holds the channels by the layer's data format."""
    return 0 if getattr(layer, "data_format", None) == "channels_first" else -1


def positions(shape: tuple[int, ...], at: int) -> int:
    """How many elements of a tensor of `shape` each channel has, the channels being dimension `at`."""
    return math.prod(shape) // shape[at]
