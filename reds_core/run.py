"""A pruning run: a strategy's steps driven one by one, checkpointed, resumed, finished as files, plan and report."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from reds_core import cost
from reds_core.axis import Kept
from reds_core.budget import SubnetworkBudget, parse_budgets, smallest_first
from reds_core.checkpoint import FOLDER as CHECKPOINT_FOLDER
from reds_core.checkpoint import (
    Checkpoint,
    load_checkpoint,
    remove_checkpoints,
    save_checkpoint,
    save_order,
    save_scores,
)
from reds_core.data import Dataset, load_data, split_validation
from reds_core.errors import ContractViolation, InfeasibleError, InputError, UnavailableError
from reds_core.exporting import Exporter
from reds_core.files import make_folder, write_text
from reds_core.formulate import Formulation, formulate
from reds_core.framework import Arrays, Family, Framework
from reds_core.network import Network
from reds_core.plan import (
    PLAN_FILE,
    FullAccuracy,
    FullRecord,
    GroupRecord,
    Hashes,
    Plan,
    StepRecord,
    SubnetworkRecord,
    load_plan,
    save_plan,
)
from reds_core.problem import KnapsackProblem
from reds_core.pruner import Pruner, PruningState, Tools
from reds_core.records import from_plain, to_json
from reds_core.registry import Registry
from reds_core.report import write_report
from reds_core.scorer import Scorer, ScoreTable, score
from reds_core.search import Search
from reds_core.settings import RunSettings
from reds_core.solution import Solution
from reds_core.solver import Controls
from reds_core.watcher import Watcher

BASELINE_FILE = "model.keras"
SCORES_FILE = "scores.npz"
ORDER_FILE = "order.npz"
RUN_FILE = "run.json"


class Mode(Enum):
    """What to do with a folder that already holds a run."""

    REFUSE = "refuse"
    RESUME = "resume"
    OVERWRITE = "overwrite"


@dataclass(frozen=True)
class RunRecord:
    """What a run was started with: a resumed run must agree.

    Attributes:
        options: every setting, by name.
        hashes: of the input model and the data.
    """

    options: Mapping[str, Any]
    hashes: Hashes


@dataclass(frozen=True)
class Inputs:
    """What a run works on, read and checked.

    Attributes:
        train: training data less what is held back; None without data.
        validation: the part held back for choosing; None without data or where nothing is held back.
        test: for the final figures only; None without data.
    """

    framework: Framework
    model: Any
    network: Network
    train: Arrays | None
    validation: Arrays | None
    test: Arrays | None
    hashes: Hashes


class _RunTools(Tools):
    """The tools of one step; measures what they spend."""

    def __init__(
        self,
        inputs: Inputs,
        settings: RunSettings,
        budgets: tuple[SubnetworkBudget, ...],
        forms: Mapping[str, cost.ResourceForm],
        scorer: Scorer,
        search: Search,
        watcher: Watcher,
        step: int,
    ) -> None:
        self.network, self.model, self.budgets = inputs.network, inputs.model, budgets
        self.seed = settings.step_seed(step)
        self.search_s: float | None = None
        self.finetune_s: float | None = None
        self._inputs, self._settings, self._forms = inputs, settings, forms
        self._scorer, self._search, self._watcher = scorer, search, watcher

    @property
    def finetune_epochs(self) -> int:
        return self._settings.finetune.epochs

    def score(self, model: Any) -> ScoreTable:
        i = self._inputs
        return score(self._scorer, i.framework, model, self.network, i.train, self._settings.task, self.seed)

    def formulate(self, scores: ScoreTable, budget: SubnetworkBudget, order: Kept | None = None) -> Formulation:
        full = {name: form.at(self.network.channels) for name, form in self._forms.items()}
        name = f"{self.network.name}-{budget.name}"
        return formulate(self.network, scores, self._forms, budget.capacities(full), name, order)

    def solve(self, problem: KnapsackProblem) -> Solution:
        solution = self._search.choose(problem)
        self.search_s = (self.search_s or 0.0) + solution.wall_s
        return solution

    def extract(self, model: Any, kept: Kept) -> Any:
        return self._inputs.framework.extract(model, self.network, kept)

    def finetune(self, family: Family[Any], epochs: int | None = None) -> Family[Any]:
        if self._inputs.train is None:
            raise InputError("fine-tuning needs training data", "give --data, or --finetune-epochs 0")
        settings = dataclasses.replace(
            self._settings.finetune, epochs=self.finetune_epochs if epochs is None else epochs, seed=self.seed
        )
        started = time.perf_counter()
        self._inputs.framework.finetune(family, self._inputs.train, self._settings.task, settings, self._watcher.epoch)
        self.finetune_s = (self.finetune_s or 0.0) + time.perf_counter() - started
        return family


@dataclass(frozen=True)
class Run:
    """One run, from its settings to its folder.

    Attributes:
        model: a path, a model object of a framework, or None to train a small baseline on the data first.
        data: a source as `reds_core.data.load_data` takes it, a Dataset, or None.
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
        pruner = self.registry.create(Pruner, settings.pruner, settings.options)
        scorer = self.registry.create(Scorer, settings.scorer, settings.options)
        controls = Controls(settings.time_limit_s, settings.seed, settings.threads)
        search = Search(self.registry, settings.solver, settings.options, controls)
        search.check()
        self.registry.check_settings(settings.options)
        budgets = parse_budgets(settings.budgets)
        forms_needed = dict.fromkeys(r for b in budgets for r in b.amounts)
        cost.check_resources(forms_needed)
        if self.data is None and (settings.finetune.epochs or scorer.needs_data):
            what = f"scorer '{scorer.name}'" if scorer.needs_data else "fine-tuning"
            raise InputError(
                f"{what} needs training data", "give --data, or take --scorer magnitude --finetune-epochs 0"
            )
        framework = self._framework()
        finished = self._prepare_folder()
        if finished is not None:
            self._check_same(RunRecord(finished.options, finished.hashes), self._options(), None)
            return finished
        inputs = self._read_inputs(framework)
        options = self._options()
        self._check_or_write_record(RunRecord(options, inputs.hashes))
        forms = cost.resource_forms(inputs.network, forms_needed, settings.element_size_bytes)
        full = {name: form.at(inputs.network.channels) for name, form in forms.items()}
        budgets = smallest_first(budgets, full)
        _check_reachable(inputs.network, forms, budgets, full)
        for warning in inputs.network.warnings:
            self.watcher.warn(warning)

        steps = list(pruner.steps(inputs.network, budgets, settings.finetune.epochs))
        checkpoint = load_checkpoint(self.folder, framework) or Checkpoint(PruningState(), ())
        for index in range(len(checkpoint.steps), len(steps)):
            step = steps[index]
            self.watcher.stage(f"step {index + 1} of {len(steps)}: {step.name}")
            tools = _RunTools(inputs, settings, budgets, forms, scorer, search, self.watcher, index)
            state = pruner.take(step, checkpoint.state, tools)
            widths = state.choices[-1].widths if step.groups and state.choices else {}
            decided = {g: widths[g] for g in step.groups if g in widths}
            record = StepRecord(index, step.name, step.groups, decided, tools.search_s, tools.finetune_s)
            checkpoint = Checkpoint(state, (*checkpoint.steps, record))
            save_checkpoint(self.folder, checkpoint, framework)
        if len(checkpoint.state.choices) != len(budgets) or checkpoint.state.family is None:
            raise ContractViolation(
                f"pruner '{pruner.name}' ended without a choice for every budget or without models",
                "report it to its author, or choose another pruner",
            )
        return self._finish(inputs, pruner, scorer, budgets, checkpoint, options)

    # --- before the steps ---------------------------------------------------------------------------------------

    def _framework(self) -> Framework:
        """The framework that owns the model object, or the first one there is."""
        names = self.registry.available(Framework)
        frameworks = [self.registry.create(Framework, name) for name in names]
        if isinstance(self.model, Path | None):
            if frameworks:
                return frameworks[0]
            self.registry.get(Framework, "tensorflow")  # says what to install
        for framework in frameworks:
            if framework.owns(self.model):
                return framework
        raise InputError(
            f"a model of type {type(self.model).__name__} belongs to no installed framework", "give a Keras model"
        )

    def _prepare_folder(self) -> Plan | None:
        """Refuse, clear or accept the folder. The finished plan where a finished run is resumed."""
        finished = (self.folder / PLAN_FILE).exists()
        unfinished = (self.folder / CHECKPOINT_FOLDER).exists()
        if self.mode is Mode.REFUSE and (finished or unfinished):
            state = "a finished run" if finished else "an unfinished run"
            raise InputError(
                f"'{self.folder}' holds {state}",
                "add --resume to go on with it, --overwrite to start anew, or choose another --out",
            )
        make_folder(self.folder)
        if self.mode is Mode.OVERWRITE:
            self._clear(finished)
        return load_plan(self.folder) if self.mode is Mode.RESUME and finished else None

    def _clear(self, finished: bool) -> None:
        """Remove what an earlier run wrote, its plan first; a model that was given is never touched."""
        remove_checkpoints(self.folder)
        if not finished:
            return
        try:
            files = [s.files for s in load_plan(self.folder).subnetworks]
        except InputError:
            files = []
        (self.folder / PLAN_FILE).unlink()
        for entry in files:
            for name in (entry.keras, entry.tflite, entry.tflite_int8):
                if name and Path(name).name == name:
                    (self.folder / name).unlink(missing_ok=True)

    def _options(self) -> dict[str, Any]:
        """Every setting by name, as plan.json holds it."""
        options: dict[str, Any] = json.loads(to_json(self.settings))
        model = self.model if isinstance(self.model, Path | None) else type(self.model).__name__
        data = self.data.name if isinstance(self.data, Dataset) else self.data
        return {"model": None if model is None else str(model), "data": data, **options}

    def _check_or_write_record(self, record: RunRecord) -> None:
        path = self.folder / CHECKPOINT_FOLDER / RUN_FILE
        if path.exists():
            try:
                known: RunRecord = from_plain(RunRecord, json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise InputError(f"'{path}' is damaged ({error})", "start anew with --overwrite") from error
            self._check_same(known, record.options, record.hashes)
        else:
            make_folder(path.parent)
            write_text(path, to_json(record))

    def _check_same(self, known: RunRecord, options: Mapping[str, Any], hashes: Hashes | None) -> None:
        """Refuse to resume under other settings, another model or other data."""
        where = f"the run in '{self.folder}'"
        mend = "resume with the options it was started with, or start anew with --overwrite"
        for key in options:
            if options[key] != known.options.get(key):
                raise InputError(f"{where} was started with {key} {known.options.get(key)}, not {options[key]}", mend)
        for name in ("model", "data"):
            if hashes is not None and getattr(hashes, name) != getattr(known.hashes, name):
                raise InputError(f"the {name} is not the one that {where} was started with", mend)

    def _read_inputs(self, framework: Framework) -> Inputs:
        settings, watcher = self.settings, self.watcher
        watcher.stage("reading")
        model, model_hash = None, None
        if isinstance(self.model, Path):
            model, model_hash = framework.load_model(self.model), _file_hash(self.model)
        elif self.model is not None:
            model = self.model
        dataset = self.data if isinstance(self.data, Dataset) else None
        if isinstance(self.data, str):
            shape = None if model is None else framework.input_shape(model)
            dataset = load_data(self.data, framework, shape, settings.seed)
        if model is None:
            if dataset is None:
                raise InputError("neither a model nor data is given", "give one of them")
            model, model_hash = self._baseline(framework, dataset)
        network = framework.inspect(model)
        if model_hash is None:
            model_hash = _weights_hash(framework, model, network)
        train = validation = test = None
        if dataset is not None:
            train = framework.check_data(model, dataset.train, settings.task, "training data")
            test = framework.check_data(model, dataset.test, settings.task, "test data")
            if settings.holdout and len(train) > 1:
                train, validation = split_validation(train, settings.holdout, settings.seed)
        hashes = Hashes(model_hash, None if dataset is None else dataset.digest)
        return Inputs(framework, model, network, train, validation, test, hashes)

    def _baseline(self, framework: Framework, dataset: Dataset) -> tuple[Any, str]:
        """The small network trained on the data, made once a folder."""
        path = self.folder / BASELINE_FILE
        if not (self.mode is Mode.RESUME and path.exists()):
            self.watcher.stage(f"training a small network on {dataset.name}")
            framework.save_model(
                framework.build_baseline(dataset.train, self.settings.baseline, self.watcher.epoch), path
            )
        return framework.load_model(path), _file_hash(path)

    # --- after the steps ----------------------------------------------------------------------------------------

    def _finish(
        self,
        inputs: Inputs,
        pruner: Pruner,
        scorer: Scorer,
        budgets: tuple[SubnetworkBudget, ...],
        checkpoint: Checkpoint,
        options: Mapping[str, Any],
    ) -> Plan:
        settings, framework, state = self.settings, inputs.framework, checkpoint.state
        assert state.family is not None
        exporter = Exporter(framework, self.folder, settings.task, inputs.train, inputs.test)
        self.watcher.stage("measuring the full network")
        before = exporter.accuracy(inputs.model)
        after = exporter.save_full(state.family.full)
        if state.scores is not None and state.order is not None:
            save_scores(self.folder / SCORES_FILE, state.scores.ordered(state.order))
            save_order(self.folder / ORDER_FILE, state.order)
        usage = cost.usage(inputs.network, inputs.network.channels, settings.element_size_bytes)
        records = []
        for i, budget in enumerate(budgets):
            self.watcher.stage(f"exporting subnetwork {budget.name} ({i + 1} of {len(budgets)})")
            records.append(self._export(inputs, exporter, state, i, budget))
        groups = tuple(GroupRecord(g.name, g.channels, g.layers) for g in inputs.network.groups)
        plan = Plan(
            full=FullRecord(**usage, accuracy=FullAccuracy(before, after)),
            groups=groups,
            subnetworks=tuple(records),
            pruner=pruner.name,
            scorer=scorer.name,
            steps=checkpoint.steps,
            seed=settings.seed,
            options=options,
            versions=_versions(self.registry, framework),
            hashes=inputs.hashes,
        )
        save_plan(plan, self.folder)
        report(plan, self.folder, self.watcher)
        remove_checkpoints(self.folder)
        return plan

    def _export(
        self, inputs: Inputs, exporter: Exporter, state: PruningState, member: int, budget: SubnetworkBudget
    ) -> SubnetworkRecord:
        assert state.family is not None
        choice, kept, framework = state.choices[member], state.kept(member), inputs.framework
        usage = cost.usage(inputs.network, choice.widths, self.settings.element_size_bytes)
        model = state.family.members[member]
        check_promise(framework, model, usage, self.settings.element_size_bytes, budget.name)
        raw = None if inputs.test is None else framework.extract(inputs.model, inputs.network, kept)
        files, accuracy = exporter.save_member(model, budget.name, None if raw is None else exporter.accuracy(raw))
        solution = choice.solution
        return SubnetworkRecord(
            name=budget.name,
            budget={r: a.plain for r, a in budget.amounts.items()},
            widths=dict(choice.widths),
            kept={g: tuple(int(c) for c in channels) for g, channels in kept.items()},
            usage=usage,
            bound_independent=choice.bound_independent,
            accuracy=accuracy,
            files=files,
            **({} if solution is None else solution_figures(solution)),
        )


def report(plan: Plan, folder: Path, watcher: Watcher) -> None:
    """Write the report; without its libraries warn instead."""
    try:
        write_report(plan, folder)
    except UnavailableError as error:
        watcher.warn(f"no report was written: {error}")


def check_promise(
    framework: Framework, model: Any, usage: Mapping[str, int], element_size_bytes: int, name: str
) -> None:
    """Recount `model` from its own layers: a budget is a promise.

    Raises:
        ContractViolation: if the recount differs from `usage`.
    """
    network = framework.inspect(model)
    recounted = cost.usage(network, network.channels, element_size_bytes)
    if recounted != dict(usage):
        raise ContractViolation(
            f"subnetwork '{name}' uses {recounted} where {dict(usage)} was planned", "report this as a bug of reds"
        )


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


def _check_reachable(
    network: Network,
    forms: Mapping[str, cost.ResourceForm],
    budgets: tuple[SubnetworkBudget, ...],
    full: Mapping[str, int],
) -> None:
    """Refuse budgets below one channel a group before any time is spent on scores."""
    narrowest = dict.fromkeys(network.channels, 1)
    for budget in budgets:
        for resource, capacity in budget.capacities(full).items():
            least = forms[resource].at(narrowest)
            if least > capacity:
                raise InfeasibleError(
                    f"no subnetwork meets the budget '{budget.name}': {resource} {capacity} is asked for, "
                    f"the least that can be reached is {least} ({100 * least / full[resource]:.2g} % of the network)",
                    f"raise the budget to {least} or more",
                )


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _weights_hash(framework: Framework, model: Any, network: Network) -> str:
    """For a model that has no file: of its layers and weights."""
    digest = hashlib.sha256(repr([(layer.name, layer.kind) for layer in network.layers]).encode())
    for array in framework.weights(model, network):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _versions(registry: Registry, framework: Framework) -> dict[str, str]:
    """Of Python, reds, every library behind it and every distribution that brings plugins."""
    distributions = {r.distribution: r.version for r in registry.records if r.distribution and r.version}
    libraries = {name: importlib.metadata.version(name) for name in ("numpy", "pluggy")}
    return {"python": platform.python_version(), **distributions, **libraries, **framework.library_versions()}
