"""Adds a member to a finished family without training."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.cost.budget import SubnetworkBudget, parse_budgets
from reds_core.cost.latency_table import LatencyTable
from reds_core.cost.resources import check_resources
from reds_core.errors import InputError, RedsError
from reds_core.formulation.statement import Statement
from reds_core.framework.data import Arrays, Data
from reds_core.framework.framework import Framework, member_kept
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plan import PLAN_FILE, Plan, SubnetworkRecord, load_plan, save_plan
from reds_core.pruning.promise import check_model
from reds_core.pruning.pruner import Decision
from reds_core.registry import Registry
from reds_core.runs.alignment import choose
from reds_core.runs.checkpoint import load_order, load_scores, order_fits, scores_fit
from reds_core.runs.dataset import OBJECTS, Dataset
from reds_core.runs.exporting import Exporter
from reds_core.runs.file_names import full_file
from reds_core.runs.finish import report, solution_figures
from reds_core.runs.folder import OPTIONS_OF_OBJECTS, ORDER_FILE, SCORES_FILE, VALIDATION
from reds_core.runs.given_data import Splits, read_given
from reds_core.runs.inputs import examples_in_memory
from reds_core.runs.search import Search
from reds_core.runs.settings import RunSettings
from reds_core.runs.splitting import split_validation
from reds_core.scoring.scorer import ScoreTable
from reds_core.system.folder_lock import locked_folder
from reds_core.system.records import from_plain
from reds_core.watcher import Watcher


def extract(
    folder: Path,
    budget_texts: tuple[str, ...],
    registry: Registry,
    watcher: Watcher,
    data: str | Dataset | Splits | None = None,
) -> SubnetworkRecord:
    """Choose, extract and export the subnetwork of another budget, and add it to the plan and the report.

    Its widths lie between those of the members below and above it, so the family stays nested. Weights and batch-norm
    statistics are those of the member above it, or of the full network. Accuracy is measured on `data`, or on the data
    of the run where that was read from a path or by a name.

    Raises:
        InputError: If the folder holds no finished run, if the budget is malformed or already taken, or if another
            command is writing to the folder.
        InfeasibleError: If no subnetwork meets the budget.
    """
    if not folder.is_dir():
        load_plan(folder)  # raises the error
    with locked_folder(folder, "an extraction", "extract from another folder"):
        plan = load_plan(folder)
        settings = _settings_of(plan, folder)
        budget = _one_budget(budget_texts, plan, folder)
        framework = registry.default_framework(settings.options, settings.imports)
        watcher.stage("reading the family")
        family = _read_family(folder, plan, settings, framework, budget)
        search = Search(registry, settings.solver, settings.options, settings.controls())
        watcher.stage(f"choosing subnetwork {budget.name}")
        below, above = _neighbours(family, budget)
        decision = _decide(family, budget, below, above, search)
        record = _export(family, budget, decision, _cut(family, decision, above, budget), data, watcher)
        at = 0 if below is None else plan.subnetworks.index(below) + 1
        members = (*plan.subnetworks[:at], record, *plan.subnetworks[at:])
        plan = dataclasses.replace(plan, subnetworks=members)
        save_plan(plan, folder)
        report(plan, folder, watcher)
        return record


@dataclass(frozen=True)
class _FinishedFamily:
    """The family of a finished run.

    Attributes:
        folder: The folder of the run.
        plan: Its plan.
        settings: Its settings.
        framework: Reads and writes the models.
        full: The full network, with the most important channels of each group first.
        statement: The common part of the knapsack problems of the full network.
        scores: The scores of the channels, in the order of the full network.
        order: For each group the channels of the input model in that order.
        latencies: The latency table; None if the run used none.
    """

    folder: Path
    plan: Plan
    settings: RunSettings
    framework: Framework
    full: Any
    statement: Statement
    scores: ScoreTable
    order: Kept
    latencies: LatencyTable | None

    @property
    def network(self) -> Network:
        """The description of the full network."""
        return self.statement.network


def _one_budget(texts: tuple[str, ...], plan: Plan, folder: Path) -> SubnetworkBudget:
    parsed = parse_budgets(texts)
    if len(parsed) != 1:
        raise InputError(f"{len(parsed)} budgets are given", "give one value for each resource")
    budget = parsed[0]
    if any(s.name == budget.name for s in plan.subnetworks):
        raise InputError(f"'{folder}' already holds a subnetwork '{budget.name}'", "choose another budget")
    return budget


def _read_family(
    folder: Path, plan: Plan, settings: RunSettings, framework: Framework, budget: SubnetworkBudget
) -> _FinishedFamily:
    full = framework.load_model(folder / full_file(framework.files))
    network = framework.inspect(full)
    scores, order = load_scores(folder / SCORES_FILE), load_order(folder / ORDER_FILE)
    _check_fit(network, scores, order, folder, framework)
    check_resources(budget.amounts, settings.latency_table is not None)
    latencies = settings.read_latencies()
    if latencies is not None and latencies.digest != plan.hashes.latency_table:
        raise InputError(
            f"latency table '{settings.latency_table}' has changed since the run", "run `reds prune` again"
        )
    statement = Statement(network, settings.costs(network, latencies), settings.widths)
    return _FinishedFamily(folder, plan, settings, framework, full, statement, scores, order, latencies)


def _decide(
    family: _FinishedFamily,
    budget: SubnetworkBudget,
    below: SubnetworkRecord | None,
    above: SubnetworkRecord | None,
    search: Search,
) -> Decision:
    """Choose the widths of the subnetwork between those of its neighbours.

    Raises:
        InfeasibleError: If no subnetwork meets the budget.
    """
    unchanged = {g.name: np.arange(g.channels, dtype=np.int64) for g in family.network.groups}
    problem = family.statement.formulate(family.scores, budget, unchanged).problem
    solution = choose(search, _between(problem, below, above), family.statement.rules)
    independent = search.answer(problem).bound if below or above else solution.bound
    return Decision.of(solution, independent)


def _cut(family: _FinishedFamily, decision: Decision, above: SubnetworkRecord | None, budget: SubnetworkBudget) -> Any:
    """Extract the subnetwork from the member above it, or from the full network, and check what it uses."""
    framework, source, network = family.framework, family.full, family.network
    file = None if above is None else above.files.get(framework.files.model.name)
    if file is not None:
        source = framework.load_model(family.folder / file)
        network = framework.inspect(source)
    model = framework.extract(source, network, member_kept(decision.widths))
    usage = family.statement.usage(decision.widths)
    check_model(framework, model, usage, family.statement.costs, budget.name)
    return model


def _export(
    family: _FinishedFamily,
    budget: SubnetworkBudget,
    decision: Decision,
    model: Any,
    data: str | Dataset | Splits | None,
    watcher: Watcher,
) -> SubnetworkRecord:
    """Write and measure the subnetwork."""
    settings, framework, latencies = family.settings, family.framework, family.latencies
    train, test = _data(family, model, data, watcher)
    watcher.stage(f"exporting subnetwork {budget.name}")
    timing = None if latencies is None else latencies.settings
    calibration = train if settings.int8 else None
    for note in framework.export_notes(model) if calibration is not None else ():
        watcher.warn(note)
    exporter = Exporter(framework, family.folder, settings.task, calibration, test, watcher.warn, timing)
    files, accuracy = exporter.save_member(model, budget.name, exporter.accuracy(model))
    return SubnetworkRecord(
        name=budget.name,
        budget={r: a.plain for r, a in budget.amounts.items()},
        widths=dict(decision.widths),
        kept={g: tuple(int(c) for c in family.order[g][:w]) for g, w in decision.widths.items()},
        usage=family.statement.usage(decision.widths),
        bound_independent=decision.bound_independent,
        accuracy=accuracy,
        files=files,
        latency_measured_ns=exporter.measured_latency_ns(files),
        **({} if decision.solution is None else solution_figures(decision.solution)),
    )


def _settings_of(plan: Plan, folder: Path) -> RunSettings:
    """The settings of the run.

    Raises:
        InputError: If the plan does not hold them in the current format.
    """
    try:
        settings: RunSettings = from_plain(
            RunSettings, {k: v for k, v in plan.options.items() if k not in ("model", "data", *OPTIONS_OF_OBJECTS)}
        )
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(
            f"the options in '{folder / PLAN_FILE}' are not those of this version ({type(error).__name__}: {error})",
            "run `reds prune` again",
        ) from None
    return settings


def _check_fit(network: Network, scores: ScoreTable, order: Kept, folder: Path, framework: Framework) -> None:
    """Refuse files that do not belong to one run."""
    if not scores_fit(scores, network.channels) or not order_fits(order, network.channels):
        names = f"{SCORES_FILE}, {ORDER_FILE} and {full_file(framework.files)}"
        raise InputError(f"{names} in '{folder}' do not belong to one run", "run `reds prune` again")


def _neighbours(
    family: _FinishedFamily, budget: SubnetworkBudget
) -> tuple[SubnetworkRecord | None, SubnetworkRecord | None]:
    """The largest member that meets the budget, and the next larger one."""
    members = family.plan.subnetworks
    fits = [not family.statement.excesses(budget, member.widths) for member in members]
    count = fits.index(False) if False in fits else len(fits)
    below = members[count - 1] if count else None
    above = members[count] if count < len(fits) else None
    return below, above


def _between(
    problem: KnapsackProblem, below: SubnetworkRecord | None, above: SubnetworkRecord | None
) -> KnapsackProblem:
    def options(member: SubnetworkRecord) -> list[int]:
        return [int(np.searchsorted(g.widths, member.widths[g.name])) for g in problem.groups]

    return problem.with_bounds(None if below is None else options(below), None if above is None else options(above))


def _data(
    family: _FinishedFamily, model: Any, data: str | Dataset | Splits | None, watcher: Watcher
) -> tuple[Arrays | None, Data | None]:
    """The data of the run for calibration and for accuracy; None if it can no longer be read."""
    plan, settings, framework = family.plan, family.settings, family.framework
    source = plan.options.get("data") if data is None else data
    if source is None:
        return None, None
    without = "so no accuracy is measured and no int8 file is written"
    if isinstance(source, str) and source in OBJECTS:
        watcher.warn(f"the data of the run was given as objects in Python and is not given now, {without}")
        return None, None
    try:
        dataset = read_given(source, None, framework, model, settings)
    except RedsError as error:
        if data is not None:
            raise
        watcher.warn(f"the data of the run cannot be read, {without}: {error}")
        return None, None
    if dataset.digest != plan.hashes.data:
        name = source if isinstance(source, str) else dataset.name
        watcher.warn(f"data '{name}' has changed since the run, {without}")
        return None, None
    train = framework.check_data(model, dataset.train, settings.task, "training data")
    if VALIDATION not in plan.options and isinstance(train, Arrays) and settings.holdout and len(train) > 1:
        train, _ = split_validation(train, settings.holdout, settings.seed)
    test = dataset.test
    if test is not None:
        test = framework.check_data(model, test, settings.task, "test data")
    return examples_in_memory(train), test
