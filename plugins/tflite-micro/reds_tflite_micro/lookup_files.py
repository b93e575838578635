"""Int8 files whose kernels of few different weights are lookup tables of tflite-micro."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reds_litert.codebooks import ANY_WEIGHTS, CLUSTERS, CODE_BITS, codebook_refusal, has_kernel
from reds_litert.targets import INT8_BITS, WEIGHT_BITS, Int8Target

from reds_core.errors import InputError
from reds_core.framework import ExportSource
from reds_core.network import Network
from reds_tflite_micro.lookup_device import LookupTables


class LookupFiles(Int8Target):
    """Writes and counts such files, for the target `tflite-micro-lut`."""

    name, file = LookupTables.name, LookupTables.file

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        if what == CLUSTERS:
            return codebook_refusal(network, site, level, "tflite-micro")
        if what == WEIGHT_BITS and level != INT8_BITS:
            return "weights in lookup tables have 8 bits"
        return super().refusal(network, site, what, level)

    def converted(self, source: ExportSource) -> bytes:
        from reds_litert import int4
        from reds_litert.schema import unpacked

        from reds_tflite_micro.lookup_tables import Lookup, with_lookup_tables

        content = self._quantised(source)
        bits = self._code_bits(source)
        if not bits:
            return with_lookup_tables(content, {})
        kernels = int4.kernels_of(source.network, source.framework.weights(source.model, source.network))
        model = unpacked(content)
        axes = int4.channel_axes(model)
        places = int4.kernel_places(model, kernels, bits)
        return with_lookup_tables(
            content, {tensor: Lookup(bits[site], axes[graph, tensor]) for (graph, tensor), site in places.items()}
        )

    def usage(self, path: Path) -> Mapping[str, int]:
        from reds_litert.footprint import content_of

        from reds_tflite_micro.lookup_tables import coded_weight_bytes

        try:
            return {"weight_bytes": coded_weight_bytes(content_of(path))}
        except InputError:
            raise
        except Exception as error:  # reading damaged content may raise anything
            raise InputError(f"'{path}' cannot be read as a LiteRT model", "export it again") from error

    def _code_bits(self, source: ExportSource) -> dict[str, int]:
        """Return the number of bits of an index of each layer that has lookup tables in the file."""
        clusters = {site: level.get(CLUSTERS, ANY_WEIGHTS) for site, level in source.settings.levels.items()}
        return {
            site: CODE_BITS[count]
            for site, count in clusters.items()
            if count < ANY_WEIGHTS
            and has_kernel(source.network, site)
            and self.refusal(source.network, site, CLUSTERS, count) is None
        }
