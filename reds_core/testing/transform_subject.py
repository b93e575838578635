"""A transform under test, and the layers that it is tested on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.framework.family import member_kept
from reds_core.knapsack.levels import Dimension, LevelSettings
from reds_core.network.description import Network, Weight
from reds_core.testing.model_subject import narrowed, sliced
from reds_core.testing.plugin_checks import PluginSubject
from reds_core.testing.report import Settings, Skip
from reds_core.testing.sample_networks import random_weights, sample_networks
from reds_core.transforms.describing import described, layer_parts
from reds_core.transforms.transform import LayerPart, Offered, Transform

TOLERANCE = 1e-9
"""By how much projected weights may differ where they should be equal, relative to the largest weight."""


def near(one: FloatArray, other: FloatArray) -> bool:
    """Whether two arrays of projected weights are the same up to rounding."""
    return one.shape == other.shape and bool(
        np.all(np.abs(one - other) <= TOLERANCE * max(float(np.abs(other).max(initial=0)), 1e-300))
    )


@dataclass(frozen=True)
class Site:
    """One layer of a sample network.

    Attributes:
        network: The network.
        name: The name of the layer.
        part: The layer as transforms see it.
    """

    network: Network
    name: str
    part: LayerPart

    @cached_property
    def weights(self) -> list[tuple[Weight, FloatArray]]:
        """The weights of the layer with random values at full width."""
        return self._narrowed(1.0)

    @cached_property
    def narrower(self) -> list[tuple[Weight, FloatArray]]:
        """The weights of the layer with random values, at half of the channels and at a single channel."""
        return [*self._narrowed(0.5), *self._narrowed(0.01)]

    def _narrowed(self, share: float) -> list[tuple[Weight, FloatArray]]:
        kept = member_kept(narrowed(self.network, share))
        values = sliced(self.network, list(random_weights(self.network, 0)), kept)
        names = {weight.name for weight in self.part.weights}
        pairs = zip(self.network.weights, values, strict=True)
        return [(weight, np.asarray(array, np.float64)) for weight, array in pairs if weight.name in names]

    def __str__(self) -> str:
        return f"layer '{self.name}' of the network '{self.network.name}'"


class TransformSubject(PluginSubject[Transform]):
    """A transform under test, with the networks that it is tested on.

    Args:
        make: Makes a transform with its options.
        settings: The expectations that the author states.
        networks: The networks; None means those of the kit.
    """

    def __init__(
        self, make: Callable[[], Transform], settings: Settings, networks: Sequence[Network] | None = None
    ) -> None:
        super().__init__(make, settings)
        self.networks = sample_networks() if networks is None else tuple(networks)

    @cached_property
    def sites(self) -> list[Site]:
        """Every layer of every network."""
        return [Site(network, name, part) for network in self.networks for name, part in layer_parts(network).items()]

    def offered(self, site: Site, transform: Transform | None = None) -> Offered:
        """What the transform offers for a layer."""
        return (transform or self.plugin).offered(site.network, site.name)

    @cached_property
    def cases(self) -> list[tuple[Site, list[int]]]:
        """The layers for which there is something to decide, with their levels.

        If the network has a level without a decision, these are all layers, each with its own level.
        """
        if self.plugin.network_level is not None:
            fixed = [(site, self.plugin.level_of(site.name)) for site in self.sites]
            return [(site, [level]) for site, level in fixed if level is not None]
        found = [(site, [int(level) for level in self.offered(site).levels]) for site in self.sites]
        return [(site, levels) for site, levels in found if len(levels) > 1]

    @property
    def untouched(self) -> Iterator[tuple[Site, int]]:
        """The last level of each layer for which there is something to decide.

        Raises:
            Skip: If the whole network has one level, which may change the layers.
        """
        if self.plugin.network_level is not None:
            raise Skip("has one level for the whole network")
        return ((site, levels[-1]) for site, levels in self.cases)

    @property
    def levels(self) -> Iterator[tuple[Site, int]]:
        """Each level of each layer of `cases`."""
        return ((site, level) for site, levels in self.cases for level in levels)

    @property
    def lower_levels(self) -> Iterator[tuple[Site, int]]:
        """Each level but the last of each layer of `cases`."""
        return ((site, level) for site, levels in self.cases for level in levels[:-1])

    def network_at(self, site: Site, level: int) -> Network:
        """The network of `site` with that layer at `level`."""
        settings = LevelSettings.of([(Dimension(site.name, self.plugin.what), level)])
        return described(site.network, [self.plugin], settings)

    def project(self, values: FloatArray, weight: Weight, level: int, transform: Transform | None = None) -> FloatArray:
        """The projection of a copy of `values`."""
        return (transform or self.plugin).projected(values.copy(), weight, level)
