"""Projections of weights onto what transforms let them be, which frameworks train through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reds_core.arrays import FloatArray
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Network, Weight
from reds_core.transforms.quantiser import UniformQuantiser
from reds_core.transforms.transform import Transform


@dataclass(frozen=True)
class Projection:
    """A projection of the values of one weight.

    Attributes:
        quantiser: The quantiser that `function` applies, if it is one, so that frameworks can compute it by themselves.
        function: Returns the projected values of a weight with any number of its channels, in the same shape. It is
            idempotent.
        axes: The axes along which each position has a scale of its own, as `UniformQuantiser.quantised` takes them.
    """

    quantiser: UniformQuantiser | None
    function: Callable[[FloatArray], FloatArray]
    axes: tuple[int, ...] = ()

    @classmethod
    def of(cls, quantiser: UniformQuantiser, axes: tuple[int, ...]) -> Projection:
        """Return the projection by a quantiser with one scale for each position along `axes`."""
        return cls(quantiser, lambda weight: quantiser.quantised(weight, axes), axes)


def projections(
    network: Network, transforms: Sequence[Transform], settings: LevelSettings, *, of_untouched: bool = False
) -> dict[int, Projection]:
    """Return the projections of the weights of one network at the levels of its layers, by index in `network.weights`.

    Several projections of one weight are applied in the order of the stages of their transforms.

    Args:
        network: The description of the network. Its members have the same weights, with fewer channels.
        transforms: The transforms whose levels are in `settings`.
        settings: The levels of the layers of one network.
        of_untouched: Whether layers at the last level of a transform, which leaves their weights as they are, are
            trained through the quantiser that the transform names for that level, if it names one.
    """
    sites: dict[int, set[str]] = {}
    for layer in network.layers:
        for index in layer.weights:
            sites.setdefault(index, set()).add(layer.name)
    ordered = sorted(transforms, key=lambda transform: transform.stage)
    found: dict[int, Projection] = {}
    for index, weight in enumerate(network.weights):
        steps: list[Projection] = []
        for transform in ordered:
            for site in sorted(sites.get(index, ())):
                step = _step(network, transform, settings, site, weight, of_untouched)
                steps += [] if step is None else [step]
        if len(steps) == 1:
            found[index] = steps[0]
        elif steps:
            found[index] = Projection(None, _composed([step.function for step in steps]))
    return found


def _step(
    network: Network, transform: Transform, settings: LevelSettings, site: str, weight: Weight, of_untouched: bool
) -> Projection | None:
    """Return what one transform does to a weight of a layer, or None if it leaves it as it is."""
    if not transform.projects(weight):
        return None
    levels = transform.offered(network, site).levels
    if len(levels) == 0:
        return None
    last = int(levels[-1])
    level = settings.at(site, transform.what)
    level = last if level is None else level
    if level == last and not of_untouched:
        return None
    quantiser = transform.quantiser(weight, level)
    if quantiser is not None:
        return Projection.of(quantiser, weight.scales_along)
    return None if level == last else Projection(None, lambda values: transform.projected(values, weight, level))


def _composed(functions: Sequence[Callable[[FloatArray], FloatArray]]) -> Callable[[FloatArray], FloatArray]:
    def composed(weight: FloatArray) -> FloatArray:
        for function in functions:
            weight = function(weight)
        return weight

    return composed
