"""Kernels as the engine stores them: integers of 8 bits or fewer, with codebooks and masks.

The content of a stored kernel, part by part, each rounded up to whole bytes:

1. *Values*, without gaps, the first in the lowest bits of a byte. Each is a weight of 8, 4 or 2 bits, or, with
   codebooks, the index of a weight, of 4, 2 or 1 bits. Without a mask, they have the order of the elements in the file,
   and there is one for each weight. With a mask, the weights in it follow each other row by row, a row being an output
   channel. There are then as many values as `KernelPacking.values` says, even if fewer weights are in the mask.
2. *Codebooks*, one for each output channel, of `clusters` integers of 8 bits each: its different weights in rising
   order. The last one is repeated if there are fewer.
3. *A mask* of one bit for each weight, row by row without gaps, which is 1 if the weight is not 0.

With a mask, the tables also hold an integer of 32 bits for each output channel: the index of its first value. These
sizes add up to `KernelPacking.size_bytes`. Patterns such as two of four weights, or blocks, are stored like any other.
Codebooks and masks may be combined, with each other and with weights of fewer bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from reds_litert.kernel_packing import KernelPacking


@dataclass(frozen=True)
class PackedKernel:
    """The parts of a stored kernel; those that it does not have are empty.

    Attributes:
        values: The weights, or their indices into codebooks.
        codebooks: The codebooks.
        mask: The mask.
        starts: The index of the first value of each output channel of a kernel with a mask.
    """

    values: bytes
    codebooks: bytes = b""
    mask: bytes = b""
    starts: tuple[int, ...] = ()


def packed_weights(weights: npt.NDArray[np.int8], bits: int) -> bytes:
    """Return weights with the first in the lowest bits of a byte, without gaps between rows.

    Args:
        weights: Integers of `bits` bits, of any shape.
        bits: 8, 4, 2 or 1.
    """
    in_byte = 8 // bits
    fields = weights.reshape(-1).view(np.uint8) & ((1 << bits) - 1)
    fields = np.pad(fields, (0, -len(fields) % in_byte)).reshape(-1, in_byte).astype(np.uint16)
    return bytes((fields << (np.arange(in_byte) * bits)).sum(-1).astype(np.uint8))


def packed_kernel(weights: npt.NDArray[np.int8], axis: int, packing: KernelPacking) -> PackedKernel:
    """Return the parts of a stored kernel.

    Args:
        weights: Its integers in the shape of the file.
        axis: The axis of output channels.
        packing: How it is stored.

    Raises:
        ValueError: If an output channel has too many different weights, or the kernel too many that are not 0. The
            message is a clause that a sentence about the layer can end with.
    """
    rows = np.moveaxis(weights, axis, 0)
    shape = rows.shape
    rows = np.ascontiguousarray(rows).reshape(len(rows), -1)
    kept = rows != 0 if packing.has_mask else np.ones(rows.shape, np.bool_)
    count = packing.values(rows.size)
    if kept.sum() > count:
        raise ValueError(f"{kept.sum()} of its {rows.size} weights are not 0, more than {packing.density_percent} %")
    codebooks = b""
    if packing.clusters:
        rows, codebooks = _coded(rows, kept, packing)
    if not packing.has_mask:
        in_order = np.ascontiguousarray(np.moveaxis(rows.reshape(shape), 0, axis))
        return PackedKernel(packed_weights(in_order, packing.bits), codebooks)
    values = np.pad(rows[kept], (0, count - int(kept.sum())))
    starts = np.cumsum(kept.sum(axis=1)) - kept.sum(axis=1)
    mask = packed_weights(kept.astype(np.int8), 1)
    return PackedKernel(packed_weights(values, packing.bits), codebooks, mask, tuple(starts.tolist()))


def _coded(
    rows: npt.NDArray[np.int8], kept: npt.NDArray[np.bool_], packing: KernelPacking
) -> tuple[npt.NDArray[np.int8], bytes]:
    """Return the index of each weight in the codebook of its output channel, and the codebooks."""
    most = min(packing.clusters, 1 << packing.bits)
    codes, books = np.zeros_like(rows), np.zeros((len(rows), packing.clusters), np.int8)
    for row, is_kept, code, book in zip(rows, kept, codes, books, strict=True):
        values = np.unique(row[is_kept])
        if len(values) > most:
            raise ValueError(f"an output channel has {len(values)} different weights, more than {most}")
        if len(values):
            book[:] = np.pad(values, (0, packing.clusters - len(values)), mode="edge")
            code[is_kept] = np.searchsorted(values, row[is_kept])
    return codes, books.tobytes()
