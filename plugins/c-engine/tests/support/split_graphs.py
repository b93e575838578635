"""Files whose kernels are truncated codes of 8 bits, made from files of 8 bits."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from reds_litert.graph import read_graph
from reds_litert.kernel_operators import WITH_KERNELS
from reds_litert.kernel_packing import KernelPacking, give_kernel_packings
from reds_litert.schema import elements, give_content, packed, unpacked

from reds_core.transforms import truncated_codes


def truncated(content: bytes, places: Collection[int] | None = None) -> bytes:
    """Return a file of a single graph with truncated codes of 4 bits in some of its kernels.

    Args:
        content: A file with kernels of 8 bits.
        places: Which of its kernels, counted in the order of its operators; None for all.
    """
    model, graph = unpacked(content), read_graph(content)
    kernels = [operator.inputs[1] for operator in graph.operators if operator.kind in WITH_KERNELS]
    chosen = [tensor for place, tensor in enumerate(kernels) if places is None or place in places]
    for index in chosen:
        tensor = model.subgraphs[0].tensors[index]
        codes = truncated_codes(np.asarray(elements(model, tensor))).astype(np.int8)
        give_content(model, tensor, codes.reshape(-1).view(np.uint8))
    give_kernel_packings(model, {(0, index): KernelPacking(4) for index in chosen})
    return packed(model)
