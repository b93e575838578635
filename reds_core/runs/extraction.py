"""One more member of a finished family, without training."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.cost import counting
from reds_core.cost.budget import parse_budgets
from reds_core.errors import InputError, RedsError
from reds_core.formulation.formulation import formulate
from reds_core.framework.framework import Arrays, Framework, member_kept
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plan import PLAN_FILE, Plan, SubnetworkRecord, load_plan, save_plan
from reds_core.pruning.promise import check_model
from reds_core.registry import Registry
from reds_core.runs.checkpoint import load_order, load_scores, order_fits, scores_fit
from reds_core.runs.dataset import load_data, split_validation
from reds_core.runs.exporting import NESTED_FILE, Exporter
from reds_core.runs.folder import ORDER_FILE, SCORES_FILE
from reds_core.runs.run import report, solution_figures
from reds_core.runs.search import Search
from reds_core.runs.settings import RunSettings
from reds_core.scoring.scorer import ScoreTable
from reds_core.system.folder_lock import locked_folder
from reds_core.system.records import from_plain
from reds_core.watcher import Watcher


def extract(folder: Path, budget_texts: tuple[str, ...], registry: Registry, watcher: Watcher) -> SubnetworkRecord:
    """Choose, extract and export the subnetwork of one more budget; add it to the plan and the report.

    Its widths lie between those of the members below and above it, so the family stays nested. Weights and batch-norm
    statistics are those of the member above it, or of the full network.

    Raises:
        InputError: if the folder holds no finished run, the budget is malformed or there already, or another command is
            writing to the folder.
        InfeasibleError: if no subnetwork meets the budget.
    """
    if not folder.is_dir():
        load_plan(folder)  # says so
    with locked_folder(folder, "an extraction", "extract from another folder"):
        return _extract(folder, budget_texts, registry, watcher)


def _extract(folder: Path, budget_texts: tuple[str, ...], registry: Registry, watcher: Watcher) -> SubnetworkRecord:
    plan = load_plan(folder)
    settings = _settings_of(plan, folder)
    parsed = parse_budgets(budget_texts)
    if len(parsed) != 1:
        raise InputError(f"{len(parsed)} budgets are given", "give one value a resource")
    budget = parsed[0]
    if any(s.name == budget.name for s in plan.subnetworks):
        raise InputError(f"'{folder}' already holds a subnetwork '{budget.name}'", "choose another budget")
    framework = registry.default_framework(settings.options, settings.imports)
    watcher.stage("reading the family")
    full = framework.load_model(folder / NESTED_FILE)
    network = framework.inspect(full)
    scores, order = load_scores(folder / SCORES_FILE), load_order(folder / ORDER_FILE)
    _check_fit(network, scores, order, folder)
    counting.check_resources(budget.amounts, settings.latency_table is not None)
    latencies = settings.read_latencies()
    if latencies is not None and latencies.digest != plan.hashes.latency_table:
        raise InputError(f"latency table '{settings.latency_table}' has changed since the run", "make the run anew")
    costs = settings.costs(network, latencies)
    forms = counting.resource_forms(network, budget.amounts, costs)
    at_full = {name: form.at(network.channels) for name, form in forms.items()}
    capacities = budget.capacities(at_full)
    unchanged = {g.name: np.arange(g.channels, dtype=np.int64) for g in network.groups}
    name = f"{network.name}-{budget.name}"
    problem = formulate(network, scores, forms, capacities, name, unchanged, settings.widths).problem

    below, above = _neighbours(plan, forms, capacities)
    bounded = _between(problem, below, above)
    search = Search(registry, settings.solver, settings.options, settings.controls())
    watcher.stage(f"choosing subnetwork {budget.name}")
    solution = search.choose(bounded)
    independent = search.answer(problem).bound if below or above else solution.bound
    assert solution.widths is not None

    source = full if above is None or above.files.keras is None else framework.load_model(folder / above.files.keras)
    source_network = network if source is full else framework.inspect(source)
    model = framework.extract(source, source_network, member_kept(solution.widths))
    usage = counting.usage(network, solution.widths, costs)
    check_model(framework, model, usage, costs, budget.name)
    train, test = _data(plan, settings, framework, model, watcher)
    watcher.stage(f"exporting subnetwork {budget.name}")
    timing = None if latencies is None else latencies.settings
    calibration = train if settings.int8 else None
    for note in framework.export_notes(model) if calibration is not None else ():
        watcher.warn(note)
    exporter = Exporter(framework, folder, settings.task, calibration, test, watcher.warn, timing)
    files, accuracy = exporter.save_member(model, budget.name, exporter.accuracy(model))
    record = SubnetworkRecord(
        name=budget.name,
        budget={r: a.plain for r, a in budget.amounts.items()},
        widths=dict(solution.widths),
        kept=_kept(order, dict(solution.widths)),
        usage=usage,
        bound_independent=independent,
        accuracy=accuracy,
        files=files,
        latency_measured_ns=exporter.measured_latency_ns(files),
        **solution_figures(solution),
    )
    at = 0 if below is None else plan.subnetworks.index(below) + 1
    members = (*plan.subnetworks[:at], record, *plan.subnetworks[at:])
    plan = dataclasses.replace(plan, subnetworks=members)
    save_plan(plan, folder)
    report(plan, folder, watcher)
    return record


def _settings_of(plan: Plan, folder: Path) -> RunSettings:
    """What the run was asked for.

    Raises:
        InputError: if the plan does not hold it in the form that is read now.
    """
    try:
        settings: RunSettings = from_plain(
            RunSettings, {k: v for k, v in plan.options.items() if k not in ("model", "data")}
        )
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(
            f"the options in '{folder / PLAN_FILE}' are not those of this version ({type(error).__name__}: {error})",
            "make the run anew",
        ) from None
    return settings


def _check_fit(network: Network, scores: ScoreTable, order: Kept, folder: Path) -> None:
    """Refuse files that do not belong to one run."""
    if not scores_fit(scores, network.channels) or not order_fits(order, network.channels):
        raise InputError(
            f"{SCORES_FILE}, {ORDER_FILE} and {NESTED_FILE} in '{folder}' are not of one run", "make the run anew"
        )


def _neighbours(
    plan: Plan, forms: dict[str, counting.ResourceForm], capacities: dict[str, int]
) -> tuple[SubnetworkRecord | None, SubnetworkRecord | None]:
    """The largest member that meets the budget and the next above it."""
    fits = [all(form.at(s.widths) <= capacities[r] for r, form in forms.items()) for s in plan.subnetworks]
    count = fits.index(False) if False in fits else len(fits)
    below = plan.subnetworks[count - 1] if count else None
    above = plan.subnetworks[count] if count < len(fits) else None
    return below, above


def _between(
    problem: KnapsackProblem, below: SubnetworkRecord | None, above: SubnetworkRecord | None
) -> KnapsackProblem:
    def options(member: SubnetworkRecord) -> list[int]:
        return [int(np.searchsorted(g.widths, member.widths[g.name])) for g in problem.groups]

    return problem.with_bounds(None if below is None else options(below), None if above is None else options(above))


def _kept(order: Kept, widths: dict[str, int]) -> dict[str, tuple[int, ...]]:
    return {g: tuple(int(c) for c in order[g][:w]) for g, w in widths.items()}


def _data(
    plan: Plan, settings: RunSettings, framework: Framework, model: Any, watcher: Watcher
) -> tuple[Arrays | None, Arrays | None]:
    """The run's data for calibration and the final figures, where it can still be read."""
    source = plan.options.get("data")
    if source is None:
        return None, None
    try:
        dataset = load_data(source, framework, framework.input_shape(model), settings.seed)
    except RedsError as error:
        watcher.warn(f"the run's data is not there any more, so no accuracy and no int8 file: {error}")
        return None, None
    if dataset.digest != plan.hashes.data:
        watcher.warn(f"data '{source}' has changed since the run, so no accuracy and no int8 file")
        return None, None
    train = framework.check_data(model, dataset.train, settings.task, "training data")
    if settings.holdout and len(train) > 1:
        train, _ = split_validation(train, settings.holdout, settings.seed)
    return train, framework.check_data(model, dataset.test, settings.task, "test data")
