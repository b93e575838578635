"""A pruning run from its request to its plan: its checks and the order of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reds_core.cost.budget import SubnetworkBudget, parse_budgets
from reds_core.errors import NoSpaceError, UnsupportedError, argument
from reds_core.formulation.infeasibility import check_reachable
from reds_core.formulation.skipping import skipping_warnings
from reds_core.formulation.slack import slack_warnings
from reds_core.formulation.statement import Statement
from reds_core.plan import Plan
from reds_core.registry import Registry
from reds_core.runs.checkpoint import has_progress, pending_folder, remove_checkpoints
from reds_core.runs.data_warnings import data_warnings
from reds_core.runs.drop_goal import DropGoal, drop_goal, drop_target
from reds_core.runs.finish import finish
from reds_core.runs.folder import RunFolder, RunRecord
from reds_core.runs.inputs import InputReader, Inputs
from reds_core.runs.inspection import frozen_warning
from reds_core.runs.int8_gate import check_int8_gate
from reds_core.runs.max_drop import find_smallest
from reds_core.runs.offered_levels import levels_to_decide
from reds_core.runs.publishing import complete
from reds_core.runs.request import RunRequest
from reds_core.runs.session import RunPlugins, Session, check_exits, check_realiser, create_plugins
from reds_core.runs.settings import RunSettings
from reds_core.runs.steps import take_steps
from reds_core.runs.targets import RunTargets, all_kinds, check_calibration, run_targets
from reds_core.runs.thinning import thinning_warning
from reds_core.system.machine_faults import is_out_of_space, machine_fault
from reds_core.watcher import Watcher


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        request: What the run is asked for.
        folder: The folder of the results, and what to do if it already holds a run.
        registry: The plugins to choose from.
        watcher: Notified of progress and warnings.
    """

    request: RunRequest
    folder: RunFolder
    registry: Registry
    watcher: Watcher

    def execute(self) -> Plan:
        """Start or resume the run and finish it.

        Raises:
            RedsError: If an input is invalid, a plugin fails, or the machine lacks something.
        """
        settings = self.request.settings
        plugins = create_plugins(self.registry, settings)
        goal = drop_goal(settings, self.request.data is not None)
        budgets = parse_budgets(settings.budgets) if goal is None else (goal.largest,)
        settings.check_countable(budgets)
        self.request.check_sources(plugins.scorer, plugins.transforms)
        framework = self.request.framework(self.registry)
        targets = run_targets(self.registry, framework, settings)
        check_calibration(targets, self.request.is_calibrated)
        check_int8_gate(settings, targets, self.request.data is not None)
        check_realiser(plugins, len(budgets), self.request.data is not None)
        drop_target(settings, targets)
        known = self.folder.accept(self.request.model, framework.file)
        try:
            return self._execute(plugins, goal, budgets, targets, known)
        except Exception as error:
            if known is None:
                self.folder.forget()
            fault = machine_fault(error) if is_out_of_space(error) else None
            if fault is not None and has_progress(self.folder.path):
                raise NoSpaceError(fault.what, f"{fault.fix} and add {argument('mode', 'resume')}") from error
            raise

    def _execute(
        self,
        plugins: RunPlugins,
        goal: DropGoal | None,
        budgets: tuple[SubnetworkBudget, ...],
        targets: RunTargets,
        known: RunRecord | None,
    ) -> Plan:
        """The part of the run that writes to its folder.

        Args:
            plugins: The plugins of the run.
            goal: What the run looks for; None if the subnetworks are those of `budgets`.
            budgets: The budgets of the subnetworks, in any order.
            targets: The framework of the model, and the targets of the run.
            known: What the run to resume was started with; None for a new run.
        """
        request, folder, framework = self.request, self.folder, targets.framework
        kinds = all_kinds(self.registry, framework)
        if known is not None:
            known.check_options(request.options, folder.path)
        accept = partial(accept_budgets, budgets)
        # Of a resumed run, it is first checked that it is given the same model.
        early = accept if known is None else _accept_any
        space = partial(levels_to_decide, transforms=plugins.transforms, targets=targets.targets)
        inputs = InputReader(request, framework, kinds, folder, known, self.watcher, early, space).read()
        if known is not None:
            known.check_hashes(inputs.hashes, folder.path)
        finished = folder.finished_plan()
        if finished is not None:
            complete(folder.path, self.watcher)
            if not pending_folder(folder.path).exists():  # the request of an extraction that was cut off is kept
                remove_checkpoints(folder.path)
            return finished
        accept(inputs.statement)
        check_exits(plugins, inputs.statement, request.settings)
        budgets = inputs.statement.smallest_first(budgets)
        record = RunRecord(request.options, inputs.hashes)
        if known is None and request.model is not None:
            folder.begin(record, kinds)
        else:
            folder.note(record)
        self._keep_object(inputs, is_new=known is None)
        warn_of_inputs(inputs, request.settings, targets, budgets if goal is None else (), self.watcher)
        session = Session(request, folder.path, self.registry, self.watcher, plugins, inputs, inputs.statement, budgets)
        if goal is None:
            return finish(session, take_steps(session))
        found = find_smallest(session, goal, drop_target(session.settings, targets))
        return finish(found.session, found.checkpoint, found.record)

    def _keep_object(self, inputs: Inputs, is_new: bool) -> None:
        """Save a model object, which training may change, so that the recipe of the run can name it.

        Args:
            inputs: The inputs of the run.
            is_new: Whether the run begins, so that a file that is there already is of another run.
        """
        path = self.folder.baseline(inputs.framework.file)
        if isinstance(self.request.model, Path | None) or (path.exists() and not is_new):
            return
        try:
            inputs.framework.save_model(inputs.model, path)
        except UnsupportedError as error:
            path.unlink(missing_ok=True)
            self.watcher.warn(f"the model cannot be saved, so the recipe of this run needs it again: {error.what}")


def accept_budgets(budgets: Sequence[SubnetworkBudget], statement: Statement) -> None:
    """Refuse rules for widths that do not fit the network, and budgets that no subnetwork meets.

    Raises:
        InputError: If there is such a rule, or budgets are not ordered alike in every resource.
        InfeasibleError: If there is such a budget.
    """
    statement.rules.check(statement.network)
    check_reachable(statement, statement.smallest_first(budgets))


def warn_of_inputs(
    inputs: Inputs,
    settings: RunSettings,
    targets: RunTargets,
    budgets: Sequence[SubnetworkBudget],
    watcher: Watcher,
) -> None:
    """Warn the user of what the network, the data and the settings imply, before the work begins.

    Args:
        inputs: The inputs of the run.
        settings: Its settings.
        targets: Its targets.
        budgets: The budgets that the user chose; none if the run looks for one.
        watcher: Notified of the warnings.
    """
    warnings = [*inputs.network.warnings, thinning_warning(inputs.network, inputs.statement.rules)]
    warnings += skipping_warnings(inputs.network, inputs.statement.rules)
    warnings += inputs.statement.warnings
    warnings += slack_warnings(inputs.statement, budgets)
    if inputs.train is not None:
        given = (inputs.model, inputs.network, inputs.train, inputs.validation, inputs.test)
        warnings += data_warnings(inputs.framework, *given, labelled=settings.task.is_labelled)
    if settings.finetune.epochs:
        warnings.append(frozen_warning(inputs.network))
    warnings += targets.notes(inputs.model, bool(settings.int8) and inputs.calibration.examples is not None)
    for warning in warnings:
        if warning is not None:
            watcher.warn(warning)


def _accept_any(_: Statement) -> None:
    """Accept every network."""
