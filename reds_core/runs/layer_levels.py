"""What a run does with the levels of layers that transforms offer: their values, and the weights that they leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reds_core.errors import InputError, argument
from reds_core.formulation.space import DecisionSpace, Refusal, decision_space
from reds_core.framework.family import Family
from reds_core.framework.framework import Framework
from reds_core.framework.projection import Projection, projections
from reds_core.framework.target import Target
from reds_core.framework.training import Training
from reds_core.knapsack.levels import Dimension, LevelSettings
from reds_core.network.description import Network
from reds_core.registry import Registry
from reds_core.runs.settings import RunSettings
from reds_core.runs.targets import refusal_by
from reds_core.scoring.exchange_rate import level_values, with_ties_broken
from reds_core.scoring.level_losses import LevelLosses, level_losses
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.scoring.scorer import ScoreTable
from reds_core.transforms.describing import described
from reds_core.transforms.transform import Transform

Projections = Mapping[int, Projection]
DEVICE_BITS = 8
"""The number of bits of activations in files of integers, unless a transform states another."""
LARGEST_BITS = 16
"""The largest number of bits of integers that activations are rounded to."""


@dataclass(frozen=True, eq=False)
class LayerLevels:
    """The levels of the layers of a network in a run. Without transforms it does nothing.

    Attributes:
        space: What can be decided besides widths; None without transforms.
        qat: Whether to train with projected weights; None if that depends on the levels that are chosen.
        qat_activations: Whether to round activations as well where networks are trained with projected weights.
    """

    space: DecisionSpace | None
    qat: bool | None = None
    qat_activations: bool = False

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The transforms, which offer the levels."""
        return () if self.space is None else self.space.transforms

    def complete(self, settings: LevelSettings) -> LevelSettings:
        """Return the levels of all layers in execution order: those that were decided, and those of all layers."""
        if self.space is None:
            return settings
        fixed = {t.what: t.network_level for t in self.space.transforms if t.network_level is not None}
        sites = dict.fromkeys(layer.name for layer in self.space.network.layers)
        levels = {site: {**fixed, **settings.levels.get(site, {})} for site in sites}
        return LevelSettings({site: each for site, each in levels.items() if each})

    def with_level_values(
        self, scores: ScoreTable, measuring: LossMeasurement, rate_of: Callable[[LevelLosses], float | None]
    ) -> ScoreTable:
        """Return scores with the values of all levels that are offered, in the units of the scores.

        Args:
            scores: The scores of the channels.
            measuring: Measures what each level of each layer alone costs in loss.
            rate_of: Returns the value of a loss of 1 in the units of the scores, given the measured losses; None for
                the default of these units.

        Raises:
            InputError: If losses cannot be exchanged for such scores.
        """
        if self.space is None or not self.space.offers:
            return scores
        losses = level_losses(measuring, self.space.offers)
        values = level_values(losses, scores, rate_of(losses))
        return replace(scores, level_values=with_ties_broken(values, scores))

    def changed(self, settings: LevelSettings) -> LevelSettings:
        """Return the levels in complete settings that do not leave a layer as it is."""
        offers = () if self.space is None else self.space.offers
        last = {Dimension(offer.site, offer.what): offer.levels[-1] for offer in offers}
        return LevelSettings.of((each, level) for each, level in settings.chosen() if level != last.get(each))

    def trains_projected(self, settings: Sequence[LevelSettings]) -> bool:
        """Whether members with these levels are trained with projected weights."""
        if self.space is None or self.qat is False:
            return False
        return self.qat is True or any(self._is_lowered(each) for each in settings)

    def _is_lowered(self, settings: LevelSettings) -> bool:
        """Whether a layer has a level below the one that leaves it as it is."""
        offers = () if self.space is None else self.space.offers
        levels = ((offer, settings.at(offer.site, offer.what)) for offer in offers)
        return any(level is not None and level < offer.levels[-1] for offer, level in levels)

    def applied_to(self, training: Training, family: Family[Any]) -> Training:
        """Return a training in which the networks of a family compute at their levels.

        The training is returned as it is if the family is trained with its weights as they are.
        """
        every = [*(family.settings_of(member) for member in range(len(family.members))), family.full_settings]
        if not self.trains_projected(every):
            return training
        if not family.full_settings:  # the full network is not a member
            every.pop()
        weights = [self._projections(each, self.qat is True) for each in every]
        bits = [self._activation_bits(each) for each in every] if self.qat_activations else []
        if not family.full_settings:
            weights, bits = [*weights, {}], [*bits, None] if bits else []
        return replace(training, projections=tuple(weights), activations=tuple(bits))

    def _activation_bits(self, settings: LevelSettings) -> int | None:
        """Return the number of bits of the activations of a network, or None if they are floating-point numbers."""
        if self.space is None:
            return None
        network = described(self.space.network, self.space.transforms, self.complete(settings))
        bits = max(DEVICE_BITS if tensor.bits is None else tensor.bits for tensor in network.tensors)
        return bits if bits <= LARGEST_BITS else None

    def project(self, framework: Framework, model: Any, settings: LevelSettings) -> bool:
        """Set the weights of a member to their projections in place, and return whether there are any.

        Args:
            framework: The framework of the model.
            model: The model of a member, or another network that was cut from the input model.
            settings: The levels of its layers.
        """
        found = self._projections(settings, of_untouched=False)
        if not found:
            return False
        network = framework.inspect(model)
        weights = framework.weights(model, network)
        for index, projection in found.items():
            weights[index] = projection.function(weights[index].astype(np.float64)).astype(weights[index].dtype)
        framework.assign(model, network, weights)
        return True

    def _projections(self, settings: LevelSettings, of_untouched: bool) -> Projections:
        if self.space is None:
            return {}
        return projections(self.space.network, self.space.transforms, settings, of_untouched=of_untouched)


