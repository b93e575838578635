"""Weights of fewer than 8 bits, several in a byte."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def packed_weights(weights: npt.NDArray[np.int8], bits: int) -> bytes:
    """Return weights with the first in the lowest bits of a byte, without gaps between rows.

    Args:
        weights: Integers of `bits` bits, of any shape.
        bits: 4 or 2.
    """
    in_byte = 8 // bits
    fields = weights.reshape(-1).view(np.uint8) & ((1 << bits) - 1)
    fields = np.pad(fields, (0, -len(fields) % in_byte)).reshape(-1, in_byte).astype(np.uint16)
    return bytes((fields << (np.arange(in_byte) * bits)).sum(-1).astype(np.uint8))
