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
    what = "density_percent"
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
        level = self.network_level
        if level is None:
            return self
        found = Sparsity(self.options)
        sites = dict.fromkeys(layer.name for layer in network.layers)
        suited = {site: self._kernels(network, site) for site in sites}
        kernels = {
            site: np.concatenate([np.reshape(weights[index], -1) for index in each])
            for site, each in suited.items()
            if not isinstance(each, str)
        }
        found._densities = dict.fromkeys(sites, UNTOUCHED) | dict(global_densities(kernels, level))
        return found

    def restored(self, levels: Mapping[str, int]) -> Transform:
        found = Sparsity(self.options)
        found._densities = dict(levels)
        return found

    def level_of(self, site: str) -> int | None:
        return self.network_level if self._densities is None else self._densities.get(site, UNTOUCHED)

    def offered(self, network: Network, site: str) -> Offered:
        if self.network_level is not None:
            level = self.level_of(site)
            assert level is not None
            reason = f"one threshold for all kernels leaves {level} % of its weights"
            return Offered(np.array([level], np.int64), reason)
        kernels = self._kernels(network, site)
        if isinstance(kernels, str):
            return Offered.nothing(kernels)
        saving: list[int] = []
        costly: list[int] = []
        for density in self.options.densities:
            saves = sum(saved_bits(network, network.weights[index], density) for index in kernels) > 0
            (saving if saves else costly).append(density)
        reason = _too_small(costly) if costly else ""
        return Offered(np.array([*saving, UNTOUCHED], np.int64), reason) if saving else Offered.nothing(reason)

    def _kernels(self, network: Network, site: str) -> list[int] | str:
        """Return the kernels of a layer that can be sparse, as indices of weights, or why there are none."""
        calls = [layer for layer in network.layers if layer.name == site]
        used = sorted({index for layer in calls for index in layer.weights})
        kernels = [index for index in used if network.weights[index].kind is WeightKind.KERNEL]
        if not kernels:
            return "it has no kernel"
        terms = [term for layer in calls for term in layer.macs]
        if terms and all(len(term.factors) == 1 for term in terms):
            return "each of its output channels reads a single channel, so it has few weights"
        suited = [index for index in kernels if self.projects(network.weights[index])]
        if not suited:
            return "it has no kernel with 4 or more inputs in a row"
        others = sorted({layer.name for layer in network.layers if layer.name != site and {*suited} & {*layer.weights}})
        return f"it shares its kernel with layer '{others[0]}'" if others else suited

    def described(self, part: LayerPart, level: int) -> LayerPart:
        return stored_sparse(part, lambda weight: level if self.projects(weight) else UNTOUCHED)

    def projects(self, of: Weight) -> bool:
        return of.kind is WeightKind.KERNEL and self.options.kind.suits(of)

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        if level == UNTOUCHED or not self.projects(of):
            return weight
        return _masked(weight, magnitude_mask(weight, of, self.options.kind, level))

    def begun(self, start: Start, of: Weight, level: int) -> Callable[[FloatArray, float], FloatArray]:
        if level == UNTOUCHED:
            return lambda values, progress: values

        def mask(values: FloatArray, progress: float) -> BoolArray:
            nested = [SmallerMask(each.positions, self._scheduled(each.level, progress)) for each in start.smaller]
            inner = () if self.nests is Nesting.FREE else nested
            return nested_mask(values, of, self.options.kind, self._scheduled(level, progress), inner)

        if self.options.schedule == "one-shot":
            fixed = mask(start.values, 1.0)
            return lambda values, progress: _masked(values, fixed)
        return lambda values, progress: _masked(values, mask(values, progress))

    def _scheduled(self, density_percent: int, progress: float) -> int:
        if self.options.schedule != "gradual":
            return density_percent
        return gradual_density(density_percent, progress, self.options.ramp, self.options.kind)


def _masked(values: FloatArray, mask: BoolArray) -> FloatArray:
    return np.where(mask, values, 0.0)


def _too_small(densities: list[int]) -> str:
    zeros = " or ".join(f"{100 - density} %" for density in densities)
    return f"zeros at {zeros} would save less than a mask and the start of each output channel take"
