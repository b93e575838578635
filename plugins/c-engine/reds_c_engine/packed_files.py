"""The files of members for the C engine: int8 files that record which kernels it packs in fewer bits."""

from __future__ import annotations

from reds_litert.targets import INT8_BITS, WEIGHT_BITS, Int8Target, low_bits_refusal

from reds_c_engine.engine_device import CEngine
from reds_c_engine.family import check_runs
from reds_core.framework import ExportSource
from reds_core.network import Network

PACKED_BITS = (2, 4)
"""Numbers of bits of weights that the engine packs several in a byte."""


class PackedFiles(Int8Target):
    """Writes, reads and counts such files, for the target `c-engine`."""

    name, file = CEngine.name, CEngine.file
    packs = False

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        if what != WEIGHT_BITS or level == INT8_BITS:
            return super().refusal(network, site, what, level)
        if level not in PACKED_BITS:
            return f"the C engine packs no {level}-bit weights"
        return low_bits_refusal(network, site)

    def converted(self, source: ExportSource) -> bytes:
        content = super().converted(source)
        check_runs(content)
        return content
