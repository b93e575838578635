"""What a run works on and with, and the tools that it lends to the steps of a strategy."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reds_core.cost import counting
from reds_core.cost.budget import SubnetworkBudget
from reds_core.cost.latency_table import LatencyTable
from reds_core.errors import InputError
from reds_core.formulation.formulation import Formulation, formulate
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.framework import Arrays, Family, Framework, Training
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Solution
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plan import Hashes
from reds_core.pruning.pruner import Pruner, Step, Tools
from reds_core.runs.epoch_store import TrainingSlots
from reds_core.runs.search import Search
from reds_core.runs.settings import RunSettings
from reds_core.scoring.scorer import Scorer, ScoreTable, score
from reds_core.watcher import Watcher


@dataclass(frozen=True)
class RunPlugins:
    """The plugins that a run was asked for."""

    pruner: Pruner
    scorer: Scorer
    search: Search


@dataclass(frozen=True)
class Inputs:
    """What a run works on, read and checked.

    Attributes:
        train: training data less what is held back; None without data.
        validation: the part held back for choosing; None without data or where nothing is held back.
        test: for the final figures only; None without data.
        latencies: measured ones; None without a table.
        costs: how the resources of the network are counted.
    """

    framework: Framework
    model: Any
    network: Network
    train: Arrays | None
    validation: Arrays | None
    test: Arrays | None
    latencies: LatencyTable | None
    costs: counting.CostModel
    hashes: Hashes


class RunTools(Tools):
    """The tools of one step; measures what they spend."""

    def __init__(
        self,
        inputs: Inputs,
        settings: RunSettings,
        budgets: tuple[SubnetworkBudget, ...],
        forms: Mapping[str, counting.ResourceForm],
        plugins: RunPlugins,
        watcher: Watcher,
        step: Step,
        index: int,
        slots: TrainingSlots,
    ) -> None:
        self.network, self.model, self.budgets = inputs.network, inputs.model, budgets
        self.seed = settings.step_seed(index)
        self.search_s: float | None = None
        self.finetune_s: float | None = None
        self._inputs, self._settings, self._forms = inputs, settings, forms
        self._plugins, self._watcher, self._step, self._slots = plugins, watcher, step, slots

    @property
    def finetune_epochs(self) -> int:
        return self._settings.finetune.epochs

    def score(self, model: Any, kept: Kept | None = None) -> ScoreTable:
        i, settings, network = self._inputs, self._settings, self._described(model)
        scorer, level = self._plugins.scorer, settings.score_level
        table = score(scorer, i.framework, model, network, i.train, settings.task, self.seed, level)
        return table if kept is None else table.spread(kept, self.network.channels)

    def loss(self, model: Any) -> float:
        held_back = self._inputs.validation or self._inputs.train
        if held_back is None:
            raise InputError(
                f"pruner '{self._plugins.pruner.name}' measures losses, which needs training data", "give --data"
            )
        return self._inputs.framework.loss(model, held_back, self._settings.task)

    def formulate(self, scores: ScoreTable, budget: SubnetworkBudget, order: Kept | None = None) -> Formulation:
        full = {name: form.at(self.network.channels) for name, form in self._forms.items()}
        name = f"{self.network.name}-{budget.name}"
        return formulate(self.network, scores, self._forms, budget.capacities(full), name, order, self._settings.widths)

    def solve(self, problem: KnapsackProblem) -> Solution:
        with self._slots.interruption.immediate():
            solution = self._plugins.search.choose(problem)
        self.search_s = (self.search_s or 0.0) + solution.wall_s
        return solution

    def extract(self, model: Any, kept: Kept) -> Any:
        return self._inputs.framework.extract(model, self._described(model), kept)

    def finetune(self, family: Family[Any]) -> Family[Any]:
        if self._inputs.train is None:
            raise InputError("fine-tuning needs training data", "give --data, or --finetune-epochs 0")
        started = time.perf_counter()
        settings = self._settings.finetune if family.members else self._settings.finetune.alone()
        training = self._training(self._inputs.train, self._step.epochs, settings)
        with self._slots.next(training.settings.epochs) as store:
            self._inputs.framework.finetune(family, dataclasses.replace(training, keeper=store))
        self.finetune_s = (self.finetune_s or 0.0) + time.perf_counter() - started + store.earlier_s
        return family

    def recalibrate(self, model: Any) -> Any:
        if self._inputs.train is not None and self._settings.finetune.recalibrate:
            own = Family(model, (model,), (self._described(model).channels,))  # 0 epochs: members are measured
            self._inputs.framework.finetune(own, self._training(self._inputs.train, 0, self._settings.finetune))
        return model

    def _training(self, train: Arrays, epochs: int, settings: FinetuneSettings) -> Training:
        inputs, task = self._inputs, self._settings.task
        how = dataclasses.replace(settings, epochs=epochs)
        return Training(train, how, self.seed, self._watcher.epoch, task, inputs.validation, inputs.model)

    def _described(self, model: Any) -> Network:
        return self.network if model is self.model else self._inputs.framework.inspect(model)
