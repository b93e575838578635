"""Weights of fewer than 8 bits, several in a byte."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def packed_rows(weights: npt.NDArray[np.int8], bits: int) -> bytes:
    """Return weights with the first in the lowest bits of a byte. Each row of the last axis takes whole bytes.

    Args:
        weights: Integers of `bits` bits, (..., row).
        bits: 4 or 2.
    """
    in_byte = 8 // bits
    rows = weights.reshape(-1, weights.shape[-1]).view(np.uint8) & ((1 << bits) - 1)
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % in_byte)))
    groups = rows.reshape(len(rows), -1, in_byte).astype(np.uint16)
    packed = (groups << (np.arange(in_byte) * bits)).sum(-1).astype(np.uint8)
    return bytes(packed)
