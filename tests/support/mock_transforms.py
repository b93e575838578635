"""Transforms that are bad in one way each, and an honest one that frameworks can train through."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from toy_transforms import ToyBits, ToyMask, ToyRank

from reds_core.arrays import FloatArray
from reds_core.network.axis import Fixed
from reds_core.network.description import Network, Weight, WeightKind
from reds_core.transforms.factors import composed
from reds_core.transforms.quantiser import UniformQuantiser
from reds_core.transforms.start import Start
from reds_core.transforms.transform import LayerPart, Offered


class Quantising(ToyBits):
    """Honest: rounds with one scale for each output channel, as its quantiser says."""

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        quantiser = self.quantiser(of, level)
        return weight if quantiser is None else quantiser.quantised(weight, of.scales_along)

    def quantiser(self, of: Weight, level: int) -> UniformQuantiser | None:
        untouched = level == self.levels[-1] or of.kind is not WeightKind.KERNEL
        return None if untouched else UniformQuantiser(level)


class Spaced(ToyBits):
    what = "Weight Bits"


class Unstaged(ToyBits):
    stage = 4  # type: ignore[assignment]


@dataclass
class ThawedOptions:
    levels: str = "2,4,8"


class Thawed(ToyBits):
    Options = ThawedOptions


class Falling(ToyBits):
    def offered(self, network: Network, site: str) -> Offered:
        offered = super().offered(network, site)
        return replace(offered, levels=offered.levels[::-1])


class Fractional(ToyBits):
    def offered(self, network: Network, site: str) -> Offered:
        offered = super().offered(network, site)
        return replace(offered, levels=offered.levels.astype(np.float64))


class Idle(ToyBits):
    def offered(self, network: Network, site: str) -> Offered:
        return Offered.nothing("it is Sunday")


class Silent(ToyBits):
    def offered(self, network: Network, site: str) -> Offered:
        return replace(super().offered(network, site), reason="")


class Moody(ToyBits):
    def __init__(self, options: object = None) -> None:
        super().__init__(options)
        self.calls: Iterator[int] = itertools.count()

    def offered(self, network: Network, site: str) -> Offered:
        offered = super().offered(network, site)
        return replace(offered, levels=offered.levels[next(self.calls) % 2 :])


class Overreaching(ToyBits):
    def described(self, part: LayerPart, level: int) -> LayerPart:
        return replace(part, weights=part.weights[:-1])


class Moving(ToyBits):
    def described(self, part: LayerPart, level: int) -> LayerPart:
        last = replace(part.tensors[-1], positions=1 + part.tensors[-1].positions)
        return replace(super().described(part, level), tensors=(*part.tensors[:-1], last))


class Unwritten(ToyBits):
    def described(self, part: LayerPart, level: int) -> LayerPart:
        return replace(part, layers=())


class Fixing(ToyBits):
    def described(self, part: LayerPart, level: int) -> LayerPart:
        fixed = (replace(w, axes=tuple(Fixed(1) for _ in w.axes)) for w in super().described(part, level).weights)
        return part if level == self.levels[-1] else replace(part, weights=tuple(fixed))


class Costly(ToyBits):
    def described(self, part: LayerPart, level: int) -> LayerPart:
        weights = tuple(replace(w, bits=level) for w in part.weights)  # 8 bits are more than 4 bytes in int8 alone
        return replace(part, weights=weights)


class Useless(ToyBits):
    def described(self, part: LayerPart, level: int) -> LayerPart:
        return part


class Flat(ToyBits):
    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return super().projected(weight, of, level).ravel()


class Single(ToyBits):
    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return super().projected(weight, of, level).astype(np.float32)  # type: ignore[return-value]


class Dividing(ToyBits):
    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        with np.errstate(all="ignore"):
            largest = np.abs(weight).max()
            return super().projected(weight, of, level) / largest * largest


class Spoiling(ToyBits):
    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        weight[...] = super().projected(weight, of, level)
        return weight


class Noisy(ToyBits):
    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        noise = np.random.default_rng().normal(size=weight.shape)
        return weight if level == self.levels[-1] or not self.projects(of) else weight + noise


class FullWidth(ToyBits):
    """Remembers the shapes of a network."""

    def offered(self, network: Network, site: str) -> Offered:
        self.masks = {w.name: np.ones([axis.full(network.channels) for axis in w.axes]) for w in network.weights}
        return super().offered(network, site)

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        mask = getattr(self, "masks", {}).get(of.name, 1.0)
        return super().projected(weight, of, level) * mask


class Restless(ToyBits):
    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return weight.round(3)


class Unnamed(ToyBits):
    def projects(self, of: Weight) -> bool:
        return False


class Shrinking(ToyBits):
    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return weight if level == self.levels[-1] or not self.projects(of) else 0.9 * weight


class Disagreeing(Quantising):
    def quantiser(self, of: Weight, level: int) -> UniformQuantiser | None:
        return None if super().quantiser(of, level) is None else UniformQuantiser(level + 1)

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return ToyBits.projected(self, weight, of, level)


class Drifting(ToyBits):
    """Halves the weights that it projects in the course of a training."""

    def begun(self, start: Start, of: Weight, level: int) -> Callable[[FloatArray, float], FloatArray]:
        return lambda values, progress: self.projected(values, of, level) * 0.5


class Halving(ToyMask):
    """Halves its weights if there is a smaller network in the family."""

    def begun(self, start: Start, of: Weight, level: int) -> Callable[[FloatArray, float], FloatArray]:
        begun, factor = super().begun(start, of, level), 0.5 if start.smaller else 1.0
        return lambda values, progress: begun(values, progress) * factor


class Unmasked(ToyMask):
    """Its projection leaves weights as they are, unlike what it begins with."""

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return weight


class Unequal(ToyRank):
    """Its second kernel is twice as large as it should be."""

    def factors(
        self, of: Weight, level: int, inputs: FloatArray | None
    ) -> Callable[[FloatArray], tuple[FloatArray, ...]]:
        factors = super().factors(of, level, inputs)

        def unequal(values: FloatArray) -> tuple[FloatArray, ...]:
            first, second = factors(values)
            return first, 2 * second

        return unequal

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        if level == self.whole or of.kind is not WeightKind.KERNEL:
            return weight
        return composed(super().factors(of, level, None)(weight))


class Turning(ToyRank):
    """Its kernels depend on what was decomposed."""

    def factors(
        self, of: Weight, level: int, inputs: FloatArray | None
    ) -> Callable[[FloatArray], tuple[FloatArray, ...]]:
        factors = super().factors(of, level, inputs)

        def turned(values: FloatArray) -> tuple[FloatArray, ...]:
            first, second = factors(values)
            scale = 1 + np.abs(values - first @ second).max()
            return first * scale, second / scale

        return turned


class Printing(ToyBits):
    def offered(self, network: Network, site: str) -> Offered:
        print("offering")
        return super().offered(network, site)


class Doubling(ToyBits):
    """Honest: activations of 16 bits in the whole network."""

    what = "activation_bits"
    network_level = 16

    def offered(self, network: Network, site: str) -> Offered:
        return Offered(np.array([self.network_level], np.int64), "the whole network has 16 bits")

    def described(self, part: LayerPart, level: int) -> LayerPart:
        return replace(part, tensors=tuple(replace(tensor, bits=level) for tensor in part.tensors))

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return weight


class DoublingShapes(Doubling):
    def described(self, part: LayerPart, level: int) -> LayerPart:
        doubled = (replace(tensor, positions=2 * tensor.positions) for tensor in part.tensors)
        return replace(part, tensors=tuple(doubled))
