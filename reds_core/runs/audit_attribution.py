"""Whether the attribution of the removed channels predicts which examples the members of runs lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from reds_core.arrays import IntArray
from reds_core.audit.ablation import ChannelAttribution, Repair, ablated_margins, attribute_margins, random_ablations
from reds_core.audit.answers import Answers, Population
from reds_core.audit.prediction import NetworkLoss, predict_losses
from reds_core.audit.records import AttributionRecord, LossPrediction
from reds_core.errors import InputError, argument
from reds_core.framework.data import sampled
from reds_core.framework.framework import Framework
from reds_core.network.description import Network
from reds_core.plan import SubnetworkRecord
from reds_core.runs.audit_data import AuditData, training_parts
from reds_core.runs.audited_runs import AuditedMember, AuditedRun, InputModels
from reds_core.runs.last_exit import to_the_end
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.watcher import Watcher

ABLATIONS = 256
ABLATED_FRACTION = 0.05
ATTRIBUTED_EXAMPLES = 1000
REPAIR_EXAMPLES = 512
"""The number of training examples on which batch-norm statistics of ablated networks are measured."""
_STEPS_TOLD = 8
"""How often the progress of the ablations of a model is told."""


@dataclass(frozen=True)
class AttributionSettings:
    """How channels are attributed to margins.

    Attributes:
        ablations: The number of random ablations of each input model; 0 for no attribution.
        fraction: The share of all channels that each ablation sets to zero, above 0 and below 1.
        examples: The maximum number of test examples whose margins are measured.
        is_repaired: Whether the batch-norm statistics of each ablated network are measured anew on training examples.
    """

    ablations: int = ABLATIONS
    fraction: float = ABLATED_FRACTION
    examples: int = ATTRIBUTED_EXAMPLES
    is_repaired: bool = False

    def __post_init__(self) -> None:
        if self.ablations < 0 or self.ablations == 1:
            raise InputError(f"{argument('ablations')} is {self.ablations}", "give 2 or more, or 0 for no attribution")
        if not 0 < self.fraction < 1:
            raise InputError(
                f"{argument('ablated_fraction')} is {self.fraction}", "give a share above 0 and below 1, such as 0.05"
            )
        if self.examples < 2:
            raise InputError(f"{argument('attribution_examples')} is {self.examples}", "give 2 or more")


@dataclass(frozen=True, eq=False)
class LossPredictions:
    """What the attribution of channels came to.

    Attributes:
        members: How well it predicts what each member loses, by name, of those of which that can be said.
        record: How channels were attributed; None if they were not.
        notes: Why something could not be measured, one sentence each.
    """

    members: Mapping[str, LossPrediction]
    record: AttributionRecord | None
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class LossAttribution:
    """Attributes the channels of the input models of runs.

    Attributes:
        runs: The runs.
        framework: Reads and runs the models.
        inputs: The input models of the runs.
        data: The data.
        settings: How many ablations there are, and how large they are.
        seed: The seed of ablations, of the choice of examples, and of resampling.
        watcher: Notified of progress.
    """

    runs: tuple[AuditedRun, ...]
    framework: Framework
    inputs: InputModels
    data: AuditData
    settings: AttributionSettings
    seed: int
    watcher: Watcher

    def predictions(
        self, before: Sequence[Answers], after: Mapping[str, Population], members: Mapping[str, AuditedMember]
    ) -> LossPredictions:
        """Attribute channels to margins, and try whether that predicts which examples each member loses.

        Args:
            before: What the input models answer.
            after: What the networks of each member answer.
            members: The networks of each member.
        """
        if not self.settings.ablations:
            return LossPredictions({}, None, ("No channels were attributed, since no ablations were asked for.",))
        count = len(self.data.truth)
        chosen = np.sort(np.random.default_rng(self.seed).permutation(count)[: self.settings.examples])
        attributions = self._attributions(chosen)
        if not attributions:
            note = "No channels were attributed, since an input model has none that can be removed."
            return LossPredictions({}, None, (note,))
        found, notes = {}, []
        for name, member in members.items():
            losses = self._losses(before, after[name], member, attributions, chosen)
            prediction = predict_losses(losses, self.seed)
            if prediction is None:
                reason = "it removes none of its channels, or loses no example" if losses else "it has no networks"
                notes.append(f"What subnetwork '{name}' loses cannot be predicted, since {reason}.")
            else:
                found[name] = prediction
        return LossPredictions(found, self._record(attributions, len(chosen)), tuple(notes))

    def _losses(
        self,
        before: Sequence[Answers],
        after: Population,
        member: AuditedMember,
        attributions: Sequence[ChannelAttribution],
        chosen: IntArray,
    ) -> list[NetworkLoss]:
        truth, losses = self.data.truth[chosen], []
        for place, (number, record) in enumerate(zip(member.runs, member.records, strict=True)):
            own = self.inputs.of_runs[number]
            removed = removed_channels(self.runs[number], record)
            losses.append(
                NetworkLoss(
                    sum(map(len, removed.values())),
                    before[own].labels[chosen] == truth,
                    after.labels[place][chosen] == truth,
                    before[own].margins[chosen],
                    attributions[own].predicted(removed),
                )
            )
        return losses

    def _attributions(self, chosen: IntArray) -> list[ChannelAttribution]:
        """The attributions of the channels of each input model; empty if one has no channels to remove."""
        found, settings, examples = [], self.settings, self.data.taken(chosen)
        for number, path in enumerate(self.inputs.files):
            model: Any = to_the_end(self.framework, self.framework.load_model(path))
            network = self.framework.inspect(model)
            channels = sum(network.channels.values())
            if not channels:
                return []
            ablations = random_ablations(channels, settings.ablations, settings.fraction, self.seed)
            measured = np.concatenate([np.zeros((1, channels), bool), ablations])  # the first is the model itself
            told, repair = partial(self._told, path.name), self._repair(model, network, number)
            truth = self.data.truth[chosen]
            margins = ablated_margins(self.framework, model, network, examples.x, truth, measured, told, repair)
            found.append(attribute_margins(network.channels, ablations, margins[1:], margins[0]))
        return found

    def _repair(self, model: Any, network: Network, number: int) -> Repair:
        """What is done to the weights of each ablation of an input model before it is measured."""
        if not self.settings.is_repaired:
            return iter
        run = self.runs[self.inputs.of_runs.index(number)]
        train, _ = training_parts(self.data, self.framework, model, run)
        examples = sampled(train, REPAIR_EXAMPLES, self.seed)
        task = run.settings.task
        return LossMeasurement(self.framework, model, network, examples, examples, task, self.seed).recalibrated

    def _told(self, name: str, done: int, count: int) -> None:
        done, count = done - 1, count - 1  # the first is the model itself
        if done and (done - 1) * _STEPS_TOLD // count != done * _STEPS_TOLD // count:
            self.watcher.stage(f"attributing channels of {name}, ablation {done} of {count}")

    def _record(self, attributions: Sequence[ChannelAttribution], examples: int) -> AttributionRecord:
        known = [each.correlation for each in attributions if each.correlation is not None]
        first, settings = attributions[0], self.settings
        return AttributionRecord(
            settings.ablations,
            settings.fraction,
            examples,
            settings.is_repaired,
            len(first.effects),
            first.held_out,
            float(np.mean(known)) if known else None,
        )


def removed_channels(run: AuditedRun, member: SubnetworkRecord) -> dict[str, IntArray]:
    """The channels of the input model that a member does not keep as they are, by group."""
    return {
        group.name: np.setdiff1d(np.arange(group.channels), np.asarray(member.kept.get(group.name, ()), np.int64))
        for group in run.plan.groups
    }
