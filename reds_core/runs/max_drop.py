"""Finds the smallest network that loses at most the given points of the metric on held-back data.

The search bisects over budgets. It trains the network of each budget for a short time and measures it on the held-back
part of the training data. Short training underestimates a network, so the smallest network that holds the limit is then
trained fully and measured again. If that loses too much, the next larger network that held the limit is trained, up to
the full network. Every network is made by the ordinary steps of the run, in a folder of its own from which an
interrupted search is resumed.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from reds_core.errors import InfeasibleError, InputError, argument
from reds_core.formulation.formulation import channel_order
from reds_core.formulation.infeasibility import least_usage
from reds_core.framework.data import Arrays, Data
from reds_core.framework.family import Family, member_kept
from reds_core.framework.finetuning import EpochProgress
from reds_core.framework.target import ExportSource, Target
from reds_core.knapsack.levels import LevelSettings
from reds_core.pruning.pruner import Decision, PruningState, Step
from reds_core.report import units
from reds_core.report.drop import lost_points, points_text
from reds_core.report.facts import metric_of
from reds_core.runs.checkpoint import Checkpoint, remove_checkpoints, trials_folder
from reds_core.runs.device_figures import spread
from reds_core.runs.drop_goal import SHARES, DropGoal
from reds_core.runs.epoch_store import resumable_trainings
from reds_core.runs.score_store import ScoreStore
from reds_core.runs.session import Session
from reds_core.runs.steps import take_steps
from reds_core.runs.tools import RunTools
from reds_core.search_records import DropRecord, MaxDropRecord
from reds_core.system.files import make_folder, remove_partial_files, write_text
from reds_core.system.records import from_plain, parse_json, to_json
from reds_core.watcher import Watcher

MOST_EXAMPLES = 1000
"""The most held-back examples on which files are measured, evenly spaced, since they are run one by one."""
_RECORD_FILE = "drop.json"
_UNPRUNED = "unpruned"


@dataclass(frozen=True)
class FoundNetwork:
    """The result of a search.

    Attributes:
        session: The run, with the budget of the network that was found.
        checkpoint: The family of the full network and the one that was found.
        record: How it was found.
    """

    session: Session
    checkpoint: Checkpoint
    record: MaxDropRecord


def find_smallest(session: Session, goal: DropGoal, target: Target | None = None) -> FoundNetwork:
    """Start or resume the search.

    Args:
        session: The run. Its budgets are not used.
        goal: What is looked for.
        target: The target on whose files networks are measured; None to measure their models.

    Raises:
        InputError: If there are no held-back examples, or a file cannot be written.
        InfeasibleError: If even the largest network within the other limits loses too much.
    """
    inputs = session.inputs
    validation = inputs.validation
    examples = 0 if validation is None else _examples(validation)
    if validation is None or not examples:
        raise InputError(
            f"{argument('max_drop')} is measured on held-back data, and the training data is too small to hold any "
            "back",
            "give more training data",
        )
    if target is not None and examples > MOST_EXAMPLES:
        validation = spread(validation, MOST_EXAMPLES)
        examples = len(validation)
    _warn_if_coarse(session, goal, examples)
    scores = ScoreStore(trials_folder(session.folder))
    before = inputs.framework.accuracy(inputs.model, validation, session.settings.task)
    return _Search(dataclasses.replace(session, scores=scores), goal, validation, examples, before, target).run()


def _examples(data: Data) -> int:
    """The number of examples; those of a stream are read once to count them."""
    return len(data) if isinstance(data, Arrays) else sum(len(batch) for batch in data.batches())


def _warn_if_coarse(session: Session, goal: DropGoal, examples: int) -> None:
    """Warn if a single example weighs more than the limit."""
    weight = 100 / examples
    if weight > goal.limit_points > 0:
        session.watcher.warn(
            f"one of the {examples} held-back examples is {weight:.1f} points, which is more than the limit of "
            f"{goal.limit_points:g}; a larger {argument('holdout')} measures the drop more precisely"
        )


class _Labelled(Watcher):
    """Replaces the numbers of the steps of one training by a label."""

    def __init__(self, watcher: Watcher, label: str) -> None:
        self._watcher, self._label = watcher, label

    def stage(self, text: str) -> None:
        step = text.partition(": ")[2]
        self._watcher.stage(f"{self._label}: {step or text}")

    def epoch(self, progress: EpochProgress) -> None:
        self._watcher.epoch(progress)

    def note(self, text: str) -> None:
        self._watcher.note(text)

    def warn(self, text: str) -> None:
        self._watcher.warn(text)


@dataclass(frozen=True)
class _Trial:
    """The training of the network of one budget.

    Attributes:
        kind: "probe" for a short training, or "training" for a full one.
        share: The budget, in SHARES of the full network.
        epochs: The length of the training.
    """

    kind: Literal["probe", "training"]
    share: int
    epochs: int

    @property
    def label(self) -> str:
        """What users read."""
        return f"{self.kind} at {100 * self.share // SHARES} %"

    @property
    def is_short(self) -> bool:
        """Whether the network is only measured, not kept."""
        return self.kind == "probe"


@dataclass(frozen=True)
class _Search:
    """One search.

    Attributes:
        session: The run, with a store of scores.
        goal: What is looked for.
        held_back: The examples on which networks are measured.
        examples: Their number.
        before: The accuracy of the input model on them.
        target: The target on whose files networks are measured; None to measure their models.
    """

    session: Session
    goal: DropGoal
    held_back: Data
    examples: int
    before: float
    target: Target | None = None

    def run(self) -> FoundNetwork:
        """Bisect with short trainings, then train the smallest network that held the limit."""
        probes: list[DropRecord] = []
        trainings: list[DropRecord] = []
        for share in self._holding_shares(probes):
            if share == SHARES and not self.goal.limits:
                checkpoint = self._unpruned()
                trainings.append(self._measured(checkpoint, share, 0))
                return self._found(share, checkpoint, probes, trainings)
            trainings.append(self._tried(_Trial("training", share, self._epochs)))
            if self.goal.allows(trainings[-1].drop_points):
                checkpoint = take_steps(self._part(_Trial("training", share, self._epochs)))
                return self._found(share, checkpoint, probes, trainings)
        raise self._nothing_holds(trainings[-1])

    @property
    def _epochs(self) -> int:
        return self.session.settings.finetune.epochs

    def _holding_shares(self, probes: list[DropRecord]) -> list[int]:
        """The budgets of the networks that are worth a full training, smallest first.

        The full network loses nothing. If there are further limits, the largest network within them is tried first; if
        it loses too much, it is the only one that is worth a full training.

        Args:
            probes: Receives the networks that are tried.
        """

        def holds(share: int) -> bool:
            probes.append(self._tried(_Trial("probe", share, self.goal.epochs)))
            return self.goal.allows(probes[-1].drop_points)

        holding = [SHARES]
        if self.goal.limits and not holds(SHARES):
            return holding
        too_small = self._least_share() - 1
        while holding[0] - too_small > 1:
            middle = (holding[0] + too_small) // 2
            if holds(middle):
                holding.insert(0, middle)
            else:
                too_small = middle
        return holding

    def _least_share(self) -> int:
        """The smallest budget that the narrowest network meets."""
        full = self.session.statement.full_usage(self.goal.resource)
        least = least_usage(self.session.statement, self.goal.resource)
        return min(max(math.ceil(Fraction(least * SHARES, full)), 1), SHARES) if full else SHARES

    def _tried(self, trial: _Trial) -> DropRecord:
        """Train and measure a network, or read the result of an earlier process."""
        path = self._folder(trial) / _RECORD_FILE
        record = _read(path)
        if record is None:
            part = self._part(trial)
            make_folder(part.folder)
            remove_partial_files(part.folder)
            try:
                record = self._measured(take_steps(part), trial.share, trial.epochs)
            except InfeasibleError:  # each resource can be met, but not all of them together
                record = DropRecord(self._plain_budget(trial.share), {}, None, None, trial.epochs, 0.0)
            write_text(path, to_json(record))
        if trial.is_short or not self.goal.allows(record.drop_points):
            remove_checkpoints(self._folder(trial))
        noun = units.resource_noun(self.goal.resource)
        outcome = "is within" if self.goal.allows(record.drop_points) else "is not within"
        self.session.watcher.note(
            f"{trial.label} of the {noun} {lost_points(record.drop_points)} on held-back data, "
            f"which {outcome} the limit of {self.goal.limit_points:g}"
        )
        return record

    def _folder(self, trial: _Trial) -> Path:
        return trials_folder(self.session.folder) / f"{trial.kind}-{trial.share}"

    def _part(self, trial: _Trial) -> Session:
        """The part of the run that makes the network of one budget."""
        settings = self.session.settings
        settings = dataclasses.replace(settings, finetune=dataclasses.replace(settings.finetune, epochs=trial.epochs))
        return dataclasses.replace(
            self.session,
            request=dataclasses.replace(self.session.request, settings=settings),
            folder=self._folder(trial),
            watcher=_Labelled(self.session.watcher, trial.label),
            budgets=(self.goal.budget(trial.share),),
        )

    def _measured(self, checkpoint: Checkpoint, share: int, epochs: int) -> DropRecord:
        """Measure the only member of a family."""
        state = checkpoint.state
        choice, model = state.choices[0], state.family.members[0]
        accuracy = self._accuracy(model, choice.settings)
        return DropRecord(
            budget=self._plain_budget(share),
            usage=self.session.statement.usage(choice.widths, choice.settings),
            accuracy=accuracy if math.isfinite(accuracy) else None,
            drop_points=100 * (self.before - accuracy) if math.isfinite(accuracy) else None,
            epochs=epochs,
            seconds=sum((step.search_s or 0.0) + (step.finetune_s or 0.0) for step in checkpoint.steps),
        )

    def _accuracy(self, model: Any, settings: LevelSettings) -> float:
        """The accuracy of a network on held-back data, of its model as files hold it or of its file."""
        session = self.session
        framework, task = session.inputs.framework, session.settings.task
        settings = session.levels.complete(settings)
        model = session.levels.rewritten(framework, model, settings, session.inputs.examples)
        if self.target is None:
            return framework.accuracy(model, self.held_back, task)
        path = trials_folder(session.folder) / self.target.file.file_name("trial")
        make_folder(path.parent)
        levels, examples = session.levels.settings_of_files(settings), session.inputs.calibration.examples
        calibration = examples if self.target.file.is_calibrated else None
        source = ExportSource(framework, model, framework.inspect(model), levels, calibration)
        try:
            self.target.export(source, path)
            return self.target.load(framework, path).evaluate(self.held_back, task).metric
        finally:
            path.unlink(missing_ok=True)

    def _plain_budget(self, share: int) -> dict[str, float]:
        return {resource: amount.plain for resource, amount in self.goal.budget(share).amounts.items()}

    def _unpruned(self) -> Checkpoint:
        """A family whose only member is the input model, with the channels of both in order of importance."""
        session, inputs = self.session, self.session.inputs
        session.watcher.stage("keeping the full network, since no smaller one holds the limit")
        with resumable_trainings(trials_folder(session.folder), _UNPRUNED, "this step", session.watcher) as slots:
            scores = RunTools(session, Step("score"), 0, slots).score(inputs.model)
        order, channels = channel_order(scores), inputs.network.channels
        full = inputs.framework.extract(inputs.model, inputs.network, order)
        member = inputs.framework.extract(full, inputs.framework.inspect(full), member_kept(channels))
        family = Family(full, (member,), (channels,))
        return Checkpoint(PruningState(scores, order, (Decision(channels),), family), ())

    def _found(
        self, share: int, checkpoint: Checkpoint, probes: list[DropRecord], trainings: list[DropRecord]
    ) -> FoundNetwork:
        goal = self.goal
        session = dataclasses.replace(self.session, budgets=(goal.budget(share),))
        record = MaxDropRecord(
            goal.limit_points,
            goal.resource,
            self.examples,
            self.before,
            tuple(probes),
            tuple(trainings),
            None if self.target is None else self.target.name,
        )
        return FoundNetwork(session, checkpoint, record)

    def _nothing_holds(self, largest: DropRecord) -> InfeasibleError:
        """The error for limits within which even the largest network loses too much."""
        limits, metric = " ".join(self.goal.limits), metric_of({"metric": self.session.settings.task.filled.metric})
        return InfeasibleError(
            f"no subnetwork within {limits} loses at most {points_text(self.goal.limit_points)} of {metric.name} "
            f"on held-back data: the largest, trained for {largest.epochs} epochs, {lost_points(largest.drop_points)}",
            "allow a larger budget or more points, or train for more epochs",
        )


def _read(path: Path) -> DropRecord | None:
    """The result of an earlier process, or None if there is none that can be read."""
    try:
        record: DropRecord = from_plain(DropRecord, parse_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return record
