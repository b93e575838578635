"""The end of a run: writes and measures the family, then the plan and what goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reds_core.knapsack.levels import UNTOUCHED
from reds_core.plan import (
    FORMAT,
    LEVELS_FORMAT,
    FullRecord,
    GroupRecord,
    Plan,
    SubnetworkRecord,
)
from reds_core.pruning.promise import check_model
from reds_core.pruning.pruner import PruningState
from reds_core.runs.checkpoint import Checkpoint, remove_checkpoints, save_order, save_scores
from reds_core.runs.details import BEFORE, counts_of, run_details
from reds_core.runs.device_figures import device_measurement
from reds_core.runs.exporting import Exporter, FullFiles, MemberFiles
from reds_core.runs.file_names import baseline_file
from reds_core.runs.file_timing import machine_of, timing_here
from reds_core.runs.folder import ORDER_FILE, SCORES_FILE
from reds_core.runs.history import FULL
from reds_core.runs.int8_gate import int8_gate, refuse_exceeded
from reds_core.runs.planned_member import PlannedMember
from reds_core.runs.provenance import versions_of
from reds_core.runs.publishing import Companions, publish
from reds_core.runs.realiser import FullModel
from reds_core.runs.recipe import save_recipe
from reds_core.runs.recounting import recount
from reds_core.runs.session import Session
from reds_core.runs.settings import SHARED
from reds_core.runs.targets import run_targets
from reds_core.runs.thinning import ThinningPrice, thinning_price
from reds_core.search_records import MaxDropRecord


def finish(session: Session, checkpoint: Checkpoint, max_drop: MaxDropRecord | None = None) -> Plan:
    """Write and measure the family, then write the plan and the report.

    Args:
        session: The run.
        checkpoint: The family after the last step.
        max_drop: How the family was found if its budget was not given.

    Raises:
        ContractViolation: If a model does not use what was planned.
        InputError: If a file cannot be written.
        InfeasibleError: If the settings are strict and an int8 file loses more than it may.
    """
    settings, inputs, state, folder = session.settings, session.inputs, checkpoint.state, session.folder
    network, framework = inputs.network, inputs.framework
    timing = timing_here(inputs.latencies, session.watcher.note)
    calibration = inputs.calibration.examples if settings.int8 else None
    targets = run_targets(session.registry, framework, settings)
    usage, warn = session.statement.usage(network.channels), session.watcher.warn
    measurement = device_measurement(session.registry, targets, folder, settings.task, inputs.test, usage["macs"], warn)
    gate = int8_gate(settings, framework, inputs.validation, inputs.train, session.watcher)
    counting = recount(session.registry, inputs.latencies, targets, folder, warn)
    exporter = Exporter(
        targets, folder, settings.task, measurement, calibration, inputs.test, warn, timing, gate, counting
    )
    session.watcher.stage("measuring")
    before = exporter.figures(inputs.model)
    full = exporter.save_full(state.family.full, usage)
    if state.is_scored:
        save_scores(folder / SCORES_FILE, state.scores.ordered(state.order))
        save_order(folder / ORDER_FILE, state.order)
    levels = session.levels
    check_model(
        framework, state.family.full, usage, inputs.costs, "full", levels.transforms, levels.complete(UNTOUCHED)
    )
    records = []
    counts = {BEFORE: counts_of(before), FULL: full.classes}
    for member, budget in enumerate(session.budgets):
        session.watcher.stage(f"exporting {budget.name} ({member + 1} of {len(session.budgets)})")
        files = _export(session, exporter, state, member, full)
        records.append(files.added_to(member_record(session, state, member)))
        counts[budget.name] = files.classes
    accuracy = None if before is None else before.metric
    plan = plan_of(session, checkpoint, records, full.record(usage, accuracy), max_drop)
    companions = Companions(run_details(session, state, counts), checkpoint.history)
    _save_recipe(session)
    publish(plan, companions, folder, session.watcher)  # last, since a folder with a plan is a finished run
    remove_checkpoints(folder)
    refuse_exceeded(settings, plan.subnetworks, folder)
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
        "calibration": request.calibration,
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
        energy_source=session.statement.costs.energy,
        latency_machine=machine_of(session.inputs.latencies),
        family=checkpoint.state.family_record,
    )


def _export(session: Session, exporter: Exporter, state: PruningState, member: int, full: FullFiles) -> MemberFiles:
    """Write and measure one subnetwork."""
    inputs, framework, model = session.inputs, session.inputs.framework, state.family.members[member]
    planned = _planned(session, state, member)
    planned.check(framework, model)
    raw = None if inputs.test is None else _untrained(session, planned)
    if raw is not None:
        planned.levels.project(framework, raw, planned.decision.settings, inputs.examples)
    before = None if raw is None else exporter.accuracy(raw)
    shared = full.shared if session.settings.int8 == SHARED and session.plugins.realiser is None else {}
    return exporter.save_member(planned.rewritten(framework, model, inputs.examples), planned, before, shared)


def _untrained(session: Session, planned: PlannedMember) -> Any:
    """One subnetwork as it was cut from the input model, before any training."""
    inputs, realiser = session.inputs, session.plugins.realiser
    if realiser is None or planned.realised is None:
        model = session.ending_at(inputs.model, planned.decision.exit)
        return inputs.framework.extract(model, planned.statement.network, planned.kept)
    source = FullModel(inputs.framework, inputs.model, inputs.network, planned.order)
    return realiser.repeated(source, planned.decision.widths, planned.realised)


def _planned(session: Session, state: PruningState, member: int) -> PlannedMember:
    """One subnetwork as it was decided."""
    realised = state.family.realised[member] if state.family.realised else None
    decision = state.choices[member]
    part, levels = session.statement.part(decision.exit), session.levels_of(decision.exit)
    return PlannedMember(session.budgets[member], decision, state.order, part, levels, realised)


def member_record(session: Session, state: PruningState, member: int) -> SubnetworkRecord:
    """The record of one subnetwork without what can only be said of its files.

    Args:
        session: The run.
        state: The family after the last step.
        member: The index of the subnetwork, smallest first.
    """
    planned = _planned(session, state, member)
    price = _thinning_price(session, state, planned)
    return replace(
        planned.record(session.settings.names_targets),
        thinning_price=None if price is None else price.share,
        thinning_value=None if price is None else price.value,
    )


def _thinning_price(session: Session, state: PruningState, planned: PlannedMember) -> ThinningPrice | None:
    """The most that thinned options cost one subnetwork, also reported to the watcher.

    None if no solver was asked, channels are not scored, or no options are thinned.
    """
    solution = planned.decision.solution
    if solution is None or solution.value is None or not state.is_scored:
        return None
    search = session.plugins.search
    asked = (planned.statement, state.scores, state.order, planned.budget, solution.value)
    price = thinning_price(*asked, search.registry, search.controls)
    if price is not None:
        session.watcher.warn(price.sentence)
    return price
