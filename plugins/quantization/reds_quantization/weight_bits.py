"""The transform `weight-bits`: how many bits the kernel of each layer has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import InputError
from reds_core.network import Network, Weight, WeightKind
from reds_core.transforms import LayerPart, Nesting, Offered, Stage, Transform, UniformQuantiser

ALLOWED = (2, 4, 8)
"""The numbers of bits that layers may have."""


@dataclass(frozen=True)
class WeightBitsOptions:
    """Options of `weight-bits`.

    Attributes:
        levels: the numbers of bits that a kernel may have, of 2, 4 and 8, joined by commas. 8 is always among them.
        nesting: "free" if each member of a family has bits of its own, which fits members in files of their own;
            "equal" if all members have the same, which fits members that share one set of integers on the device.
    """

    levels: str = "8,4"
    nesting: Literal["free", "equal"] = "free"

    def __post_init__(self) -> None:
        _ = self.bits

    @property
    def bits(self) -> tuple[int, ...]:
        """The levels in rising order, the last of which is 8.

        Raises:
            InputError: If they are not a list of allowed numbers.
        """
        parts = [part.strip() for part in self.levels.split(",")]
        if any(part not in map(str, ALLOWED) for part in parts):
            raise InputError(
                f"option weight-bits.levels cannot be '{self.levels}'", "give some of 2, 4 and 8, as in levels=8,4"
            )
        return tuple(sorted({*map(int, parts), ALLOWED[-1]}))


def kernel_levels(network: Network, site: str, levels: Sequence[int]) -> Offered:
    """Return levels for a layer with a kernel of its own, and none for others.

    Args:
        network: The description of the network.
        site: The name of the layer.
        levels: The levels, the last of which leaves the kernel as it is.
    """
    used = {index for layer in network.layers if layer.name == site for index in layer.weights}
    kernels = {index for index in used if network.weights[index].kind is WeightKind.KERNEL}
    if not kernels:
        return Offered.nothing("it has no kernel")
    others = sorted({layer.name for layer in network.layers if layer.name != site and kernels & {*layer.weights}})
    if others:
        return Offered.nothing(f"it shares its kernel with layer '{others[0]}'")
    return Offered(np.array(levels, np.int64))


class WeightBits(Transform):
    """Chooses the number of bits of each kernel, which is quantised symmetrically with one scale per output channel.

    Biases, scales and statistics keep their bits. A layer at 8 bits is quantised as in any int8 file.
    """

    name = "weight-bits"
    what = "weight_bits"
    stage = Stage.ENCODE
    nesting = Nesting.FREE
    Options = WeightBitsOptions

    @property
    def nests(self) -> Nesting:
        return Nesting(self.options.nesting)

    def offered(self, network: Network, site: str) -> Offered:
        return kernel_levels(network, site, self.options.bits)

    def described(self, part: LayerPart, level: int) -> LayerPart:
        if level == self.options.bits[-1]:
            return part
        # A kernel with bits of its own is stored as codes, which do not become smaller with the weights.
        return replace(
            part,
            weights=tuple(replace(w, bits=level) if self.projects(w) and w.bits is None else w for w in part.weights),
        )

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        if level == self.options.bits[-1] or not self.projects(of):
            return weight
        return UniformQuantiser(level).quantised(weight, of.scales_along)

    def quantiser(self, of: Weight, level: int) -> UniformQuantiser | None:
        return UniformQuantiser(level) if self.projects(of) else None
