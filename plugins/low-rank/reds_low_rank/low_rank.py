"""The transform `low-rank`: at which rank each dense layer and convolution computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import InputError
from reds_core.network import Network, Weight, WeightKind
from reds_core.transforms import LayerPart, Nesting, Offered, Stage, Transform, layer_parts
from reds_low_rank.chains import chained, layouts
from reds_low_rank.decomposition import positive_definite
from reds_low_rank.schemes import ChannelSplit, Scheme, Shape, SpatialSplit, Tucker

WHOLE = 100
"""The level that leaves a layer as it is."""
SCHEMES: dict[str, Scheme] = {"channels": ChannelSplit(), "spatial": SpatialSplit(), "tucker": Tucker()}


@dataclass(frozen=True)
class LowRankOptions:
    """Options of `low-rank`.

    Attributes:
        levels: the ranks that a layer may have, joined by commas, each in percent of the rank at which the factors have
            as many weights as the layer. 100, the layer as it is, is always among them.
        scheme: what becomes of kernels of more than one position: "spatial" is a k x 1 kernel, then a 1 x k kernel;
            "channels" is a kernel of the same size that computes fewer channels, then a 1 x 1 kernel; "tucker" is a
            1 x 1 kernel, a k x k kernel of fewer channels, then a 1 x 1 kernel.
        nesting: "rising" if a smaller member of a family has at most the rank of a larger one; "free" if ranks of
            members do not depend on each other; "equal" if all members have the same.
    """

    levels: str = "25,50,75"
    scheme: Literal["spatial", "channels", "tucker"] = "spatial"
    nesting: Literal["rising", "free", "equal"] = "rising"

    def __post_init__(self) -> None:
        _ = self.percents

    @property
    def percents(self) -> tuple[int, ...]:
        """The levels in rising order, the last of which is 100.

        Raises:
            InputError: If they are not a list of whole numbers from 1 to 100.
        """
        parts = [part.strip() for part in self.levels.split(",")]
        if any(not (part.isascii() and part.isdecimal() and 1 <= int(part) <= WHOLE) for part in parts):
            raise InputError(
                f"option low-rank.levels cannot be '{self.levels}'",
                "give whole numbers from 1 to 100, as in levels=25,50,75",
            )
        return tuple(sorted({*map(int, parts), WHOLE}))


class LowRank(Transform):
    """Chooses the rank of each dense layer and convolution, which becomes two or three layers with fewer weights.

    The bias and the activation stay with the last of them. The rank of a layer is the same at all widths.
    """

    name = "low-rank"
    what = "rank_percent"
    stage = Stage.REWRITE
    nesting = Nesting.RISING
    reads_inputs: ClassVar[bool] = True
    Options = LowRankOptions

    @property
    def nests(self) -> Nesting:
        return Nesting(self.options.nesting)

    def offered(self, network: Network, site: str) -> Offered:
        part = layer_parts(network)[site]
        reason = _no_levels(part) or _shared(network, site, part)
        if reason:
            return Offered.nothing(reason)
        shape = Shape.of(_kernel(part).shape)
        scheme = self._scheme(shape.spatial)
        percents: dict[tuple[int, ...], int] = {}
        for percent in self.options.percents[:-1]:
            ranks = scheme.ranks(shape, percent)
            if scheme.size(shape, ranks) < shape.size:
                percents.setdefault(ranks, percent)
        if self.options.percents == (WHOLE,):
            return Offered.nothing(f"{WHOLE} is its only level")
        if not percents:
            return Offered.nothing("factors of each of the ranks have at least as many weights as the layer")
        return Offered(np.array([*percents.values(), WHOLE], np.int64))

    def described(self, part: LayerPart, level: int) -> LayerPart:
        if level == WHOLE:
            return part
        shape = Shape.of(_kernel(part).shape)
        scheme = self._scheme(shape.spatial)
        factors = scheme.chain(shape.spatial, scheme.ranks(shape, level))
        return chained(part, factors)

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        if level == WHOLE or not self.projects(of) or not np.isfinite(weight).all():
            return weight
        scheme, ranks = self._ranks(weight, of, level)
        return scheme.projected(weight, ranks, None)

    def factors(
        self, of: Weight, level: int, inputs: FloatArray | None
    ) -> Callable[[FloatArray], tuple[FloatArray, ...]]:
        metric = _metric(inputs)  # once, since a training calls the function in each step

        def factors(values: FloatArray) -> tuple[FloatArray, ...]:
            scheme, ranks = self._ranks(values, of, level)
            if not np.isfinite(values).all():  # a training that diverged, which reports it by itself
                chain = scheme.factors(np.zeros(values.shape), ranks, None)
                return tuple(np.full(kernel.shape, np.nan) for kernel in chain)
            fits = metric is not None and len(metric) == values.shape[-2]
            return scheme.factors(values, ranks, metric if fits else None)

        return factors

    def _ranks(self, values: FloatArray, of: Weight, level: int) -> tuple[Scheme, tuple[int, ...]]:
        """Return the scheme and the ranks of a kernel; without its full shape, those of the values."""
        shape = Shape.of(of.shape or values.shape)
        scheme = self._scheme(shape.spatial)
        return scheme, scheme.ranks(shape, level)

    def _scheme(self, spatial: tuple[int, ...]) -> Scheme:
        return SCHEMES[self.options.scheme if max(spatial, default=1) > 1 else "channels"]


def _kernel(part: LayerPart) -> Weight:
    return next(weight for weight in part.weights if weight.kind is WeightKind.KERNEL)


def _no_levels(part: LayerPart) -> str:
    """Why a layer by itself has no levels; empty if it has."""
    kernels = [weight for weight in part.weights if weight.kind is WeightKind.KERNEL]
    if not kernels:
        return "it has no kernel"
    if any(len(call.inputs) != 1 for call in part.layers):
        return "it reads more than one tensor"
    found = [layouts(call, part.tensors, kernels[0]) for call in part.layers]
    if len(kernels) > 1 or not all(found):
        return "it is neither a dense layer nor a convolution without groups"
    if any(len(each) > 1 for each in found):
        return "its shapes do not tell whether its channels are the first or the last dimension"
    return ""


def _shared(network: Network, site: str, part: LayerPart) -> str:
    """Why a layer whose kernel other layers use has no levels; empty if none does."""
    kernel = _kernel(part).name
    uses = (layer for layer in network.layers if layer.name != site)
    other = next((o.name for o in uses if any(network.weights[w].name == kernel for w in o.weights)), None)
    return "" if other is None else f"it shares its kernel with layer '{other}'"


def _metric(inputs: FloatArray | None) -> FloatArray | None:
    """Return second moments of the inputs of a kernel that can be inverted, or None if there are none."""
    if inputs is None or not np.isfinite(inputs).all():
        return None
    return positive_definite(inputs)