def transforms_of(registry: Registry, settings: RunSettings) -> tuple[Transform, ...]:
    """Create the transforms of a run.

    Raises:
        InputError: If a plugin or an option is unknown.
        UnavailableError: If a library that a plugin needs is not installed.
    """
    return tuple(registry.create(Transform, name, settings.options) for name in settings.transforms)


def check_decided_without_data(transforms: Sequence[Transform]) -> None:
    """Refuse transforms whose levels are decided by losses on training data, of which there is none.

    Raises:
        InputError: If there is such a transform.
    """
    deciding = next((each for each in transforms if each.network_level is None), None)
    if deciding is not None:
        raise InputError(
            f"transform '{deciding.name}' is decided by losses on training data",
            f"give {argument('data')}, or leave out {argument('transforms')}",
        )


def levels_to_decide(
    network: Network, transforms: Sequence[Transform], targets: Sequence[Target]
) -> DecisionSpace | None:
    """Return what transforms offer for a network; None without transforms.

    Args:
        network: The description of the network.
        transforms: The transforms.
        targets: The targets of the files that are written, one of which has to realise a level. Without any, every
            level can be realised.

    Raises:
        InputError: If a transform that decides levels can decide none, or sets one for all layers that no target can
            realise.
    """
    if not transforms:
        return None
    refusal = refusal_by(targets, network)
    space = decision_space(network, transforms, refusal)
    for transform in transforms:
        _check_network_level(network, transform, refusal)
        if transform.network_level is None and not any(offer.transform is transform for offer in space.offers):
            reason = _reason(space, transform)
            raise InputError(
                f"transform '{transform.name}' has no choice for any layer{': ' + reason if reason else ''}",
                f"give other levels or another {argument('targets')}, or leave out {argument('transforms')}",
            )
    return space


def _check_network_level(network: Network, transform: Transform, refusal: Refusal) -> None:
    """Refuse a level that a transform sets for all layers and that no file can have.

    Raises:
        InputError: If there is such a level.
    """
    level = transform.network_level
    if level is None:
        return
    for site in dict.fromkeys(layer.name for layer in network.layers):
        reason = refusal(site, transform.what, level)
        if reason is not None:
            raise InputError(
                f"transform '{transform.name}' sets {transform.what} to {level} in all layers: {reason}",
                f"give another level or another {argument('targets')}, or leave out {argument('transforms')}",
            )


def _reason(space: DecisionSpace, transform: Transform) -> str:
    """Why a transform has no choice: why a level is refused, or else why a layer has no levels; empty if unknown.

    Layers with weights come first, since others rarely have levels.
    """
    own = [each for each in space.not_offered if each.what == transform.what]
    weighted = {layer.name for layer in space.network.layers if layer.weights}
    ordered = sorted(own, key=lambda each: (each.level is None, each.site not in weighted))
    return next((each.reason for each in ordered), "")
