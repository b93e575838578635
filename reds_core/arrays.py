"""The types of arrays that are passed between modules."""

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
"""A table of whole numbers; None stands for a table of zeros."""

NamedArrays = dict[str, npt.NDArray[Any]]
"""Arrays of any type by name, as a file or a message holds them."""
