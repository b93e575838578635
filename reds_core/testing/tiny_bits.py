"""A transform for checking pruners that need one: kernels of 4 or 8 bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack.levels import Nesting
from reds_core.network.description import Network, Weight, WeightKind
from reds_core.transforms.quantiser import UniformQuantiser
from reds_core.transforms.transform import LayerPart, Offered, Stage, Transform

FEW, ALL = 4, 8


class TinyBits(Transform):
    """Offers 4 bits for the kernel of every layer. 8 bits leave it as it is."""

    name = "tiny-bits"
    what = "weight_bits"
    stage = Stage.ENCODE
    nesting = Nesting.FREE

    def offered(self, network: Network, site: str) -> Offered:
        return Offered(np.array([FEW, ALL], np.int64))

    def described(self, part: LayerPart, level: int) -> LayerPart:
        if level == ALL:
            return part
        weights = (replace(w, bits=level) if w.kind is WeightKind.KERNEL else w for w in part.weights)
        return replace(part, weights=tuple(weights))

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        if level == ALL or of.kind is not WeightKind.KERNEL:
            return weight
        return UniformQuantiser(level).quantised(weight, of.scales_along)
