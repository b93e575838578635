"""Array types that modules share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "BoolArray",
    "FloatArray",
    "IntArray",
    "NamedArrays",
    "Table",
]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

Table = IntArray | None
"""A table of integers; None stands for a table of zeros."""

NamedArrays = dict[str, npt.NDArray[Any]]
"""Arrays of any dtype by name, as stored in a file or a message."""
