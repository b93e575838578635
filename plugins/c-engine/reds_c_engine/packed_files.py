"""The files of members for the C engine: int8 files that record how it packs their kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from reds_litert.codebooks import ANY_WEIGHTS, CLUSTERS, CODE_BITS, codebook_refusal, has_kernel, layer_refusal
from reds_litert.kernel_packing import ALL, KernelPacking
from reds_litert.targets import DEPTHWISE, INT8_BITS, WEIGHT_BITS, Int8Target, low_bits_refusal

from reds_c_engine.engine_device import CEngine
from reds_c_engine.family import check_runs
from reds_core.arrays import FloatArray
from reds_core.framework import ExportSource
from reds_core.network import Network

PACKED_BITS = (2, 4)
"""Numbers of bits of weights that the engine packs several in a byte."""
TRUNCATED = "truncated_bits"
"""What a transform decides about how many upper bits of the codes of 8 bits are read."""
DENSITY = "density_percent"
"""What transforms decide about the share of the weights of a layer that are not 0."""


class PackedFiles(Int8Target):
    """Writes, reads and counts such files, for the target `c-engine`."""

    name, file = CEngine.name, CEngine.file
    packs = False

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        if what == CLUSTERS:
            return codebook_refusal(network, site, level, "the C engine")
        if what == DENSITY:
            return _mask_refusal(network, site, level)
        if what == TRUNCATED:
            return None if level == INT8_BITS else low_bits_refusal(network, site)
        if what != WEIGHT_BITS or level == INT8_BITS:
            return super().refusal(network, site, what, level)
        if level not in PACKED_BITS:
            return f"the C engine cannot store {level}-bit weights"
        return low_bits_refusal(network, site)

    def converted(self, source: ExportSource) -> bytes:
        content = super().converted(source)
        check_runs(content)
        return content

    def _quantised(self, source: ExportSource) -> bytes:
        from reds_litert import int4

        content, packings, truncated = super()._quantised(source), self._packings(source), self._truncated(source)
        if truncated:
            weights = source.framework.weights(source.model, source.network)
            kernels = int4.kernels_of(source.network, weights, truncated=truncated)
            content = int4.with_int4(content, kernels, truncated, keep_int8=True)
        if not packings:
            return content
        kernels = int4.kernels_of(source.network, source.framework.weights(source.model, source.network))
        for kernel in kernels:
            packing = packings.get(kernel.site)
            if packing is not None:
                packings[kernel.site] = _with_density_of(kernel.values, packing)
        return int4.with_packings(content, kernels, packings)

    def _truncated(self, source: ExportSource) -> tuple[str, ...]:
        """Return the layers that have truncated codes: not those whose weights are also changed otherwise."""
        return tuple(
            site
            for site, levels in source.settings.levels.items()
            if levels.get(TRUNCATED, INT8_BITS) < INT8_BITS
            and self.refusal(source.network, site, TRUNCATED, levels[TRUNCATED]) is None
            and _is_plain(levels)
        )

    def _packings(self, source: ExportSource) -> dict[str, KernelPacking]:
        """Return how the kernel of each layer is packed that has codebooks or a mask in the file, by its levels.

        Indices into codebooks have the same size whatever the bits of the weights in these.

        Another target may realise levels that these files cannot have: they hold such weights in 8 bits.
        """
        found: dict[str, KernelPacking] = {}
        for site, levels in source.settings.levels.items():
            if not has_kernel(source.network, site):
                continue
            has = {what: n for what, n in levels.items() if self.refusal(source.network, site, what, n) is None}
            bits, clusters = has.get(WEIGHT_BITS, INT8_BITS), has.get(CLUSTERS, ANY_WEIGHTS)
            density = min(has.get(DENSITY, ALL), ALL)
            if clusters < ANY_WEIGHTS:
                found[site] = KernelPacking(CODE_BITS[clusters], clusters, density)
            elif density < ALL:
                found[site] = KernelPacking(bits, density_percent=density)
        return found


def _is_plain(levels: Mapping[str, int]) -> bool:
    """Whether a kernel has 8 bits, and neither a codebook nor a mask."""
    has_fewer_bits = levels.get(WEIGHT_BITS, INT8_BITS) < INT8_BITS
    return not has_fewer_bits and levels.get(CLUSTERS, ANY_WEIGHTS) >= ANY_WEIGHTS and levels.get(DENSITY, ALL) >= ALL


def _with_density_of(values: FloatArray, packing: KernelPacking) -> KernelPacking:
    """Return how a kernel is packed by the density that it has, which the level of its layer need not be.

    A layer can have another density than its level if weights of all layers are ranked together. Codebooks and weights
    of few bits add zeros to those of the mask, so that the density of the level stands where it is large enough.
    """
    stored = int(np.count_nonzero(values))
    adds_zeros = packing.clusters > 0 or packing.bits < INT8_BITS
    if not packing.has_mask or (adds_zeros and stored <= packing.values(values.size)):
        return packing
    density = ALL if stored == values.size else max(stored - 1, 0) * ALL // values.size + 1
    return replace(packing, density_percent=density)


def _mask_refusal(network: Network, site: str, density: int) -> str | None:
    """Return why the kernel of a layer cannot have a mask, or None if it can."""
    if density >= ALL or not has_kernel(network, site):
        return None
    if any(layer.kind == DEPTHWISE for layer in network.layers if layer.name == site):
        return "output channels of depthwise convolutions have so few weights that a mask saves nothing"
    return layer_refusal(network, site, "the C engine cannot store masks")
