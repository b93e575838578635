"""A dry run: chooses the widths of every subnetwork as a run would, but trains and writes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reds_core.cost.budget import parse_budgets
from reds_core.errors import InputError, argument
from reds_core.plan import Plan, StepRecord
from reds_core.plugin import guarded
from reds_core.pruning.promise import check_state
from reds_core.pruning.pruner import PruningState, Step
from reds_core.registry import Registry
from reds_core.runs.checkpoint import Checkpoint
from reds_core.runs.epoch_store import TrainingSlots
from reds_core.runs.finish import member_record, plan_of
from reds_core.runs.folder import Mode, RunFolder
from reds_core.runs.inputs import InputReader
from reds_core.runs.int8_gate import check_int8_gate
from reds_core.runs.offered_levels import levels_to_decide
from reds_core.runs.request import RunRequest
from reds_core.runs.run import accept_budgets, warn_of_inputs
from reds_core.runs.session import Session, check_exits, check_realiser, create_plugins
from reds_core.runs.targets import all_kinds, check_calibration, run_targets
from reds_core.runs.tools import RunTools
from reds_core.system.interruption import Interruption
from reds_core.watcher import Watcher


def choose_only(request: RunRequest, folder: Path, registry: Registry, watcher: Watcher) -> Plan:
    """Choose the widths of all subnetworks without training, and return the plan that says what they are and cost.

    Nothing is written. The plan has no accuracies and names no files. Strategies that train before their last choice
    may choose other widths in a run, in which case there is a warning.

    Args:
        request: What the run would be asked for.
        folder: The folder of the run, which need not exist.
        registry: The plugins to choose from.
        watcher: Notified of progress and warnings.

    Raises:
        InputError: If the run would train a network before it chooses: without a model, or to find a budget.
        InfeasibleError: If no subnetwork meets a budget.
        RedsError: For everything else by which the run would fail before training.
    """
    settings = request.settings
    if request.model is None:
        raise InputError("a dry run needs a model, since it trains none", "give a model")
    if settings.max_drop is not None:
        raise InputError(
            f"{argument('max_drop')} trains networks to find a budget, which a dry run does not",
            f"give {argument('budgets')} instead",
        )
    plugins = create_plugins(registry, settings)
    budgets = parse_budgets(settings.budgets)
    settings.check_countable(budgets)
    request.check_sources(plugins.scorer, plugins.transforms)
    framework = request.framework(registry)
    targets = run_targets(registry, framework, settings)
    check_calibration(targets, request.is_calibrated)
    check_int8_gate(request.settings, targets, request.data is not None)
    check_realiser(plugins, len(budgets), request.data is not None)
    accept = partial(accept_budgets, budgets)
    place = RunFolder(folder, Mode.REFUSE)
    kinds = all_kinds(registry, framework)
    space = partial(levels_to_decide, transforms=plugins.transforms, targets=targets.targets)
    inputs = InputReader(request, framework, kinds, place, None, watcher, accept, space).read()
    check_exits(plugins, inputs.statement, settings)
    budgets = inputs.statement.smallest_first(budgets)
    warn_of_inputs(inputs, settings, targets, budgets, watcher)
    session = Session(request, folder, registry, watcher, plugins, inputs, inputs.statement, budgets)
    _warn_of_training(session)
    checkpoint = _untrained(session)
    records = [member_record(session, checkpoint.state, member) for member in range(len(budgets))]
    return plan_of(session, checkpoint, records)


def _steps(session: Session) -> Sequence[Step]:
    network, settings = session.inputs.network, session.settings
    free = session.statement.rules.free(network)
    return session.plugins.pruner.steps_where(free, network, session.budgets, settings.finetune.epochs)


def _warn_of_training(session: Session) -> None:
    if any(step.epochs for step in _steps(session)[:-1]):
        session.watcher.warn(
            f"pruner '{session.plugins.pruner.name}' trains between its choices, so that a run may choose other widths"
        )
    if session.settings.transforms and session.settings.calibrate is not None:
        session.watcher.warn(
            "the exchange rate is fitted to trainings, so that a run may choose other widths and levels"
        )


def _untrained(session: Session) -> Checkpoint:
    """Take all steps without training."""
    settings = session.settings
    untrained = dataclasses.replace(settings.finetune, epochs=0)
    settings = dataclasses.replace(settings, finetune=untrained, calibrate=None)
    session = dataclasses.replace(session, request=dataclasses.replace(session.request, settings=settings))
    pruner, inputs, watcher = session.plugins.pruner, session.inputs, session.watcher
    slots = TrainingSlots(lambda training: session.folder, Interruption(), watcher.warn)  # no training asks for one
    state, records, steps = PruningState.initial(inputs.network, inputs.model), list[StepRecord](), _steps(session)
    for index, step in enumerate(steps):
        watcher.stage(f"step {index + 1} of {len(steps)}: {step.name}")
        tools = RunTools(session, step, index, slots)
        with guarded(pruner, f" at step '{step.name}'"):
            state = pruner.take(step, state, tools)
        check_state(pruner, step, state)
        records.append(StepRecord(index, step.name, tuple(state.decided), dict(state.decided), tools.search_s))
        state = dataclasses.replace(state, decided={})
    return Checkpoint(state, tuple(records))
