"""The transform `activation-bits`: how many bits the activations of the whole network have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.network import Network, Weight
from reds_core.transforms import LayerPart, Nesting, Offered, Stage, Transform

EIGHT, SIXTEEN = 8, 16


@dataclass(frozen=True)
class ActivationBitsOptions:
    """Options of `activation-bits`.

    Attributes:
        bits: the number of bits of all activations, "8" or "16".
    """

    bits: Literal["8", "16"] = "8"


class ActivationBits(Transform):
    """Sets one number of bits for all activations of the network, by which peak RAM and bit operations are counted.

    There is nothing to decide, since the devices that files are written for compute a whole network with activations of
    one precision.
    """

    name = "activation-bits"
    what = "activation_bits"
    stage = Stage.ENCODE
    nesting = Nesting.EQUAL
    Options = ActivationBitsOptions

    @property
    def network_level(self) -> int:
        return EIGHT if self.options.bits == "8" else SIXTEEN

    def offered(self, network: Network, site: str) -> Offered:
        level = self.network_level
        return Offered(np.array([level], np.int64), f"all activations of the network have {level} bits")

    def described(self, part: LayerPart, level: int) -> LayerPart:
        return replace(part, tensors=tuple(replace(tensor, bits=level) for tensor in part.tensors))

    def projects(self, of: Weight) -> bool:
        return False

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return weight
