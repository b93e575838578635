"""How much the loss rises if a single layer gets one of its levels, before training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.errors import ContractViolation, InputError
from reds_core.framework.framework import WeightArrays
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Network, Weight
from reds_core.plugin import guarded
from reds_core.scoring.level_excesses import LevelExcess
from reds_core.scoring.levels_offered import LevelsOffered, falling, moments_of_sites
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.transforms.factors import composed
from reds_core.transforms.start import Start
from reds_core.transforms.transform import Stage, Transform


@dataclass(frozen=True, eq=False)
class LevelLoss:
    """What the levels of one layer cost in loss while all other layers are as they are.

    Attributes:
        site: The name of the layer.
        what: What the levels decide, such as "weight_bits".
        levels: The levels in rising order, int64 (levels,). The last leaves the layer as it is.
        losses: The mean loss at each level, float64 (levels,). The last is the loss of the untouched model.
    """

    site: str
    what: str
    levels: IntArray
    losses: FloatArray

    @cached_property
    def rises(self) -> FloatArray:
        """By how much each level raises the loss, float64 (levels,), at least 0 and 0 for the last.

        A lower level never raises the loss by less than a higher one: where the measured losses say so, which is
        noise, their isotonic regression takes their place. A rise below 0 counts as 0 for the same reason.
        """
        measured = self.losses[:-1] - self.losses[-1]
        return np.append(np.maximum(falling(measured), 0.0), 0.0)


@dataclass(frozen=True, eq=False)
class LevelLosses:
    """What the levels of each layer cost in loss, each layer alone.

    Attributes:
        base: The mean loss of the untouched model, whose batch-norm statistics were measured in the same way.
        sites: The layers and what was decided about them, in the order in which they were offered.
        examples: The number of examples on which losses were measured.
        excesses: How much more two levels of one layer cost together than alone, where that was measured.
    """

    base: float
    sites: tuple[LevelLoss, ...]
    examples: int
    excesses: tuple[LevelExcess, ...] = ()

    @cached_property
    def rises(self) -> Mapping[tuple[str, str], FloatArray]:
        """For each layer and what is decided about it: by how much each level raises the loss, float64 (levels,)."""
        return {(each.site, each.what): each.rises for each in self.sites}

    def rise(self, settings: LevelSettings) -> float:
        """Return the sum of the rises of the loss by the levels of some layers, with what they cost more together.

        Other layers are as they are.

        Raises:
            KeyError: If a level was not measured.
        """
        total = sum(each.at(settings) for each in self.excesses)
        for each in self.sites:
            level = settings.at(each.site, each.what)
            if level is not None:
                rises = dict(zip(each.levels.tolist(), each.rises.tolist(), strict=True))
                total += rises[level]
        return total


def level_losses(
    measuring: LossMeasurement, offers: Sequence[LevelsOffered], told: Callable[[int, int], None] | None = None
) -> LevelLosses:
    """Measure how much the loss rises if a single layer gets one of its levels, with recalibrated batch norms.

    Costs one measurement for each level of each layer except the last, and one for the untouched model.

    Args:
        measuring: The model, the data, and how losses are measured.
        offers: The layers, the transforms and the levels that are offered. Offers of fewer than two levels decide
            nothing and are omitted.
        told: Called after each measurement with the number of finished measurements and their total number.

    Raises:
        InputError: If a loss is not finite.
        ContractViolation: If a projection does not have the shape of its weight, or is not finite.
        PluginFailure: If a transform raises an unexpected exception.
    """
    deciding = [offer for offer in offers if len(offer.levels) > 1]
    own = measuring.framework.weights(measuring.model, measuring.network)
    inputs = moments_of_sites(measuring, [each.site for each in deciding if each.transform.reads_inputs])
    total = 1 + sum(len(offer.levels) - 1 for offer in deciding)

    def variants() -> Iterator[WeightArrays]:
        yield own
        for offer in deciding:
            for level in offer.levels[:-1]:
                yield projected(measuring.network, own, offer.site, offer.transform, int(level), inputs.get(offer.site))

    def losses() -> Iterator[float]:
        for done, loss in enumerate(measuring.losses(variants()), start=1):
            if not math.isfinite(loss):
                raise InputError(
                    "the loss on the training data is not a finite number, so that losses cannot be compared",
                    "check the weights of the model and the labels",
                )
            if told is not None:
                told(done, total)
            yield float(loss)

    found = losses()
    base = next(found)
    sites = []
    for offer in deciding:
        measured = np.array([*(next(found) for _ in offer.levels[:-1]), base])
        sites.append(LevelLoss(offer.site, offer.transform.what, offer.levels, measured))
    return LevelLosses(base, tuple(sites), len(measuring.examples))


def projected(
    network: Network,
    weights: WeightArrays,
    site: str,
    transform: Transform,
    level: int,
    inputs: FloatArray | None = None,
) -> WeightArrays:
    """Return weights of a network, of which those of one layer are projected onto a level. Others are not copied.

    Args:
        network: The description of the network.
        weights: Its weights, in the order of `network.weights`.
        site: The name of the layer.
        transform: The transform that offers the level.
        level: The level.
        inputs: The second moments of what the layer reads, if the transform asks for them and they are known.

    Raises:
        ContractViolation: If a projection does not have the shape of its weight, or is not finite.
        PluginFailure: If the transform raises an unexpected exception.
    """
    changed = list(weights)
    for index in sorted({i for layer in network.layers if layer.name == site for i in layer.weights}):
        weight, array = network.weights[index], weights[index]
        with guarded(transform):
            if not transform.projects(weight):
                continue
            found = _from_here(array.astype(np.float64), weight, transform, level, inputs)
        if not isinstance(found, np.ndarray) or found.shape != array.shape or not np.all(np.isfinite(found)):
            raise ContractViolation(
                f"transform '{transform.name}' projects '{weight.name}' to values that are not finite or have another "
                "shape",
                "report it to its author, or choose another transform",
            )
        changed[index] = found.astype(array.dtype)
    return changed


def _from_here(
    values: FloatArray, weight: Weight, transform: Transform, level: int, inputs: FloatArray | None
) -> FloatArray:
    """Return the projection of a weight that starts with these values."""
    if transform.stage is Stage.REWRITE:
        return composed(transform.factors(weight, level, inputs)(values))
    return transform.begun(Start(values, inputs), weight, level)(values, 1.0)
