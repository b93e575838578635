"""Adds a member to a finished family, without training or trained by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.cost.budget import SubnetworkBudget, parse_budgets
from reds_core.cost.latency_table import LatencyTable
from reds_core.cost.resources import check_resources
from reds_core.errors import InputError, argument, command
from reds_core.formulation.infeasibility import check_reachable
from reds_core.formulation.slack import slack_warnings
from reds_core.framework.data import Arrays
from reds_core.framework.family import member_kept
from reds_core.framework.projection import SmallerNetwork
from reds_core.framework.target import FullExport
from reds_core.knapsack.option_rows import choice_of
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.plan import ExtractionRecord, Plan, SubnetworkRecord, load_plan, save_plan
from reds_core.plan_details import load_details, save_details
from reds_core.plugin import PluginOptions
from reds_core.pruning.pruner import Decision
from reds_core.registry import Registry
from reds_core.report.facts import metric_of
from reds_core.run_history import HistoryRow, load_history
from reds_core.runs.alignment import choose
from reds_core.runs.checkpoint import remove_checkpoints
from reds_core.runs.dataset import Dataset
from reds_core.runs.details import with_member
from reds_core.runs.device_figures import device_measurement
from reds_core.runs.exporting import Exporter, MemberFiles
from reds_core.runs.file_names import full_device_file
from reds_core.runs.finish import report, write_history
from reds_core.runs.finished_family import FinishedFamily, read_family, settings_of
from reds_core.runs.given_data import Splits
from reds_core.runs.int8_gate import int8_gate, refuse_exceeded
from reds_core.runs.member_data import MemberData, member_calibration, read_member_data
from reds_core.runs.member_training import recalibrate_member, train_member
from reds_core.runs.participants import FRAMEWORKS, check_options, solvers, target_participants
from reds_core.runs.planned_member import PlannedMember
from reds_core.runs.recounting import recount
from reds_core.runs.saved_plan import SavedSubnetwork, saved_plan
from reds_core.runs.search import Search
from reds_core.runs.settings import SHARED, RunSettings, merged_options
from reds_core.runs.targets import RunTargets, run_targets
from reds_core.system.folder_lock import locked_folder
from reds_core.watcher import Watcher

FULL_SOURCE = "full"
"""The source of a member that is cut from the full network."""


@dataclass(frozen=True)
class ExtractionRequest:
    """What a user asks of an extraction.

    Attributes:
        budgets: One budget, as texts of the command line.
        data: The data of the run; None to read it from where the run did.
        calibration: What files are calibrated on, as in the settings of a run; None for that of the run.
        calibration_data: The data for that if it is an object in Python, else None.
        finetune_epochs: How many epochs the new member is trained for by itself.
        solver: The name of a solver plugin; None for that of the run.
        time_limit_s: The time limit of each solve; None for that of the run.
        gap: The proven relative gap at which each solve may stop; None for that of the run.
        options: Options of plugins, which take precedence over those of the run.
    """

    budgets: tuple[str, ...]
    data: str | Dataset | Splits | None = None
    calibration: str | None = None
    calibration_data: Any | None = None
    finetune_epochs: int = 0
    solver: str | None = None
    time_limit_s: float | None = None
    gap: float | None = None
    options: PluginOptions = field(default_factory=dict)

    def settings(self, base: RunSettings) -> RunSettings:
        """Return the settings of a run with what the user asks for in their place.

        Raises:
            InputError: If a figure is out of range.
        """
        return dataclasses.replace(
            base,
            calibration=base.calibration if self.calibration is None else self.calibration,
            solver=base.solver if self.solver is None else self.solver,
            time_limit_s=base.time_limit_s if self.time_limit_s is None else self.time_limit_s,
            gap=base.gap if self.gap is None else self.gap,
            options=merged_options(base.options, self.options),
            finetune=dataclasses.replace(base.finetune, epochs=self.finetune_epochs),
        )


def extract(folder: Path, request: ExtractionRequest, registry: Registry, watcher: Watcher) -> SavedSubnetwork:
    """Choose, extract, train and export the subnetwork of another budget, and add it to the plan and the report.

    Its widths lie between those of the members below and above it, so the family stays nested. Its weights are cut from
    the next larger member that shares the weights of the family, or from the full network, and its batch-norm
    statistics are measured on training data. If it is trained, these weights become its own; no file of another member
    changes. A member that an earlier extraction added under the same budget is replaced if the new one is trained.

    Until the files of the new member are complete, the plan does not name it, so a stopped extraction harms nothing.

    Raises:
        InputError: If the folder holds no finished run, if the budget is malformed or already taken, if data that is
            needed cannot be used, or if another command is writing to the folder.
        InfeasibleError: If no subnetwork meets the budget.
    """
    if not folder.is_dir():
        load_plan(folder)  # raises the error
    with locked_folder(folder, "an extraction", "extract from another folder"):
        present = load_plan(folder)
        base = settings_of(present, folder)
        settings = request.settings(base)
        check_options(registry, request.options, (solvers(settings.solver), FRAMEWORKS, *target_participants(settings)))
        budget = _one_budget(request.budgets)
        plan = _without_replaced(present, budget, request, folder)
        framework = registry.default_framework(settings.options, settings.imports)
        targets = run_targets(registry, framework, settings)
        search = Search(registry, settings.solver, settings.options, settings.controls())
        search.check()
        check_resources(budget.amounts, settings.latency_table is not None)
        watcher.stage("reading the family")
        family = read_family(folder, plan, settings, framework, registry, targets, budget)
        check_reachable(family.statement, [budget])
        for warning in slack_warnings(family.statement, [budget]):
            watcher.warn(warning)
        watcher.stage(f"choosing subnetwork {budget.name}")
        at = _position(family, budget)
        below, above = plan.subnetworks[at - 1] if at else None, next(iter(plan.subnetworks[at:]), None)
        decision = _decide(family, budget, below, above, search)
        source = next((m for m in plan.subnetworks[at:] if _gives_weights(m, family)), None)
        member = PlannedMember(budget, decision, family.order, family.statement, family.levels)
        model = _cut(family, member, source)
        data = read_member_data(family, model, request.data, watcher)
        smaller = [SmallerNetwork(m.widths, m.levels) for m in plan.subnetworks[:at] if m.shares_weights]
        projected = family.levels.project(
            framework, model, decision.settings, data.examples, widths=decision.widths, smaller=smaller
        )
        calibration = member_calibration(family, model, data, request.calibration_data) if settings.int8 else None
        exporter = _exporter(family, registry, targets, model, data, calibration, watcher)
        before = exporter.accuracy(model)
        trained: tuple[HistoryRow, ...] = ()
        if request.finetune_epochs:
            if projected is not None:
                projected.undo()  # weights that are zero, for example, can have other values after a training
            trained = train_member(family, budget.name, model, decision.settings, data, watcher)
            projected = family.levels.project(framework, model, decision.settings, data.examples)
        else:
            recalibrate_member(family, budget.name, model, data, watcher)
        if projected is not None:
            projected.hold()
        watcher.stage(f"exporting subnetwork {budget.name}")
        if plan is not present:
            save_plan(plan, folder)  # it must not name a member whose files are being replaced
        shared = _shared(family, request, exporter, watcher)
        files = exporter.save_member(member.rewritten(framework, model, data.examples), member, before, shared)
        added = ExtractionRecord(FULL_SOURCE if source is None else source.name, request.finetune_epochs)
        record = dataclasses.replace(files.added_to(member.record(settings.names_targets)), extraction=added)
        plan = dataclasses.replace(plan, subnetworks=(*plan.subnetworks[:at], record, *plan.subnetworks[at:]))
        _update_records(family, plan, member, files, trained)
        save_plan(plan, folder)
        report(plan, folder, watcher)
        if request.finetune_epochs:
            remove_checkpoints(folder)
        for warning in _warnings(plan, record, base):
            watcher.warn(warning)
        refuse_exceeded(settings, [record], folder)
        return saved_plan(plan, folder, settings.imports, registry)[record.name]


def _update_records(
    family: FinishedFamily,
    plan: Plan,
    member: PlannedMember,
    files: MemberFiles,
    trained: tuple[HistoryRow, ...],
) -> None:
    """Add a member to the details and the training curves of the run, if the run has any.

    Args:
        family: The family.
        plan: The plan with the member.
        member: The member.
        files: Its files, and what was measured on them.
        trained: The training curves of the member; none if it was not trained.
    """
    details, folder = load_details(family.folder), family.folder
    if details is not None:
        names = [each.name for each in plan.subnetworks]
        decided = (member.name, member.decision, files.classes)
        save_details(with_member(details, family.statement, names, *decided), folder)
    steps = {row.step for row in trained}
    rows = (*(row for row in load_history(folder) if row.step not in steps), *trained)
    write_history(rows, plan, folder)


def _one_budget(texts: tuple[str, ...]) -> SubnetworkBudget:
    parsed = parse_budgets(texts)
    if len(parsed) != 1:
        raise InputError(f"{len(parsed)} budgets are given", "give one value for each resource")
    return parsed[0]


def _without_replaced(plan: Plan, budget: SubnetworkBudget, request: ExtractionRequest, folder: Path) -> Plan:
    """The plan without the member that the new one replaces.

    Raises:
        InputError: If the name is that of a member that must stay.
    """
    same = next((member for member in plan.subnetworks if member.name.lower() == budget.name.lower()), None)
    if same is None:
        return plan
    is_added = same.extraction is not None and dict(same.budget) == _plain(budget)
    if not (is_added and request.finetune_epochs):
        again = f", or give {argument('finetune_epochs')} to train it"
        fix = "choose another budget" + again * is_added
        raise InputError(f"'{folder}' already holds a subnetwork '{budget.name}'", fix)
    return dataclasses.replace(plan, subnetworks=tuple(m for m in plan.subnetworks if m is not same))


def _plain(budget: SubnetworkBudget) -> dict[str, float]:
    return {resource: amount.plain for resource, amount in budget.amounts.items()}


def _position(family: FinishedFamily, budget: SubnetworkBudget) -> int:
    """The place of the new member in the family: the number of members that meet its budget."""
    fits = [not family.statement.excesses(budget, member.widths, member.levels) for member in family.plan.subnetworks]
    return fits.index(False) if False in fits else len(fits)


def _decide(
    family: FinishedFamily,
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
    between, rules = _between(problem, below, above), family.statement.rules
    solution = choose(search, between, rules, family.network.channels)
    independent = search.answer(problem).bound if below or above else solution.bound
    return Decision.of(solution, independent)


def _between(
    problem: KnapsackProblem, below: SubnetworkRecord | None, above: SubnetworkRecord | None
) -> KnapsackProblem:
    """The problem with only the options that nest with those of the members below and above."""
    lower = None if below is None else _choice_of(problem, below)
    upper = None if above is None else _choice_of(problem, above)
    if not problem.has_levels:
        return problem.with_bounds(lower, upper)
    allowed = [np.ones(g.options, bool) for g in problem.groups]
    for group, options in enumerate(allowed):
        within = problem.within(group)
        options &= True if lower is None else within[lower[group]]
        options &= True if upper is None else within[:, upper[group]]
    return problem.restricted([np.flatnonzero(options) for options in allowed]).problem


def _choice_of(problem: KnapsackProblem, member: SubnetworkRecord) -> tuple[int, ...]:
    """The options that a member of the plan has.

    Raises:
        InputError: If the plan states widths or levels that cannot be chosen.
    """
    try:
        return choice_of(problem, member.widths, member.levels)
    except (KeyError, ValueError) as error:
        raise InputError(
            f"the plan states widths or levels of subnetwork '{member.name}' that cannot be chosen ({error})",
            f"run {command('prune')} again",
        ) from None


def _gives_weights(member: SubnetworkRecord, family: FinishedFamily) -> bool:
    """Whether a larger member has the weights of the family, in a file and as they are."""
    if family.statement.space is not None:  # the weights in its file are projected onto the levels of its layers
        return False
    return member.shares_weights and member.files.get(family.framework.file.name) is not None


def _cut(family: FinishedFamily, member: PlannedMember, source: SubnetworkRecord | None) -> Any:
    """Extract the subnetwork from a larger member, or from the full network, and check what it uses."""
    framework, larger, network = family.framework, family.full, family.network
    if source is not None:
        larger = framework.load_model(family.folder / str(source.files[framework.file.name]))
        network = framework.inspect(larger)
    model = framework.extract(larger, network, member_kept(member.decision.widths))
    member.check(framework, model)
    return model


def _exporter(
    family: FinishedFamily,
    registry: Registry,
    targets: RunTargets,
    model: Any,
    data: MemberData,
    calibration: Arrays | None,
    watcher: Watcher,
) -> Exporter:
    """What writes and measures the subnetwork. It also tells the watcher what to expect of an int8 file."""
    settings, latencies = family.settings, family.latencies
    timing = latencies.settings if isinstance(latencies, LatencyTable) else None
    for note in targets.notes(model, calibration is not None):
        watcher.warn(note)
    macs, warn = family.plan.full.usage["macs"], watcher.warn
    measurement = device_measurement(registry, targets, family.folder, settings.task, data.test, macs, warn)
    gate = int8_gate(settings, family.framework, data.validation, data.train, watcher)
    counting = recount(registry, latencies, targets, family.folder, warn)
    return Exporter(
        targets, family.folder, settings.task, measurement, calibration, data.test, warn, timing, gate, counting
    )


def _shared(
    family: FinishedFamily, request: ExtractionRequest, exporter: Exporter, watcher: Watcher
) -> Mapping[str, FullExport]:
    """The files of the full network whose integer weights the subnetwork shares; none if its weights are its own."""
    if family.settings.int8 != SHARED or request.finetune_epochs or exporter.calibration is None:
        return {}
    shared = exporter.shared_files(family.full, family.plan.full.files)
    kind = exporter.targets.kinds.int8
    if kind is not None and kind.name not in shared:
        watcher.warn(
            f"the int8 file gets integer weights of its own, since '{family.folder}' holds no "
            f"'{full_device_file(kind)}' from which it could share them"
        )
    return shared


def _warnings(plan: Plan, record: SubnetworkRecord, base: RunSettings) -> list[str]:
    """Sentences that warn of a member that was not trained, or that is worse than a smaller one.

    Args:
        plan: The plan with the member.
        record: The member.
        base: The settings of the run.
    """
    warnings = []
    if record.is_untrained and record.extraction is not None and base.finetune.epochs:
        source = record.extraction.source
        of = "the full network" if source == FULL_SOURCE else f"subnetwork '{source}'"
        warnings.append(
            f"subnetwork '{record.name}' was not trained at its widths, since its weights are those of {of}; give "
            f"{argument('finetune_epochs')} to train it"
        )
    metric, reached = metric_of(plan.options.get("task")), record.accuracy.after
    smaller = plan.subnetworks[: plan.subnetworks.index(record)]
    measured = [(m.accuracy.after, m.name) for m in smaller if m.accuracy.after is not None]
    if metric.is_share and reached is not None and measured and reached < max(measured)[0]:
        best, name = max(measured)
        warnings.append(
            f"subnetwork '{record.name}' has {metric.name} {metric.text(reached)} on test data, which is less than "
            f"that of the smaller subnetwork '{name}', {metric.text(best)}"
        )
    return warnings
