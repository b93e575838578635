"""The transform `truncated-bits`: which members read the upper halves of the weights that larger ones read whole."""

from __future__ import annotations

from dataclasses import replace

from reds_core.arrays import FloatArray
from reds_core.network import Network, Weight
from reds_core.transforms import (
    CODE_BITS,
    TRUNCATED_BITS,
    LayerPart,
    Nesting,
    Offered,
    Stage,
    Transform,
    TruncatedQuantiser,
    UniformQuantiser,
)
from reds_quantization.weight_bits import kernel_levels


class TruncatedBits(Transform):
    """Chooses for each kernel whether a member reads codes of 8 bits or their upper 4 bits.

    All members share one array of codes, which are those of the full network with one scale for each output channel. A
    member may have 4 bits in a layer where a larger one has 8, but not the other way round. Biases, scales and
    statistics keep their bits. Zeros do not stay zeros, so it does not go with masks.
    """

    name = "truncated-bits"
    what = "truncated_bits"
    stage = Stage.ENCODE
    nesting = Nesting.RISING
    projects_whole = True

    def offered(self, network: Network, site: str) -> Offered:
        return kernel_levels(network, site, (TRUNCATED_BITS, CODE_BITS))

    def described(self, part: LayerPart, level: int) -> LayerPart:
        if level == CODE_BITS:
            return part
        weights = (replace(w, bits=level) if self.projects(w) and w.bits is None else w for w in part.weights)
        return replace(part, weights=tuple(weights))

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        if level == CODE_BITS or not self.projects(of):
            return weight
        return TruncatedQuantiser().quantised(weight, of.scales_along)

    def quantiser(self, of: Weight, level: int) -> UniformQuantiser | None:
        if not self.projects(of):
            return None
        return TruncatedQuantiser() if level == TRUNCATED_BITS else UniformQuantiser(level)
