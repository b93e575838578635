"""The end of a run: writes and measures the family, then the plan and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reds_core.cost.budget import SubnetworkBudget
from reds_core.errors import UnavailableError
from reds_core.knapsack.levels import UNTOUCHED, LevelSettings
from reds_core.knapsack.solution import Solution
from reds_core.plan import (
    FORMAT,
    LEVELS_FORMAT,
    FullAccuracy,
    FullRecord,
    GroupRecord,
    Plan,
    SubnetworkRecord,
    save_plan,
)
from reds_core.pruning.promise import check_model
from reds_core.pruning.pruner import PruningState
from reds_core.report.run_report import write_report
from reds_core.runs.checkpoint import Checkpoint, remove_checkpoints, save_order, save_scores
from reds_core.runs.device_figures import DeviceMeasurement, device_measurement
from reds_core.runs.exporting import Exporter, FullFiles
from reds_core.runs.file_names import baseline_file
from reds_core.runs.folder import ORDER_FILE, SCORES_FILE
from reds_core.runs.provenance import versions_of
from reds_core.runs.recipe import save_recipe
from reds_core.runs.session import Session
from reds_core.runs.settings import SHARED
from reds_core.runs.targets import run_targets
from reds_core.runs.thinning import ThinningPrice, thinning_price
from reds_core.search_records import MaxDropRecord
from reds_core.watcher import Watcher


def finish(session: Session, checkpoint: Checkpoint, max_drop: MaxDropRecord | None = None) -> Plan:
    """Write and measure the family, then write the plan and the report.

    Args:
        session: The run.
        checkpoint: The family after the last step.
        max_drop: How the family was found if its budget was not given.

    Raises:
        ContractViolation: If a model does not use what was planned.
        InputError: If a file cannot be written.
    """
    settings, inputs, state, folder = session.settings, session.inputs, checkpoint.state, session.folder
    network, framework = inputs.network, inputs.framework
    timing = None if inputs.latencies is None else inputs.latencies.settings
    calibration = inputs.examples if settings.int8 else None
    targets = run_targets(session.registry, framework, settings)
    exporter = Exporter(targets, folder, settings.task, calibration, inputs.test, session.watcher.warn, timing)
    usage = session.statement.usage(network.channels)
    measurement = device_measurement(
        session.registry, targets, folder, settings.task, inputs.test, usage["macs"], session.watcher.warn
    )
    session.watcher.stage("measuring")
    before = exporter.accuracy(inputs.model)
    full = exporter.save_full(state.family.full)
    if state.is_scored:
        save_scores(folder / SCORES_FILE, state.scores.ordered(state.order))
        save_order(folder / ORDER_FILE, state.order)
    _check(session, state.family.full, usage, "full", UNTOUCHED)
    records = []
    for member, budget in enumerate(session.budgets):
        session.watcher.stage(f"exporting {budget.name} ({member + 1} of {len(session.budgets)})")
        records.append(_export(session, exporter, measurement, state, member, budget, full))
    exported, devices = measurement.measured(full.files, full.exported)
    record = FullRecord(usage, FullAccuracy(before, full.accuracy, exported), full.files, devices)
    plan = plan_of(session, checkpoint, records, record, max_drop)
    report(plan, folder, session.watcher)
    _save_recipe(session)
    save_plan(plan, folder)  # last, since a folder with a plan is a finished run
    remove_checkpoints(folder)
    return plan


def _save_recipe(session: Session) -> None:
    """Write the recipe of the run. A model object is named by the file in which the run keeps it."""
    request, model = session.request, session.request.model
    kept = session.folder / baseline_file(session.inputs.framework.file)
    if not isinstance(model, Path | None) and kept.exists():
        model = kept
    objects = request.objects
    given = {
        "validation_data": request.validation,
        "optimizer": objects.optimizer,
        "callbacks": objects.callbacks or None,
    }
    names = [name for name, value in given.items() if value is not None]
    save_recipe(session.folder, model, request.data, request.settings, session.inputs.hashes.data, names)


def plan_of(
    session: Session,
    checkpoint: Checkpoint,
    records: Sequence[SubnetworkRecord],
    full: FullRecord | None = None,
    max_drop: MaxDropRecord | None = None,
) -> Plan:
    """The plan of a run.

    Args:
        session: The run.
        checkpoint: The family after the last step.
        records: The records of its members, smallest first.
        full: The record of the full network; None if only what it uses is known.
        max_drop: How the family was found if its budget was not given.
    """
    network = session.inputs.network
    return Plan(
        format=LEVELS_FORMAT if session.settings.names_targets else FORMAT,
        full=full or FullRecord(session.statement.usage(network.channels)),
        groups=tuple(GroupRecord(g.name, g.channels, g.layers) for g in network.groups),
        subnetworks=tuple(records),
        pruner=session.plugins.pruner.name,
        scorer=session.plugins.scorer.name,
        steps=checkpoint.steps,
        seed=session.settings.seed,
        options=session.request.options,
        versions=versions_of(session.registry, session.inputs.framework),
        hashes=session.inputs.hashes,
        max_drop=max_drop,
        family=checkpoint.state.family_record,
    )


def _export(
    session: Session,
    exporter: Exporter,
    measurement: DeviceMeasurement,
    state: PruningState,
    member: int,
    budget: SubnetworkBudget,
    full: FullFiles,
) -> SubnetworkRecord:
    """Write and measure one subnetwork."""
    shared = full.shared if session.settings.int8 == SHARED else None
    inputs, framework = session.inputs, session.inputs.framework
    choice, kept, model = state.choices[member], state.kept(member), state.family.members[member]
    usage = session.statement.usage(choice.widths, choice.settings)
    _check(session, model, usage, budget.name, choice.settings)
    raw = None if inputs.test is None else framework.extract(inputs.model, inputs.network, kept)
    if raw is not None:
        session.levels.project(framework, raw, choice.settings)
    before = None if raw is None else exporter.accuracy(raw)
    settings = session.levels.complete(choice.settings)
    changed = session.levels.changed(settings)
    capacities = session.statement.capacities(budget)
    files, accuracy = exporter.save_member(model, budget.name, before, settings, usage, changed, shared, capacities)
    exported, devices = measurement.measured(files, accuracy.exported)
    return replace(
        member_record(session, state, member),
        accuracy=replace(accuracy, exported=exported),
        files=files,
        devices=devices,
        latency_measured_ns=exporter.measured_latency_ns(files),
    )


def _check(session: Session, model: Any, usage: Mapping[str, int], name: str, settings: LevelSettings) -> None:
    """Count what a network uses again from its own layers, at the levels that they have.

    Raises:
        ContractViolation: If it does not use what was planned.
    """
    levels = session.levels
    framework, costs = session.inputs.framework, session.inputs.costs
    check_model(framework, model, usage, costs, name, levels.transforms, levels.complete(settings))


def member_record(session: Session, state: PruningState, member: int) -> SubnetworkRecord:
    """The record of one subnetwork without what can only be said of its files.

    Args:
        session: The run.
        state: The family after the last step.
        member: The index of the subnetwork, smallest first.
    """
    choice, budget = state.choices[member], session.budgets[member]
    price = _thinning_price(session, state, choice.solution, budget)
    return SubnetworkRecord(
        name=budget.name,
        budget={r: a.plain for r, a in budget.amounts.items()},
        widths=dict(choice.widths),
        kept={g: tuple(int(c) for c in channels) for g, channels in state.kept(member).items()},
        usage=session.statement.usage(choice.widths, choice.settings),
        settings=session.levels.complete(choice.settings).levels if session.settings.names_targets else None,
        bound_independent=choice.bound_independent,
        thinning_price=None if price is None else price.share,
        thinning_value=None if price is None else price.value,
        **({} if choice.solution is None else solution_figures(choice.solution)),
    )


def _thinning_price(
    session: Session, state: PruningState, solution: Solution | None, budget: SubnetworkBudget
) -> ThinningPrice | None:
    """The most that thinned options cost one subnetwork, also reported to the watcher.

    None if no solver was asked, channels are not scored, or no options are thinned.
    """
    if solution is None or solution.value is None or not state.is_scored:
        return None
    search = session.plugins.search
    asked = (session.statement, state.scores, state.order, budget, solution.value)
    price = thinning_price(*asked, search.registry, search.controls)
    if price is not None:
        session.watcher.warn(price.sentence)
    return price


def report(plan: Plan, folder: Path, watcher: Watcher) -> None:
    """Write the report, or warn if its libraries are not installed."""
    try:
        write_report(plan, folder)
    except UnavailableError as error:
        watcher.warn(f"no report was written: {error}")


def solution_figures(solution: Solution) -> dict[str, Any]:
    """The fields of a SubnetworkRecord that are taken from a solution."""
    return {
        "value": solution.value,
        "bound": solution.bound,
        "gap": solution.gap,
        "status": solution.status.value,
        "limit": None if solution.limit is None else solution.limit.value,
        "solver": solution.solver,
        "wall_s": solution.wall_s,
        "align": None if solution.alignment is None else solution.alignment.multiple,
        "align_price": None if solution.alignment is None else solution.alignment.price,
    }
