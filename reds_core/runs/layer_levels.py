"""What a run does with the levels of layers that transforms offer: their values, and the weights that they leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from reds_core.formulation.space import DecisionSpace
from reds_core.framework.data import Arrays
from reds_core.framework.family import Family
from reds_core.framework.framework import Framework
from reds_core.framework.projection import Projection, SmallerNetwork, parts_of_whole, projections
from reds_core.framework.training import Training
from reds_core.knapsack.levels import Dimension, LevelSettings
from reds_core.runs.realising import Projected, begun, chains_of, rewritten, settings_of_rewritten
from reds_core.scoring.exchange_rate import level_pair_values, level_values, with_ties_broken
from reds_core.scoring.level_excesses import level_excesses
from reds_core.scoring.level_losses import LevelLosses, level_losses
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.scoring.scorer import ScoreTable
from reds_core.transforms.describing import described, fixed_levels
from reds_core.transforms.transform import Stage, Transform

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
        sites = dict.fromkeys(layer.name for layer in self.space.network.layers)
        levels = {site: {**fixed_levels(self.transforms, site), **settings.levels.get(site, {})} for site in sites}
        return LevelSettings({site: each for site, each in levels.items() if each})

    def with_level_values(
        self, scores: ScoreTable, measuring: LossMeasurement, rate_of: Callable[[LevelLosses], float | None]
    ) -> ScoreTable:
        """Return scores with the values of all levels that are offered, in the units of the scores.

        Args:
            scores: The scores of the channels.
            measuring: Measures how much the loss rises if a single layer gets one of its levels.
            rate_of: Returns the value of a loss of 1 in the units of the scores, given the measured losses; None for
                the default of these units.

        Raises:
            InputError: If losses cannot be exchanged for such scores.
        """
        if self.space is None or not self.space.offers:
            return scores
        losses = level_losses(measuring, self.space.offers)
        losses = replace(losses, excesses=level_excesses(measuring, self.space.replacing_pairs, losses.rises))
        rate = rate_of(losses)
        values = with_ties_broken(level_values(losses, scores, rate), scores)
        pair_values = level_pair_values(losses.excesses, scores, rate)
        return replace(scores, level_values=values, level_pair_values=pair_values)

    def changed(self, settings: LevelSettings) -> LevelSettings:
        """Return the levels in complete settings that do not leave a layer as it is."""
        offers = () if self.space is None else self.space.offers
        last = {Dimension(offer.site, offer.what): offer.levels[-1] for offer in offers}
        return LevelSettings.of((each, level) for each, level in settings.chosen() if level != last.get(each))

    def trains_projected(self, settings: Sequence[LevelSettings]) -> bool:
        """Whether members with these levels are trained with projected weights."""
        if self.qat is True:
            return self.space is not None
        return any(self._projections(each, in_training=True) for each in settings)

    def trains_all_projected(self, settings: Sequence[LevelSettings]) -> bool:
        """Whether members with these levels are trained with all of the projections of their weights."""
        if self.qat is False and self.space is not None:
            encoding = [each for each in self.space.transforms if each.stage is Stage.ENCODE]
            if any(projections(self.space.network, encoding, each) for each in settings):
                return False
        return self.trains_projected(settings)

    def applied_to(self, training: Training, family: Family[Any]) -> Training:
        """Return a training in which the networks of a family compute at their levels.

        The training is returned as it is if the family is trained with its weights as they are.
        """
        own = [family.settings_of(member) for member in range(len(family.members))]
        full = [] if family.full_settings is None else [family.full_settings]  # only if it is a member itself
        every = [*own, *full]
        if not self.trains_projected(every):
            return training
        smaller = [SmallerNetwork(*each) for each in zip(family.widths, every, strict=False)]
        weights = [
            self._projections(each, widths, smaller[:place], in_training=True)
            for place, (each, widths) in enumerate(zip_longest(every, family.widths[: len(every)]))
        ]
        bits = [self._activation_bits(each) for each in every] if self.qat_activations else []
        if not full:
            weights, bits = [*weights, {}], [*bits, None] if bits else []
        return replace(training, projections=tuple(weights), activations=tuple(bits))

    def _activation_bits(self, settings: LevelSettings) -> int | None:
        """Return the number of bits of the activations of a network, or None if they are floating-point numbers."""
        if self.space is None:
            return None
        network = described(self.space.network, self.space.transforms, self.complete(settings))
        bits = max(DEVICE_BITS if tensor.bits is None else tensor.bits for tensor in network.tensors)
        return bits if bits <= LARGEST_BITS else None

    def project(
        self,
        framework: Framework,
        model: Any,
        settings: LevelSettings,
        examples: Arrays | None = None,
        *,
        widths: Mapping[str, int] | None = None,
        smaller: Sequence[SmallerNetwork] = (),
        full: Any | None = None,
    ) -> Projected | None:
        """Set the weights of a member to their projections in place, and return what it can hold instead, if anything.

        Args:
            framework: The framework of the model.
            model: The model of a member, or another network that was cut from the input model.
            settings: The levels of its layers.
            examples: Examples on which statistics are measured for which transforms ask, or None.
            widths: The width of each group in the model; by default its full width.
            smaller: The smaller networks of its family, with whose projections its own nest.
            full: The full network, of whose weights the model has parts; None if its weights are its own.

        Returns:
            The projections, whose `hold` a caller calls if layers of the model are to be replaced; None if there are
            none, in which case the model is as it was.
        """
        found = self._projections(settings, widths, smaller)
        if not found:
            return None
        if full is not None and self.space is not None and any(each.whole for each in found.values()):
            whole = framework.weights(full, self.space.network)
            found = parts_of_whole(self.space.network, whole, widths or self.space.network.channels, found)
        network = framework.inspect(model)
        projected = Projected(framework, model, network, begun(framework, model, network, found, examples))
        projected.project()
        return projected

    def chains(self, settings: LevelSettings) -> Mapping[str, Sequence[str]]:
        """Return the layers that are replaced at some levels, each with the names of the layers that replace it.

        Args:
            settings: The levels, complete or not.
        """
        if self.space is None:
            return {}
        return chains_of(self.space.network, self.space.transforms, self.changed(settings))

    def rewritten(
        self, framework: Framework, model: Any, settings: LevelSettings, examples: Arrays | None = None
    ) -> Any:
        """Return the model of a member with those layers replaced that its levels replace, or the same one without any.

        Args:
            framework: The framework of the model.
            model: The model, which holds what it holds after `project`, or after a training.
            settings: The levels of its layers.
            examples: Examples on which statistics are measured for which transforms ask, or None.

        Raises:
            UnsupportedError: If the framework cannot replace a layer.
        """
        chains = self.chains(settings)
        if not chains:
            return model
        network = framework.inspect(model)
        found = begun(framework, model, network, self._projections(settings), examples)
        return rewritten(framework, model, network, chains, found)

    def settings_of_files(self, settings: LevelSettings) -> LevelSettings:
        """Return the levels of the layers of the model that `rewritten` returns.

        Args:
            settings: The levels of the layers of a member.
        """
        return settings_of_rewritten(self.chains(settings), self.transforms, settings)

    def _projections(
        self,
        settings: LevelSettings,
        widths: Mapping[str, int] | None = None,
        smaller: Sequence[SmallerNetwork] = (),
        *,
        in_training: bool = False,
    ) -> Projections:
        """Return the projections of one network. Without quantisation in training, weights are not encoded in it."""
        if self.space is None:
            return {}
        leaves_out = in_training and self.qat is False
        return projections(
            self.space.network,
            [each for each in self.space.transforms if not (leaves_out and each.stage is Stage.ENCODE)],
            settings,
            of_untouched=in_training and self.qat is True,
            widths=widths,
            smaller=smaller,
        )
