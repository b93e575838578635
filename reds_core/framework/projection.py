"""Projections of weights onto what transforms let them be, which frameworks train through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray, IntArray
from reds_core.framework.family import member_kept
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Network, Weight, WeightKind
from reds_core.plugin import guarded
from reds_core.transforms.describing import layer_parts
from reds_core.transforms.factors import composed
from reds_core.transforms.quantiser import UniformQuantiser
from reds_core.transforms.start import Smaller, Start
from reds_core.transforms.transform import LayerPart, Stage, Transform

Values = Callable[[FloatArray], FloatArray]
"""Returns values in the place of those of a weight, in the same shape."""
MOST_CHANNELS = 4096
"""The most channels of a tensor whose second moments are measured, a matrix of then 128 MiB in double precision."""


@dataclass(frozen=True)
class Projection:
    """A projection of the values of one weight.

    Attributes:
        quantiser: The quantiser that `function` applies, if it is one, so that frameworks can compute it by themselves.
        function: Returns the projected values of a weight with any number of its channels, in the same shape. It is
            idempotent.
        axes: The axes along which each position has a scale of its own, as `UniformQuantiser.quantised` takes them.
        begin: Returns the projection from the values that the weight starts with, and from the second moments of what
            its layer reads, if these are asked for and known. None if it is the same from any start.
        reads: The index in `Network.tensors` of the tensor whose second moments `begin` takes; None if it takes none,
            or if they would be too large to be measured.
        scheduled: What `function` does in the course of a training, given the share of its steps that are done, 0 to 1;
            None if that does not matter.
        factors: For a kernel whose layer is replaced by a chain of layers: returns the kernels of these layers.
        held: What a model holds after a training in place of `function`, if that is not the same: a kernel whose layer
            is replaced is not quantised itself, since the kernels that replace it are.
        whole: Whether it is applied to the weight of the full network, of which a member then has its part, instead of
            to the part by itself.
    """

    quantiser: UniformQuantiser | None
    function: Values
    axes: tuple[int, ...] = ()
    begin: Callable[[FloatArray, FloatArray | None], Projection] | None = None
    reads: int | None = None
    scheduled: Callable[[FloatArray, float], FloatArray] | None = None
    factors: Callable[[FloatArray], tuple[FloatArray, ...]] | None = None
    held: Values | None = None
    whole: bool = False

    @classmethod
    def of(cls, quantiser: UniformQuantiser, axes: tuple[int, ...], whole: bool = False) -> Projection:
        """Return the projection by a quantiser with one scale for each position along `axes`."""
        return cls(quantiser, lambda weight: quantiser.quantised(weight, axes), axes, whole=whole)

    def begun(self, values: FloatArray, inputs: FloatArray | None = None) -> Projection:
        """Return the projection of a weight that starts with given values.

        Args:
            values: The values, float64.
            inputs: The second moments of the channels that the layer reads, float64 (channels, channels), or None.
        """
        return self if self.begin is None else self.begin(values, inputs)

    def holds(self, values: FloatArray) -> FloatArray:
        """Return what a model holds of the values of the weight after a training."""
        return (self.held or self.function)(values)


@dataclass(frozen=True)
class SmallerNetwork:
    """A network of a family that is smaller than another.

    Attributes:
        widths: The width of each group.
        settings: The levels of its layers.
    """

    widths: Mapping[str, int]
    settings: LevelSettings


@dataclass(frozen=True)
class _Step:
    """What one transform does to a weight of a layer."""

    transform: Transform
    level: int
    weight: Weight
    smaller: tuple[Smaller, ...] = ()

    @property
    def quantiser(self) -> UniformQuantiser | None:
        return self.transform.quantiser(self.weight, self.level)

    def projected(self, values: FloatArray) -> FloatArray:
        with guarded(self.transform):
            return self.transform.projected(values, self.weight, self.level)

    def begun(self, values: FloatArray, inputs: FloatArray | None) -> Callable[[FloatArray, float], FloatArray]:
        start = Start(values, self._taken(inputs), self.smaller)
        with guarded(self.transform):
            begun = self.transform.begun(start, self.weight, self.level)

        def at(values: FloatArray, progress: float) -> FloatArray:
            with guarded(self.transform):
                return begun(values, progress)

        return at

    def factors(self, inputs: FloatArray | None) -> Callable[[FloatArray], tuple[FloatArray, ...]]:
        with guarded(self.transform):
            factors = self.transform.factors(self.weight, self.level, self._taken(inputs))

        def of(values: FloatArray) -> tuple[FloatArray, ...]:
            with guarded(self.transform):
                return factors(values)

        return of

    def _taken(self, inputs: FloatArray | None) -> FloatArray | None:
        return inputs if self.transform.reads_inputs else None


def projections(
    network: Network,
    transforms: Sequence[Transform],
    settings: LevelSettings,
    *,
    of_untouched: bool = False,
    widths: Mapping[str, int] | None = None,
    smaller: Sequence[SmallerNetwork] = (),
) -> dict[int, Projection]:
    """Return the projections of the weights of one network at the levels of its layers, by index in `network.weights`.

    Several projections of one weight are applied in the order of the stages of their transforms. If the first replaces
    the layer, those that follow are applied to each of the kernels that replace its kernel.

    Args:
        network: The description of the network. Its members have the same weights, with fewer channels.
        transforms: The transforms whose levels are in `settings`.
        settings: The levels of the layers of one network.
        of_untouched: Whether layers at the last level of a transform, which leaves their weights as they are, are
            trained through the quantiser that the transform names for that level, if it names one.
        widths: The width of each group in that network; by default its full width.
        smaller: The smaller networks of its family, smallest first, which have the first channels of each group.
    """
    sites: dict[int, set[str]] = {}
    reads: dict[str, int] = {}
    for layer in network.layers:
        reads.setdefault(layer.name, layer.inputs[0] if layer.inputs else -1)
        for index in layer.weights:
            sites.setdefault(index, set()).add(layer.name)
    parts = layer_parts(network)
    ordered = sorted(transforms, key=lambda transform: transform.stage)
    found: dict[int, Projection] = {}
    for index, weight in enumerate(network.weights):
        steps: list[_Step] = []
        for transform in ordered:
            for site in sorted(sites.get(index, ())):
                level = _level(network, transform, settings, site, weight, of_untouched)
                if level is None:
                    continue
                nested = _smaller_parts(network, transform, site, weight, widths or network.channels, smaller)
                steps.append(_Step(transform, level, weight, nested))
        if not steps:
            continue
        site = min(sites[index])
        if steps[0].transform.stage is Stage.REWRITE:
            found[index] = _rewriting(steps, parts[site])
        else:
            found[index] = _chained(steps)
        if any(step.transform.reads_inputs for step in steps) and has_second_moments(network, reads[site]):
            found[index] = replace(found[index], reads=reads[site])
    return found


def parts_of_whole(
    network: Network, weights: Sequence[npt.NDArray[Any]], widths: Mapping[str, int], found: Mapping[int, Projection]
) -> dict[int, Projection]:
    """Return the projections of a member, of which those of whole weights return its parts of them.

    Args:
        network: The description of the full network.
        weights: The weights of the full network.
        widths: The width of each group in the member.
        found: The projections of the member by index in `network.weights`.
    """

    def part(index: int, projection: Projection) -> Projection:
        positions = _positions(network, network.weights[index], widths)
        values = projection.function(np.asarray(weights[index], np.float64))[np.ix_(*positions)]
        return Projection(None, lambda weight: values)

    return {index: part(index, each) if each.whole else each for index, each in found.items()}


def has_second_moments(network: Network, tensor: int) -> bool:
    """Return whether the second moments of the channels of a tensor are measured: if they are not too many.

    Args:
        network: The description of the full network.
        tensor: The index of the tensor in `network.tensors`; negative for none.
    """
    return tensor >= 0 and network.tensors[tensor].axis.full(network.channels) <= MOST_CHANNELS


def _level(
    network: Network, transform: Transform, settings: LevelSettings, site: str, weight: Weight, of_untouched: bool
) -> int | None:
    """Return the level of a layer if a transform projects one of its weights there; None if it leaves it as it is."""
    if not transform.projects(weight):
        return None
    if transform.network_level is not None:
        return transform.level_of(site)
    levels = transform.offered(network, site).levels
    if len(levels) == 0:
        return None
    last = int(levels[-1])
    level = settings.at(site, transform.what)
    level = last if level is None else level
    if level < last or (of_untouched and transform.quantiser(weight, level) is not None):
        return level
    return None


def _smaller_parts(
    network: Network,
    transform: Transform,
    site: str,
    weight: Weight,
    widths: Mapping[str, int],
    smaller: Sequence[SmallerNetwork],
) -> tuple[Smaller, ...]:
    """Return the parts of a weight that smaller networks have at a level that does not leave the layer as it is."""
    own = _positions(network, weight, widths)
    found = []
    for each in smaller:
        level = _level(network, transform, each.settings, site, weight, False)
        if level is not None:
            inner = _positions(network, weight, each.widths)
            found.append(Smaller(level, tuple(map(_where, own, inner))))
    return tuple(found)


def _positions(network: Network, weight: Weight, widths: Mapping[str, int]) -> list[IntArray]:
    kept = member_kept(widths)
    return [axis.positions(kept, network.channels) for axis in weight.axes]


def _where(own: IntArray, inner: IntArray) -> IntArray:
    """Return where the elements of `inner` are in `own`, in rising order."""
    return np.flatnonzero(np.isin(own, inner)).astype(np.int64)


def _chained(steps: Sequence[_Step]) -> Projection:
    """Return the projection by one transform after the other."""
    if len(steps) == 1:
        quantiser = steps[0].quantiser
        if quantiser is not None:
            return Projection.of(quantiser, steps[0].weight.scales_along, steps[0].transform.projects_whole)

    def begin(values: FloatArray, inputs: FloatArray | None) -> Projection:
        begun = []
        for step in steps:
            begun.append(step.begun(values, inputs))
            values = begun[-1](values, 1.0)

        def at(values: FloatArray, progress: float) -> FloatArray:
            for function in begun:
                values = function(values, progress)
            return values

        scheduled = at if any(step.transform.follows_progress for step in steps) else None
        return Projection(None, lambda values: at(values, 1.0), scheduled=scheduled)

    return Projection(None, lambda values: _through(steps, values), begin=begin)


def _through(steps: Sequence[_Step], values: FloatArray) -> FloatArray:
    for step in steps:
        values = step.projected(values)
    return values


def _rewriting(steps: Sequence[_Step], part: LayerPart) -> Projection:
    """Return the projection of a kernel whose layer is replaced by a chain of layers.

    The kernels of the chain may turn from step to step of a training without changing their product, so nothing can be
    decided about them once: later transforms project them as they are.
    """
    first, later = steps[0], steps[1:]
    kernels = rewritten_kernels(first.transform, first.level, part)
    own = [
        [_Step(step.transform, step.level, kernel) for step in later if step.transform.projects(kernel)]
        for _, kernel in kernels
    ]

    def begin(values: FloatArray, inputs: FloatArray | None) -> Projection:
        plain = first.factors(inputs)

        def factors(values: FloatArray) -> tuple[FloatArray, ...]:
            return tuple(_through(chain, each) for chain, each in zip(own, plain(values), strict=True))

        return Projection(
            None,
            lambda values: composed(factors(values)),
            factors=factors,
            held=lambda values: composed(plain(values)),
        )

    found = begin(np.zeros(0), None)
    return replace(found, begin=begin)


def rewritten_kernels(transform: Transform, level: int, part: LayerPart) -> list[tuple[str, Weight]]:
    """Return the layers that replace a layer, each with its kernel, from the first to the last.

    Args:
        transform: A transform of the stage REWRITE.
        level: A level of the layer other than the last.
        part: The layer as it is.
    """
    found: dict[str, Weight] = {}
    described = transform.described(part, level)
    for layer in described.layers:
        for weight in (described.weights[index] for index in layer.weights):
            if weight.kind is WeightKind.KERNEL:
                found.setdefault(layer.name, weight)
    return list(found.items())
