"""The transform `sparsity`: how many weights of the kernel of each layer are zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import BoolArray, FloatArray
from reds_core.network import Network, Weight, WeightKind
from reds_core.transforms import LayerPart, Nesting, Offered, Stage, Start, Transform
from reds_sparsity.global_threshold import global_densities
from reds_sparsity.nested_masks import SmallerMask, nested_mask
from reds_sparsity.options import UNTOUCHED, SparsityOptions
from reds_sparsity.patterns import magnitude_mask
from reds_sparsity.schedules import gradual_density
from reds_sparsity.storage import saved_bits, stored_sparse


class Sparsity(Transform):
    """Chooses which percentage of the weights of a kernel stays; the weights of the smallest magnitudes become zero.

    A device that makes use of zeros stores the weights that stay, one bit for each weight that says whether it does,
    and where each output channel starts. Biases, scales and statistics stay as they are.
    """

    name = "sparsity"
    what = "density"
    stage = Stage.SPARSIFY
    nesting = Nesting.RISING
    Options = SparsityOptions

    def __init__(self, options: SparsityOptions | None = None) -> None:
        super().__init__(options)
        self._densities: Mapping[str, int] | None = None

    @property
    def nests(self) -> Nesting:
        return Nesting(self.options.nesting)

    @property
    def network_level(self) -> int | None:
        return int(self.options.densities[0]) if self.options.scope == "global" else None

    @property
    def follows_progress(self) -> bool:
        return bool(self.options.schedule == "gradual")

    def prepared(self, network: Network, weights: Sequence[npt.NDArray[Any]]) -> Transform:
        if self.network_level is None:
            return self
        found = Sparsity(self.options)
        found._densities = global_densities(network, weights, self.network_level)
        return found

    def offered(self, network: Network, site: str) -> Offered:
        if self.network_level is not None:
            level = self.network_level
            return Offered(np.array([level], np.int64), f"{100 - level} % of all weights of the network are zero")
        used = {index for layer in network.layers if layer.name == site for index in layer.weights}
        kernels = {index for index in used if network.weights[index].kind is WeightKind.KERNEL}
        if not kernels:
            return Offered.nothing("it has no kernel")
        suited = {index for index in kernels if self.projects(network.weights[index])}
        if not suited:
            return Offered.nothing("it has no kernel with 4 or more inputs in a row")
        others = sorted({layer.name for layer in network.layers if layer.name != site and suited & {*layer.weights}})
        if others:
            return Offered.nothing(f"it shares its kernel with layer '{others[0]}'")
        saving: list[int] = []
        costly: list[int] = []
        for density in self.options.densities:
            saves = sum(saved_bits(network, network.weights[index], density) for index in suited) > 0
            (saving if saves else costly).append(density)
        reason = _too_small(costly) if costly else ""
        return Offered(np.array([*saving, UNTOUCHED], np.int64), reason) if saving else Offered.nothing(reason)

    def described(self, part: LayerPart, level: int) -> LayerPart:
        return stored_sparse(part, lambda weight: self._density(weight, level))

    def projects(self, of: Weight) -> bool:
        return of.kind is WeightKind.KERNEL and self.options.kind.suits(of)

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        density = self._density(of, level)
        if density == UNTOUCHED:
            return weight
        return _masked(weight, magnitude_mask(weight, of, self.options.kind, density))

    def begun(self, start: Start, of: Weight, level: int) -> Callable[[FloatArray, float], FloatArray]:
        def mask(values: FloatArray, progress: float) -> BoolArray:
            def density(level: int) -> int:
                return self._scheduled(self._density(of, level), progress)

            nested = [SmallerMask(each.positions, density(each.level)) for each in start.smaller]
            inner = () if self.nests is Nesting.FREE else nested
            return nested_mask(values, of, self.options.kind, density(level), inner)

        if self.options.schedule == "one-shot":
            fixed = mask(start.values, 1.0)
            return lambda values, progress: _masked(values, fixed)
        return lambda values, progress: _masked(values, mask(values, progress))

    def _density(self, of: Weight, level: int) -> int:
        """The percentage of a weight that stays at a level of its layer."""
        if not self.projects(of):
            return UNTOUCHED
        return level if self._densities is None else self._densities.get(of.name, level)

    def _scheduled(self, density_percent: int, progress: float) -> int:
        if self.options.schedule != "gradual":
            return density_percent
        return gradual_density(density_percent, progress, self.options.ramp, self.options.kind)


def _masked(values: FloatArray, mask: BoolArray) -> FloatArray:
    return np.where(mask, values, 0.0)


def _too_small(densities: list[int]) -> str:
    zeros = " or ".join(f"{100 - density} %" for density in densities)
    return f"zeros at {zeros} would save less than a mask and the start of each output channel take"
