"""A pruning run: a strategy's steps driven one by one, checkpointed, resumed, finished as files, plan and report."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reds_core.cost import counting
from reds_core.cost.budget import SubnetworkBudget, parse_budgets, smallest_first
from reds_core.errors import InputError, NoSpaceError, UnavailableError
from reds_core.framework.framework import Framework, Training
from reds_core.knapsack.solution import Solution
from reds_core.plan import (
    FullAccuracy,
    FullRecord,
    GroupRecord,
    Hashes,
    Plan,
    StepRecord,
    SubnetworkRecord,
    save_plan,
)
from reds_core.plugin import guarded
from reds_core.pruning.promise import check_family, check_model, check_reachable
from reds_core.pruning.pruner import Pruner, PruningState, Step
from reds_core.registry import Registry
from reds_core.report.run_report import write_report
from reds_core.runs.checkpoint import (
    Checkpoint,
    has_checkpoint,
    load_checkpoint,
    remove_checkpoints,
    remove_epochs,
    save_checkpoint,
    save_order,
    save_scores,
)
from reds_core.runs.dataset import Dataset, load_data, split_validation
from reds_core.runs.epoch_store import resumable_trainings
from reds_core.runs.exporting import Exporter
from reds_core.runs.folder import ORDER_FILE, SCORES_FILE, Mode, RunFolder, RunRecord
from reds_core.runs.inspection import frozen_warning, refuse_unprunable
from reds_core.runs.provenance import file_hash, versions_of, weights_hash
from reds_core.runs.recipe import recipe_of, save_recipe
from reds_core.runs.search import Search
from reds_core.runs.settings import RunSettings
from reds_core.runs.thinning import thinning_price, thinning_warning
from reds_core.runs.tools import Inputs, RunPlugins, RunTools
from reds_core.scoring.scorer import Scorer, check_level
from reds_core.system.machine_faults import is_out_of_space, machine_fault
from reds_core.system.records import to_json
from reds_core.system.users_code import UsersCode
from reds_core.watcher import Watcher

_BASELINE = "baseline"
"""Where the epochs of the network are kept that a run without a model trains first."""


@dataclass(frozen=True)
class Run:
    """One run, from its settings to its folder.

    Attributes:
        model: a path, a model object of a framework, or None to train a small baseline on the data first.
        data: a source as `reds_core.runs.dataset.load_data` takes it, a Dataset, or None.
        folder: where everything is written.
    """

    settings: RunSettings
    model: Path | Any | None
    data: str | Dataset | None
    folder: Path
    mode: Mode
    registry: Registry
    watcher: Watcher

    def execute(self) -> Plan:
        """Run, or go on with, all steps and finish.

        Raises:
            RedsError: whatever a user or a plugin can do wrong.
        """
        settings = self.settings
        plugins = RunPlugins(
            self.registry.create(Pruner, settings.pruner, settings.options),
            self.registry.create(Scorer, settings.scorer, settings.options),
            Search(
                self.registry,
                settings.solver,
                settings.options,
                settings.controls(),
            ),
        )
        plugins.search.check()
        check_level(plugins.scorer, settings.score_level)
        self.registry.check_settings(settings.options)
        budgets = parse_budgets(settings.budgets)
        counting.check_resources((r for b in budgets for r in b.amounts), settings.latency_table is not None)
        if self.data is None and (settings.finetune.epochs or plugins.scorer.needs_data):
            what = f"scorer '{plugins.scorer.name}'" if plugins.scorer.needs_data else "fine-tuning"
            raise InputError(
                f"{what} needs training data", "give --data, or take --scorer magnitude --finetune-epochs 0"
            )
        if self.model is None and self.data is None:
            raise InputError("neither a model nor data is given", "give one of them")
        framework = self._framework()
        folder = RunFolder(self.folder, self.mode)
        known = folder.accept(self.model)
        try:
            return self._go_on(plugins, budgets, framework, folder, known)
        except Exception as error:
            if known is None:
                folder.forget()
            fault = machine_fault(error) if is_out_of_space(error) else None
            if fault is not None and has_checkpoint(self.folder):
                raise NoSpaceError(fault.what, f"{fault.fix} and add --resume") from error
            raise

    def _go_on(
        self,
        plugins: RunPlugins,
        budgets: tuple[SubnetworkBudget, ...],
        framework: Framework,
        folder: RunFolder,
        known: RunRecord | None,
    ) -> Plan:
        """All that writes to the folder. `known`: what the run to go on with was started with."""
        settings, options = self.settings, self._options()
        if known is not None:
            known.check_options(options, self.folder)
        inputs = self._read_inputs(framework, folder, known)
        if known is not None:
            known.check_hashes(inputs.hashes, self.folder)
        finished = folder.finished_plan()
        if finished is not None:
            remove_checkpoints(self.folder)
            return finished
        settings.widths.check(inputs.network)
        wanted = dict.fromkeys(r for b in budgets for r in b.amounts)
        forms = counting.resource_forms(inputs.network, wanted, inputs.costs)
        full = {name: form.at(inputs.network.channels) for name, form in forms.items()}
        budgets = smallest_first(budgets, full)
        check_reachable(inputs.network, forms, budgets, full, settings.widths)
        record = RunRecord(options, inputs.hashes)
        if known is None and self.model is not None:
            folder.begin(record)
        else:
            folder.note(record)
        warnings = [*inputs.network.warnings, thinning_warning(inputs.network, settings.widths)]
        if settings.finetune.epochs:
            warnings.append(frozen_warning(inputs.network))
        if settings.int8 and inputs.train is not None:
            warnings += framework.export_notes(inputs.model)
        for warning in warnings:
            if warning is not None:
                self.watcher.warn(warning)
        checkpoint = self._take_steps(plugins, inputs, budgets, forms)
        check_family(plugins.pruner, inputs.network, forms, budgets, settings.widths, checkpoint.state)
        self._recalibrate(inputs, checkpoint.state)
        return self._finish(inputs, plugins, budgets, checkpoint, options)

    # --- before the steps ---------------------------------------------------------------------------------------

    def _framework(self) -> Framework:
        """The framework that owns the model object, or the one that reads files."""
        if isinstance(self.model, Path | None):
            return self.registry.default_framework(self.settings.options, self.settings.imports)
        for name in self.registry.available(Framework):
            framework = self.registry.create(Framework, name, self.settings.options)
            if framework.owns(self.model):
                framework.users_code = UsersCode(self.settings.imports, self.model)
                return framework
        raise InputError(
            f"a model of type {type(self.model).__name__} belongs to no installed framework", "give a Keras model"
        )

    def _options(self) -> dict[str, Any]:
        """Every setting by name, as plan.json holds it; paths absolute."""
        recipe = recipe_of(self.model, self.data, self.settings)
        options: dict[str, Any] = json.loads(to_json(recipe.settings))
        return {"model": recipe.model, "data": recipe.data, **options}

    def _read_inputs(self, framework: Framework, folder: RunFolder, known: RunRecord | None) -> Inputs:
        settings, watcher = self.settings, self.watcher
        watcher.stage("reading")
        latencies = settings.read_latencies()  # first: what it lacks should not be found out after training
        latency_hash = None if latencies is None else latencies.digest
        model, model_hash = None, None
        if isinstance(self.model, Path):
            model, model_hash = framework.load_model(self.model), file_hash(self.model)
        elif self.model is not None:
            model = self.model
        dataset = self.data if isinstance(self.data, Dataset) else None
        if isinstance(self.data, str):
            shape = None if model is None else framework.input_shape(model)
            dataset = load_data(self.data, framework, shape, settings.seed)
        if model is None:
            assert dataset is not None
            model, model_hash = self._baseline(framework, dataset, folder, known, latency_hash)
        network = framework.inspect(model)
        if settings.strict:
            refuse_unprunable(network)
        if model_hash is None:
            model_hash = weights_hash(framework, model, network)
        train = validation = test = None
        if dataset is not None:
            train = framework.check_data(model, dataset.train, settings.task, "training data")
            test = framework.check_data(model, dataset.test, settings.task, "test data")
            if settings.finetune.epochs:
                framework.check_finetuning(model, train, settings.finetune)
            if settings.holdout and len(train) > 1:
                train, validation = split_validation(train, settings.holdout, settings.seed)
        hashes = Hashes(model_hash, None if dataset is None else dataset.digest, latency_hash)
        costs = settings.costs(network, latencies)
        return Inputs(framework, model, network, train, validation, test, latencies, costs, hashes)

    def _baseline(
        self,
        framework: Framework,
        dataset: Dataset,
        folder: RunFolder,
        known: RunRecord | None,
        latency_hash: str | None,
    ) -> tuple[Any, str]:
        """The small network trained on the data, made once a run, and its hash."""
        path = folder.baseline
        if known is None:
            folder.begin(RunRecord(self._options(), Hashes(None, dataset.digest, latency_hash)))
        elif known.hashes.model is not None and not path.exists():
            raise InputError(f"the run's model '{path}' is gone", "start anew with --overwrite")
        if known is None or not path.exists():
            self.watcher.stage(f"training on {dataset.name}")
            settings = self.settings.baseline
            with resumable_trainings(self.folder, _BASELINE, "the training of the network", self.watcher) as slots:
                with slots.next(settings.epochs) as store:
                    training = Training(dataset.train, settings, self.settings.seed, self.watcher.epoch, keeper=store)
                    model = framework.build_baseline(training)
                framework.save_model(model, path)
                remove_epochs(folder.path)
        return framework.load_model(path), file_hash(path)

    # --- the steps ----------------------------------------------------------------------------------------------

    def _take_steps(
        self,
        plugins: RunPlugins,
        inputs: Inputs,
        budgets: tuple[SubnetworkBudget, ...],
        forms: Mapping[str, counting.ResourceForm],
    ) -> Checkpoint:
        """Take the steps that are left, each from the checkpoint of the one before."""
        free = self.settings.widths.free(inputs.network)
        steps = plugins.pruner.steps_where(free, inputs.network, budgets, self.settings.finetune.epochs)
        checkpoint = load_checkpoint(self.folder, inputs.framework) or Checkpoint(PruningState(), ())
        if [s.name for s in checkpoint.steps] != [s.name for s in steps[: len(checkpoint.steps)]]:
            raise InputError(
                f"the run in '{self.folder}' took other steps than pruner '{plugins.pruner.name}' takes now",
                "start anew with --overwrite",
            )
        for index in range(len(checkpoint.steps), len(steps)):
            checkpoint = self._take(steps, index, checkpoint, plugins, inputs, budgets, forms)
        return checkpoint

    def _take(
        self,
        steps: Sequence[Step],
        index: int,
        checkpoint: Checkpoint,
        plugins: RunPlugins,
        inputs: Inputs,
        budgets: tuple[SubnetworkBudget, ...],
        forms: Mapping[str, counting.ResourceForm],
    ) -> Checkpoint:
        """Take one step and save where it led."""
        step = steps[index]
        self.watcher.stage(f"step {index + 1} of {len(steps)}: {step.name}")
        with resumable_trainings(self.folder, f"{index:04d}", f"step '{step.name}'", self.watcher) as slots:
            tools = RunTools(inputs, self.settings, budgets, forms, plugins, self.watcher, step, index, slots)
            with guarded(plugins.pruner, f" at step '{step.name}'"):
                state = plugins.pruner.take(step, checkpoint.state, tools)
            widths = dict(state.decided)
            record = StepRecord(index, step.name, tuple(widths), widths, tools.search_s, tools.finetune_s)
            taken = Checkpoint(dataclasses.replace(state, decided={}), (*checkpoint.steps, record))
            save_checkpoint(self.folder, taken, inputs.framework)
        return taken

    # --- after the steps ----------------------------------------------------------------------------------------

    def _recalibrate(self, inputs: Inputs, state: PruningState) -> None:
        """Give networks that no step has trained batch-norm statistics of their own, where there is data for that."""
        settings = self.settings
        if not settings.finetune.epochs and inputs.train is not None:
            assert state.family is not None
            training = Training(inputs.train, settings.finetune, settings.seed, self.watcher.epoch, settings.task)
            inputs.framework.finetune(state.family, training)

    def _finish(
        self,
        inputs: Inputs,
        plugins: RunPlugins,
        budgets: tuple[SubnetworkBudget, ...],
        checkpoint: Checkpoint,
        options: Mapping[str, Any],
    ) -> Plan:
        settings, framework, state = self.settings, inputs.framework, checkpoint.state
        assert state.family is not None
        timing = None if inputs.latencies is None else inputs.latencies.settings
        calibration = inputs.train if settings.int8 else None
        exporter = Exporter(framework, self.folder, settings.task, calibration, inputs.test, self.watcher.warn, timing)
        self.watcher.stage("measuring")
        before = exporter.accuracy(inputs.model)
        after = exporter.save_full(state.family.full)
        if state.scores is not None and state.order is not None:
            save_scores(self.folder / SCORES_FILE, state.scores.ordered(state.order))
            save_order(self.folder / ORDER_FILE, state.order)
        usage = counting.usage(inputs.network, inputs.network.channels, inputs.costs)
        check_model(framework, state.family.full, usage, inputs.costs, "full")
        records = []
        for i, budget in enumerate(budgets):
            self.watcher.stage(f"exporting {budget.name} ({i + 1} of {len(budgets)})")
            records.append(self._export(inputs, exporter, state, i, budget))
        groups = tuple(GroupRecord(g.name, g.channels, g.layers) for g in inputs.network.groups)
        plan = Plan(
            full=FullRecord(**usage, accuracy=FullAccuracy(before, after)),
            groups=groups,
            subnetworks=tuple(records),
            pruner=plugins.pruner.name,
            scorer=plugins.scorer.name,
            steps=checkpoint.steps,
            seed=settings.seed,
            options=options,
            versions=versions_of(self.registry, framework),
            hashes=inputs.hashes,
        )
        report(plan, self.folder, self.watcher)
        save_recipe(self.folder, self.model, self.data, settings)
        save_plan(plan, self.folder)  # last: a folder with a plan is a finished run
        remove_checkpoints(self.folder)
        return plan

    def _export(
        self, inputs: Inputs, exporter: Exporter, state: PruningState, member: int, budget: SubnetworkBudget
    ) -> SubnetworkRecord:
        assert state.family is not None
        choice, kept, framework = state.choices[member], state.kept(member), inputs.framework
        usage = counting.usage(inputs.network, choice.widths, inputs.costs)
        model = state.family.members[member]
        check_model(framework, model, usage, inputs.costs, budget.name)
        raw = None if inputs.test is None else framework.extract(inputs.model, inputs.network, kept)
        files, accuracy = exporter.save_member(model, budget.name, None if raw is None else exporter.accuracy(raw))
        solution, price = choice.solution, None
        if solution is not None and solution.value is not None and state.scores is not None and state.order is not None:
            asked = (inputs.network, self.settings.widths, state.scores, state.order, budget, inputs.costs)
            price = thinning_price(*asked, solution.value, self.registry, self.settings.controls())
        if price is not None:
            self.watcher.warn(price.told)
        return SubnetworkRecord(
            name=budget.name,
            budget={r: a.plain for r, a in budget.amounts.items()},
            widths=dict(choice.widths),
            kept={g: tuple(int(c) for c in channels) for g, channels in kept.items()},
            usage=usage,
            bound_independent=choice.bound_independent,
            accuracy=accuracy,
            files=files,
            latency_measured_ns=exporter.measured_latency_ns(files),
            thinning_price=None if price is None else price.share,
            thinning_value=None if price is None else price.value,
            **({} if solution is None else solution_figures(solution)),
        )


def report(plan: Plan, folder: Path, watcher: Watcher) -> None:
    """Write the report; without its libraries warn instead."""
    try:
        write_report(plan, folder)
    except UnavailableError as error:
        watcher.warn(f"no report was written: {error}")


def solution_figures(solution: Solution) -> dict[str, Any]:
    """The fields of a SubnetworkRecord that a solution gives."""
    return {
        "value": solution.value,
        "bound": solution.bound,
        "gap": solution.gap,
        "status": solution.status.value,
        "solver": solution.solver,
        "wall_s": solution.wall_s,
    }
