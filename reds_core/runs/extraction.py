"""Adds a member to a finished family, without training or trained by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reds_core.cost.budget import SubnetworkBudget, parse_budgets
from reds_core.cost.tables import notes_of
from reds_core.errors import InputError, argument
from reds_core.formulation.infeasibility import check_reachable
from reds_core.formulation.slack import slack_warnings
from reds_core.framework.data import Arrays
from reds_core.framework.family import member_kept
from reds_core.framework.profile_records import forget_profiles
from reds_core.framework.projection import SmallerNetwork
from reds_core.framework.target import FullExport
from reds_core.plan import ExtractionRecord, Plan, SubnetworkRecord, load_plan
from reds_core.plan_details import load_details
from reds_core.registry import Registry
from reds_core.report.facts import metric_of
from reds_core.run_history import HistoryRow, load_history
from reds_core.runs.checkpoint import remove_checkpoints
from reds_core.runs.details import with_member, without_others
from reds_core.runs.device_figures import device_measurement
from reds_core.runs.exit_comparison import best_exit
from reds_core.runs.exporting import Exporter, MemberFiles
from reds_core.runs.extraction_request import ExtractionRequest
from reds_core.runs.file_names import full_device_file
from reds_core.runs.file_timing import timing_here
from reds_core.runs.finished_family import FinishedFamily, read_family, settings_of
from reds_core.runs.int8_gate import int8_gate, refuse_exceeded
from reds_core.runs.member_choice import choices_at, position
from reds_core.runs.member_data import MemberData, member_calibration, read_member_data
from reds_core.runs.member_training import recalibrate_member, train_member, training_step
from reds_core.runs.participants import FRAMEWORKS, check_options, solvers, target_participants
from reds_core.runs.planned_member import PlannedMember
from reds_core.runs.publishing import Companions, complete, publish, withdraw
from reds_core.runs.realised_member import realised_member
from reds_core.runs.realiser import realiser_of
from reds_core.runs.recounting import recount
from reds_core.runs.saved_plan import SavedSubnetwork, saved_plan
from reds_core.runs.search import Search
from reds_core.runs.settings import SHARED, RunSettings
from reds_core.runs.targets import RunTargets, run_targets
from reds_core.system.folder_lock import locked_folder
from reds_core.transforms.realisation import DROP
from reds_core.watcher import Watcher

FULL_SOURCE = "full"
"""The source of a member that is cut from the full network."""


def extract(folder: Path, request: ExtractionRequest, registry: Registry, watcher: Watcher) -> SavedSubnetwork:
    """Choose, extract, train and export the subnetwork of another budget, and add it to the plan and the report.

    Its widths lie between those of the members below and above it, so the family stays nested. In a network with early
    exits, it ends at the one at which its loss on held-back data is smallest. Its weights are cut from
    the next larger member that shares the weights of the family, or from the full network, and its batch-norm
    statistics are measured on training data. If it is trained, these weights become its own; no file of another member
    changes. In a family with merged channels, those of the new member are merged as well. A member that an earlier
    extraction added under the same budget is replaced if the new one is trained.

    Until the files of the new member are complete, the plan does not name it, so a stopped extraction harms nothing. If
    it is stopped later, the same request completes what goes with the plan, and returns the member.

    Raises:
        InputError: If the folder holds no finished run, if the budget is malformed or already taken, if data that is
            needed cannot be used, or if another command is writing to the folder.
        InfeasibleError: If no subnetwork meets the budget.
    """
    if not folder.is_dir():
        load_plan(folder)  # raises the error
    with locked_folder(folder, "an extraction", "extract from another folder"):
        completed = complete(folder, watcher, takes_asked=True)
        present = load_plan(folder)
        base = settings_of(present, folder)
        settings = request.settings(base)
        check_options(registry, request.options, (solvers(settings.solver), FRAMEWORKS, *target_participants(settings)))
        budget = _one_budget(request.budgets)
        if completed == request.identity:
            _conclude(folder, present, budget.name, request, settings, base, watcher)
            return saved_plan(present, folder, settings.imports, registry)[budget.name]
        plan = _without_replaced(present, budget, request, folder)
        framework = registry.default_framework(settings.options, settings.imports)
        targets = run_targets(registry, framework, settings)
        search = Search(registry, settings.solver, settings.options, settings.controls())
        search.check()
        settings.check_countable([budget])
        watcher.stage("reading the family")
        family = read_family(folder, plan, settings, framework, registry, targets, budget)
        check_reachable(family.statement, [budget])
        for warning in (*notes_of(family.latencies), *slack_warnings(family.statement, [budget])):
            watcher.warn(warning)
        watcher.stage(f"choosing subnetwork {budget.name}")
        at = position(family, budget)
        candidates = choices_at(family, budget, at, search)
        source = next((m for m in plan.subnetworks[at:] if _gives_weights(m, family)), None)
        smaller = [SmallerNetwork(m.widths, m.levels) for m in plan.subnetworks[:at] if m.shares_weights]
        data = read_member_data(family, family.full, request.data, watcher)
        member = best_exit(family, candidates, lambda each: _cut(family, each, source), smaller, data, watcher)
        decision, levels = member.decision, member.levels
        realiser = realiser_of(registry, settings)
        if realiser is None:
            model = _cut(family, member, source)
        else:
            member, model = realised_member(family, member, realiser, data, watcher)
        projected = levels.project(
            framework,
            model,
            decision.settings,
            data.examples,
            widths=decision.widths,
            smaller=smaller,
            full=family.ending_at(decision.exit) if realiser is None else None,
        )
        calibration = member_calibration(family, model, data, request.calibration_data) if settings.int8 else None
        exporter = _exporter(family, registry, targets, model, data, calibration, watcher)
        before = exporter.accuracy(model)
        trained: tuple[HistoryRow, ...] = ()
        if request.finetune_epochs:
            if projected is not None:
                projected.undo()  # weights that are zero, for example, can have other values after a training
            trained = train_member(family, member, model, data, watcher)
            projected = levels.project(framework, model, decision.settings, data.examples)
        elif realiser is None or realiser.measures_statistics:
            recalibrate_member(family, budget.name, model, data, watcher)
        if projected is not None:
            projected.hold()
        watcher.stage(f"exporting subnetwork {budget.name}")
        if plan is not present:
            forget_profiles(folder, budget.name)  # its files are being replaced
            withdraw(plan, _without_member(plan, budget.name, folder), folder, watcher)
        shared = _shared(family, request, exporter, watcher) if realiser is None else {}
        files = exporter.save_member(member.rewritten(framework, model, data.examples), member, before, shared)
        added = ExtractionRecord(FULL_SOURCE if source is None else source.name, request.finetune_epochs)
        record = dataclasses.replace(files.added_to(member.record(settings.names_targets)), extraction=added)
        energy = plan.energy_source or family.statement.costs.energy
        members = (*plan.subnetworks[:at], record, *plan.subnetworks[at:])
        plan = dataclasses.replace(plan, subnetworks=members, energy_source=energy)
        publish(plan, _with_member(family, plan, member, files, trained), folder, watcher, request.identity)
        _conclude(folder, plan, record.name, request, settings, base, watcher)
        return saved_plan(plan, folder, settings.imports, registry)[record.name]


def _conclude(
    folder: Path,
    plan: Plan,
    name: str,
    request: ExtractionRequest,
    settings: RunSettings,
    base: RunSettings,
    watcher: Watcher,
) -> None:
    """Remove the epochs of a finished training, and warn of the new member.

    Args:
        folder: The folder of the run.
        plan: The plan with the member.
        name: The name of the member.
        request: What the user asked for.
        settings: The settings of the extraction.
        base: The settings of the run.
        watcher: Notified of the warnings.

    Raises:
        InfeasibleError: If the settings are strict and an int8 file of the member loses more than it may.
    """
    if request.finetune_epochs:
        remove_checkpoints(folder)
    record = next(member for member in plan.subnetworks if member.name == name)
    for warning in _warnings(plan, record, base):
        watcher.warn(warning)
    refuse_exceeded(settings, [record], folder)


def _with_member(
    family: FinishedFamily,
    plan: Plan,
    member: PlannedMember,
    files: MemberFiles,
    trained: tuple[HistoryRow, ...],
) -> Companions:
    """The details and the training curves of the run with a member, if the run has any.

    Args:
        family: The family.
        plan: The plan with the member.
        member: The member.
        files: Its files, and what was measured on them.
        trained: The training curves of the member; none if it was not trained.
    """
    details = load_details(family.folder)
    if details is not None:
        names = [each.name for each in plan.subnetworks]
        decided = (member.name, member.decision, files.classes)
        details = with_member(details, family.statement, names, *decided)
    return Companions(details, (*_curves_of_others(family.folder, member.name), *trained))


def _without_member(plan: Plan, name: str, folder: Path) -> Companions:
    """The details and the training curves of the run without a member.

    Args:
        plan: The plan without the member.
        name: The name of the member.
        folder: The folder of the run.
    """
    details = load_details(folder)
    if details is not None:
        details = without_others(details, [each.name for each in plan.subnetworks])
    return Companions(details, _curves_of_others(folder, name))


def _curves_of_others(folder: Path, name: str) -> tuple[HistoryRow, ...]:
    return tuple(row for row in load_history(folder) if row.step != training_step(name))


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


def _gives_weights(member: SubnetworkRecord, family: FinishedFamily) -> bool:
    """Whether a larger member has the weights of the family, in a file and as they are."""
    if family.settings.realise != DROP:  # members with merged channels have weights of their own
        return False
    if family.statement.space is not None:  # the weights in its file are projected onto the levels of its layers
        return False
    if family.statement.parts:  # a file that ends at one exit lacks the heads of the others
        return False
    if 0 in member.widths.values():  # it lacks layers, and the constants of these are part of its weights
        return False
    return member.shares_weights and member.files.get(family.framework.file.name) is not None


def _cut(family: FinishedFamily, member: PlannedMember, source: SubnetworkRecord | None) -> Any:
    """Extract the subnetwork from a larger member, or from the full network, and check what it uses."""
    framework, larger, network = family.framework, family.ending_at(member.decision.exit), member.statement.network
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
    timing = timing_here(latencies, watcher.note)
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
