"""Models of subnetworks at the levels of their layers: with projected weights, and with layers that are replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray
from reds_core.framework.data import Arrays, sampled
from reds_core.framework.framework import Framework, WeightArrays
from reds_core.framework.projection import Projection, rewritten_kernels
from reds_core.framework.second_moments import second_moments
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Network
from reds_core.transforms.describing import layer_parts
from reds_core.transforms.transform import Stage, Transform

MOMENT_EXAMPLES = 2048
"""Maximum number of examples on which the second moments of what layers read are measured."""


@dataclass(frozen=True, eq=False)
class Projected:
    """A model whose weights were projected, and the weights that it had.

    Attributes:
        framework: The framework of the model.
        model: The model.
        network: Its description.
        projections: The projections of its weights, by index in `network.weights`.
    """

    framework: Framework
    model: Any
    network: Network
    projections: Mapping[int, Projection]

    @cached_property
    def before(self) -> WeightArrays:
        """The weights before the projection."""
        return self.framework.weights(self.model, self.network)

    def project(self) -> None:
        """Set the weights of the model to their projections."""
        self._set({index: each.function for index, each in self.projections.items()})

    def undo(self) -> None:
        """Set the weights of the model to those that it had."""
        self.framework.assign(self.model, self.network, self.before)

    def hold(self) -> None:
        """Set the weights of the model to what a model holds after a training, from which layers can be replaced."""
        if any(each.held is not None for each in self.projections.values()):
            self._set({index: each.holds for index, each in self.projections.items()})

    def _set(self, functions: Mapping[int, Callable[[FloatArray], FloatArray]]) -> None:
        weights = [
            functions[index](own.astype(np.float64)).astype(own.dtype) if index in functions else now
            for index, (own, now) in enumerate(
                zip(self.before, self.framework.weights(self.model, self.network), strict=True)
            )
        ]
        self.framework.assign(self.model, self.network, weights)


def begun(
    framework: Framework, model: Any, network: Network, found: Mapping[int, Projection], examples: Arrays | None
) -> dict[int, Projection]:
    """Return projections from the present weights of a model on.

    Args:
        framework: The framework of the model.
        model: The model.
        network: The description of the model.
        found: The projections by index in `network.weights`.
        examples: Examples on which the statistics are measured for which projections ask, or None.
    """
    weights = framework.weights(model, network)
    reads = [each.reads for each in found.values() if each.reads is not None]
    moments: Mapping[int, FloatArray] = {}
    if reads and examples is not None:
        moments = second_moments(framework, model, network, reads, sampled(examples, MOMENT_EXAMPLES, 0).x)
    return {
        index: each.begun(weights[index].astype(np.float64), None if each.reads is None else moments.get(each.reads))
        for index, each in found.items()
    }


def chains_of(network: Network, transforms: Sequence[Transform], settings: LevelSettings) -> dict[str, tuple[str, ...]]:
    """Return the layers that are replaced, each with the names of the layers that replace it, first to last.

    Args:
        network: The description of the network.
        transforms: The transforms whose levels are in `settings`.
        settings: The levels that do not leave a layer as it is.
    """
    rewriting = {each.what: each for each in transforms if each.stage is Stage.REWRITE}
    chosen = [(each.site, rewriting[each.what], level) for each, level in settings.chosen() if each.what in rewriting]
    parts = layer_parts(network) if chosen else {}
    return {site: tuple(name for name, _ in rewritten_kernels(t, level, parts[site])) for site, t, level in chosen}


def rewritten(
    framework: Framework,
    model: Any,
    network: Network,
    chains: Mapping[str, Sequence[str]],
    projections: Mapping[int, Projection],
) -> Any:
    """Return a model in which layers are replaced by chains of layers whose kernels are projected.

    Args:
        framework: The framework of the model.
        model: The model, which holds the weights before the projection, or what it holds of them after a training.
        network: The description of the model.
        chains: The layers that are replaced, as `chains_of` returns them.
        projections: The projections of the weights of the model, which have begun.

    Raises:
        UnsupportedError: If the framework cannot replace a layer.
    """
    weights = framework.weights(model, network)
    kernels: dict[str, list[tuple[str, npt.NDArray[Any]]]] = {}
    for index, projection in projections.items():
        site = network.weights[index].layer
        if projection.factors is not None and site in chains:
            found = projection.factors(weights[index].astype(np.float64))
            kernels[site] = [(n, k.astype(weights[index].dtype)) for n, k in zip(chains[site], found, strict=True)]
    return framework.rewrite(model, network, kernels)


def settings_of_rewritten(
    chains: Mapping[str, Sequence[str]], transforms: Sequence[Transform], settings: LevelSettings
) -> LevelSettings:
    """Return the levels of the layers of a model in which some layers are replaced.

    The layers of a chain have the levels of the layer that they replace, apart from those by which it is replaced.

    Args:
        chains: The layers that are replaced, as `chains_of` returns them.
        transforms: The transforms whose levels are in `settings`.
        settings: The levels of the layers of the network before any is replaced.
    """
    whats = {each.what for each in transforms if each.stage is Stage.REWRITE}
    found: dict[str, Mapping[str, int]] = {}
    for site, levels in settings.levels.items():
        own = {what: level for what, level in levels.items() if what not in whats}
        if own:
            found.update(dict.fromkeys(chains.get(site, (site,)), own))
    return LevelSettings(found)
