"""Arrays in memory that TensorFlow uses without copying it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

ALIGNMENT_BYTES = 64


def aligned(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a copy that starts at a multiple of 64 bytes. Only some of the arrays that NumPy makes do so."""
    memory = np.zeros(array.nbytes + ALIGNMENT_BYTES, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT_BYTES
    found = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    found[...] = array
    return found
