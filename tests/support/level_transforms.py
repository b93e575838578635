"""Transforms for tests: bits of weights, and deliberately broken ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack.levels import Nesting
from reds_core.network.axis import Fixed
from reds_core.network.description import MacsTerm, Network, Tensor, Weight, WeightKind
from reds_core.transforms.transform import LayerPart, Offered, Stage, Transform


class MockBits(Transform):
    """Bits of kernels: `levels`, and 8. Layers named in `without` have no levels."""

    name = "mock-bits"
    what = "weight_bits"
    stage = Stage.ENCODE
    nesting = Nesting.FREE

    def __init__(self, levels: tuple[int, ...] = (4,), without: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.bits = tuple(sorted({*levels, 8}))
        self.without = without

    def offered(self, network: Network, site: str) -> Offered:
        if site in self.without:
            return Offered.nothing("the test says so")
        used = (network.weights[w] for layer in network.layers if layer.name == site for w in layer.weights)
        if not any(weight.kind is WeightKind.KERNEL for weight in used):
            return Offered.nothing("it has no kernel")
        return Offered(np.array(self.bits, np.int64))

    def described(self, part: LayerPart, level: int) -> LayerPart:
        if level == self.bits[-1]:
            return part
        kernel = WeightKind.KERNEL
        return replace(part, weights=tuple(replace(w, bits=level) if w.kind is kernel else w for w in part.weights))

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return weight


class MockSparsity(MockBits):
    """Percent of a kernel that is stored, beside a mask of one bit an element and a start of each row."""

    name = "mock-sparsity"
    what = "percent_kept"
    stage = Stage.SPARSIFY

    def __init__(self, levels: tuple[int, ...] = (50,), without: tuple[str, ...] = ()) -> None:
        super().__init__(levels, without)
        self.bits = tuple(sorted({*levels, 100}))

    def described(self, part: LayerPart, level: int) -> LayerPart:
        if level == self.bits[-1]:
            return part
        (index,) = (i for i, w in enumerate(part.weights) if w.kind is WeightKind.KERNEL)
        kernel, added = part.weights[index], len(part.weights)
        mask = Weight(f"{kernel.name}/mask", kernel.layer, WeightKind.OTHER, kernel.axes, None, False, 1)
        rows = Weight(f"{kernel.name}/rows", kernel.layer, WeightKind.OTHER, kernel.axes[-1:], None, False, 32)
        stored = replace(kernel, density_percent=level)
        return LayerPart(
            tuple(replace(layer, weights=(*layer.weights, added, added + 1)) for layer in part.layers),
            part.tensors,
            (*part.weights[:index], stored, *part.weights[index + 1 :], mask, rows),
        )


class Factored(Transform):
    """A dense layer as two: to `level` channels, and from there. Its bias belongs to the second."""

    name = "factored"
    what = "rank"
    stage = Stage.REWRITE
    nesting = Nesting.RISING

    def offered(self, network: Network, site: str) -> Offered:
        used = [network.weights[w] for layer in network.layers if layer.name == site for w in layer.weights]
        if not any(weight.kind is WeightKind.KERNEL for weight in used):
            return Offered.nothing("it has no kernel")
        return Offered(np.array([1, 2, 100], np.int64))

    def described(self, part: LayerPart, level: int) -> LayerPart:
        if level == 100:
            return part
        (layer,), (kernel, bias) = part.layers, part.weights
        (term,) = layer.macs
        inner, outer = kernel.axes
        rank, between = Fixed(level), len(part.tensors)
        first = replace(
            layer,
            name=f"{layer.name}/first",
            outputs=(between,),
            weights=(0,),
            macs=(MacsTerm(term.coefficient, (inner, rank)),),
        )
        second = replace(layer, inputs=(between,), weights=(2, 1), macs=(MacsTerm(term.coefficient, (rank, outer)),))
        positions = part.tensors[layer.inputs[0]].positions
        added = replace(kernel, name=f"{kernel.name}/second", axes=(rank, outer))
        return LayerPart(
            (first, second),
            (*part.tensors, Tensor(positions, rank, storage=0)),
            (replace(kernel, axes=(inner, rank)), bias, added),
        )

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return weight


class ChangingLastLevel(MockBits):
    """Describes a layer at its last level with fewer bits than it has."""

    name = "changing-last-level"

    def described(self, part: LayerPart, level: int) -> LayerPart:
        return replace(part, weights=tuple(replace(w, bits=level - 1) for w in part.weights))


class FallingLevels(MockBits):
    """Offers levels that do not rise."""

    name = "falling-levels"

    def offered(self, network: Network, site: str) -> Offered:
        return Offered(np.array([8, 4], np.int64))
