"""The tools that a run provides to the steps of a pruning strategy."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from reds_core.cost.budget import SubnetworkBudget
from reds_core.errors import InputError, argument
from reds_core.formulation.formulation import Formulation
from reds_core.framework.data import Data, sampled
from reds_core.framework.family import Family
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.training import Training
from reds_core.knapsack.families.anchoring import FamilySolution
from reds_core.knapsack.levels import LevelSettings
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Limit, Solution
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.pruning.pruner import Decision, PruningState, Step, Tools
from reds_core.run_history import HistoryRow
from reds_core.runs.alignment import choose
from reds_core.runs.epoch_store import TrainingSlots
from reds_core.runs.family_choice import choose_family
from reds_core.runs.history import FULL, history_rows
from reds_core.runs.rate_calibration import CALIBRATION_EPOCHS, calibrated_rate
from reds_core.runs.realiser import LOSS_EXAMPLES, FullModel
from reds_core.runs.session import Session
from reds_core.scoring.block_losses import with_skipping_values
from reds_core.scoring.level_losses import LevelLosses
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.scoring.scorer import ScoreTable, score
from reds_core.transforms.realisation import BEST


class RunTools(Tools):
    """The tools of one step, which measure the time that they take."""

    def __init__(self, session: Session, step: Step, index: int, slots: TrainingSlots, passes: int = 0) -> None:
        """Create the tools of one step.

        Args:
            session: The run.
            step: The step that uses the tools.
            index: The index of the step, from 0.
            slots: Keeps the epochs of the trainings of the step.
            passes: The number of epochs of all trainings of earlier steps.
        """
        inputs = session.inputs
        self.network, self.model, self.budgets = inputs.network, inputs.model, session.budgets
        self.exits = session.statement.exits
        self.seed = session.settings.step_seed(index)
        self.search_s: float | None = None
        self.finetune_s: float | None = None
        self.passes = passes
        self.history: tuple[HistoryRow, ...] = ()
        self._session, self._inputs, self._settings = session, inputs, session.settings
        self._step, self._slots = step, slots
        self._objects = session.request.objects
        self._names = tuple(budget.name for budget in self.budgets)

    @property
    def has_data(self) -> bool:
        return self._inputs.examples is not None

    @property
    def finetune_epochs(self) -> int:
        return self._settings.finetune.epochs

    def score(self, model: Any, kept: Kept | None = None) -> ScoreTable:
        i, settings, network = self._inputs, self._settings, self._described(model)
        scorer, level = self._session.plugins.scorer, settings.score_level
        store = self._session.scores if model is self.model else None

        def scored() -> ScoreTable:
            table = score(scorer, i.framework, model, network, i.examples, settings.task, self.seed, level)
            return self._with_measured_values(table) if model is self.model else table

        table = scored() if store is None else store.scores(self.seed, scored)
        return table if kept is None else table.spread(kept, self.network.channels)

    def _with_measured_values(self, scores: ScoreTable) -> ScoreTable:
        """The scores of the input model with the values of levels of layers and of skipped blocks, if there are any."""
        inputs, settings, levels = self._inputs, self._settings, self._session.levels
        if inputs.train is None or (levels.space is None and not self.network.skippable):
            return scores
        measuring = LossMeasurement.sampled(
            inputs.framework, self.model, self.network, inputs.train, settings.task, settings.seed
        )

        def rate_of(losses: LevelLosses) -> float | None:
            return settings.exchange_rate if settings.calibrate is None else self._calibrated(scores, losses)

        scores = with_skipping_values(scores, measuring, self.network, settings.exchange_rate)
        return levels.with_level_values(scores, measuring, rate_of)

    def _calibrated(self, scores: ScoreTable, losses: LevelLosses) -> float:
        """The exchange rate that is fitted to short trainings, whose epochs are kept as those of the step are."""
        watcher, count, inputs = self._session.watcher, self._settings.calibrate or 0, self._inputs
        trainer = self._on_trial(CALIBRATION_EPOCHS)

        def project(model: Any, settings: LevelSettings) -> None:
            if self._session.levels_of(None).project(inputs.framework, model, settings, inputs.examples) is not None:
                trainer.recalibrate(model)

        found = calibrated_rate(trainer, scores, losses, count, project, watcher.note)
        self.passes, self.search_s, self.finetune_s = trainer.passes, trainer.search_s, trainer.finetune_s
        if found.note:
            watcher.warn(f"{found.note}; the exchange rate is {found.rate:.3g}")
        else:
            spread = "" if found.standard_error is None else f", standard error {found.standard_error:.2g}"
            watcher.note(f"the exchange rate is {found.rate:.3g}, fitted to {found.choices} trainings{spread}")
        return found.rate

    def loss(self, model: Any) -> float:
        inputs = self._inputs
        held_back = inputs.examples if inputs.validation is None else inputs.validation
        if held_back is None:
            pruner = self._session.plugins.pruner.name
            raise InputError(
                f"pruner '{pruner}' measures losses, which needs training data", f"give {argument('data')}"
            )
        return inputs.framework.loss(model, held_back, self._settings.task)

    def trial_losses(self, state: PruningState, epochs: int, apart: bool = False) -> list[float]:
        family = self.extract_family(state)
        if epochs and not apart:
            trainer = self._on_trial(epochs)
            trainer._names = tuple(choice.exit or FULL for choice in state.choices)
            trainer.finetune(family)
            self._count(trainer)
        losses = []
        for model, choice in zip(family.members, state.choices, strict=True):
            if epochs and apart:
                self._train_alone(model, choice, epochs)
            full = None if apart else self.ending_at(family.full, choice.exit)
            losses.append(self._loss_at_levels(model, choice, full, is_trained=epochs > 0))
        return losses

    def _train_alone(self, model: Any, choice: Decision, epochs: int) -> None:
        """Train a network by itself on a trial basis."""
        trainer = self._on_trial(epochs)
        trainer.finetune(Family(model, (), (), full_settings=choice.settings, full_exit=choice.exit))
        self._count(trainer)

    def _count(self, trainer: RunTools) -> None:
        """Count the time of a training on a trial basis, and its passes, after which a stream goes on."""
        self.passes, self.finetune_s = trainer.passes, trainer.finetune_s

    def _loss_at_levels(self, model: Any, choice: Decision, full: Any | None, is_trained: bool) -> float:
        """The loss of a network whose weights are projected as those of the run are in the end.

        Args:
            model: The network.
            choice: Its decision.
            full: The full network of which its weights are parts; None if they are its own.
            is_trained: Whether it was trained, so that its statistics fit.
        """
        levels, inputs = self._session.levels_of(choice.exit), self._inputs
        widths = None if full is None else choice.widths
        found = levels.project(inputs.framework, model, choice.settings, inputs.examples, widths=widths, full=full)
        if not is_trained or (found is not None and not levels.trains_all_projected([choice.settings])):
            self.recalibrate(model)
        return self.loss(model)

    def _on_trial(self, epochs: int) -> RunTools:
        """The same tools for trainings whose networks are not kept.

        They are not in the history of the run, and the callbacks of the user do not see them.
        """
        trainer = copy.copy(self)
        trainer._step = dataclasses.replace(self._step, epochs=epochs)
        trainer._objects = dataclasses.replace(self._objects, callbacks=())
        return trainer

    def formulate(
        self, scores: ScoreTable, budget: SubnetworkBudget, order: Kept | None = None, exit: str | None = None
    ) -> Formulation:
        return self._session.statement.part(exit).formulate(scores, budget, order)

    def solve(self, problem: KnapsackProblem, exact: bool = False) -> Solution:
        search = self._session.plugins.search
        with self._slots.interruption.immediate():
            rules, channels = self._session.statement.rules, self.network.channels
            solution = search.choose(problem) if exact else choose(search, problem, rules, channels)
        self.search_s = (self.search_s or 0.0) + solution.wall_s
        return solution

    def choose_family(self, problems: Sequence[KnapsackProblem]) -> FamilySolution:
        started = time.perf_counter()
        with self._slots.interruption.immediate():
            rules, channels = self._session.statement.rules, self.network.channels
            family = choose_family(self._session.plugins.search, problems, rules, channels)
        seconds = time.perf_counter() - started
        self.search_s = (self.search_s or 0.0) + seconds
        if family.limit is Limit.TIME:
            self._session.watcher.note(
                f"the search for the best family stopped at its time limit after {seconds:.0f} s"
            )
        return family

    def extract(self, model: Any, kept: Kept) -> Any:
        return self._inputs.framework.extract(model, self._described(model), kept)

    def ending_at(self, model: Any, exit: str | None) -> Any:
        return self._session.ending_at(model, exit)

    def extract_family(self, state: PruningState) -> Family[Any]:
        realiser, model = self._session.plugins.realiser, self.model
        if realiser is None:
            return super().extract_family(state)
        full = self.extract(model, state.order)
        source = FullModel(self._inputs.framework, model, self.network, state.order)
        loss = self._sampled_loss if realiser.compares else None
        members, realised = realiser.members(source, [choice.widths for choice in state.choices], loss)
        for warning in realiser.warnings(realised):
            self._session.watcher.warn(warning)
        widths = tuple(choice.widths for choice in state.choices)
        settings = tuple(choice.settings for choice in state.choices)
        return Family(full, members, widths, settings, realised=realised)

    def _sampled_loss(self, model: Any) -> float:
        """The mean loss of a network that was cut, on a sample of the training data, after its statistics are repaired.

        Raises:
            InputError: If the run has no data.
        """
        examples, realiser = self._inputs.examples, self._session.plugins.realiser
        if examples is None:
            raise InputError(
                f"{argument('realise', BEST)} compares losses on training data", f"give {argument('data')}"
            )
        repaired = model if realiser is None or not realiser.measures_statistics else self.recalibrate(model)
        sample = sampled(examples, LOSS_EXAMPLES, self._settings.seed)
        return self._inputs.framework.loss(repaired, sample, self._settings.task)

    def finetune(self, family: Family[Any]) -> Family[Any]:
        if self._inputs.train is None:
            raise InputError(
                "fine-tuning needs training data", f"give {argument('data')}, or {argument('finetune_epochs', 0)}"
            )
        started = time.perf_counter()
        settings = self._settings.finetune if family.members else self._settings.finetune.alone()
        training = self._training(self._inputs.train, self._step.epochs, settings)
        levels = self._session.levels if family.members else self._session.levels_of(family.full_exit)
        training = levels.applied_to(training, family)
        with self._slots.next(training.settings.epochs) as store:
            self._inputs.framework.finetune(family, dataclasses.replace(training, keeper=store))
        self.passes += training.settings.epochs
        self.history += history_rows(self._step.name, store.figures, *self._names_in(family))
        self.finetune_s = (self.finetune_s or 0.0) + time.perf_counter() - started + store.earlier_s
        return family

    def _names_in(self, family: Family[Any]) -> tuple[tuple[str, ...], str]:
        """The names of the members of a family that is trained, and of its full network.

        A network that is trained alone is the subnetwork that the step decides, whose name only its step may know.
        """
        if family.members:
            return self._names[: len(family.members)], FULL
        return (), self._names[0] if len(self._names) == 1 else self._step.name

    def recalibrate(self, model: Any) -> Any:
        if self._inputs.train is not None and self._settings.finetune.recalibrate:
            own = Family(model, (model,), (self._described(model).channels,))  # 0 epochs: statistics only
            self._inputs.framework.finetune(own, self._training(self._inputs.train, 0, self._settings.finetune))
        return model

    def _training(self, train: Data, epochs: int, settings: FinetuneSettings) -> Training:
        inputs, task = self._inputs, self._settings.task
        how = dataclasses.replace(settings, epochs=epochs)
        progress, validation = self._session.watcher.epoch, inputs.validation
        return Training(
            train,
            how,
            self.seed,
            progress,
            task,
            validation,
            teacher=inputs.model,
            objects=self._objects,
            first_pass=self.passes,
        )

    def _described(self, model: Any) -> Network:
        return self.network if model is self.model else self._inputs.framework.inspect(model)
