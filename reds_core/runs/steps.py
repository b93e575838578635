"""Takes the steps of the pruning strategy of a run one by one, and saves a checkpoint after each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from reds_core.errors import InputError, argument
from reds_core.framework.family import Family
from reds_core.framework.projection import SmallerNetwork
from reds_core.framework.training import Training
from reds_core.plan import StepRecord
from reds_core.plugin import guarded
from reds_core.pruning.promise import check_family, check_state
from reds_core.pruning.pruner import PruningState, Step
from reds_core.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from reds_core.runs.epoch_store import resumable_trainings
from reds_core.runs.session import Session
from reds_core.runs.tools import RunTools


def take_steps(session: Session) -> Checkpoint:
    """Take the remaining steps, and check that the result keeps the contract of a pruning strategy.

    Returns:
        The checkpoint after the last step.

    Raises:
        InputError: If the checkpoint is damaged, or of a strategy with other steps.
        PluginFailure: If the strategy raises an error of its own.
        ContractViolation: If the family does not keep the contract.
    """
    pruner, inputs = session.plugins.pruner, session.inputs
    free = session.statement.rules.free(inputs.network)
    steps = pruner.steps_where(free, inputs.network, session.budgets, session.settings.finetune.epochs)
    initial = PruningState.initial(inputs.network, inputs.model)
    networks = {exit: session.statement.part(exit).network for exit in session.statement.exits}
    saved = load_checkpoint(session.folder, inputs.framework, initial, networks)
    checkpoint = saved or Checkpoint(initial, (), inputs.passes)
    if [s.name for s in checkpoint.steps] != [s.name for s in steps[: len(checkpoint.steps)]]:
        raise InputError(
            f"the run in '{session.folder}' took different steps from those of pruner '{pruner.name}' now",
            f"start over with {argument('mode', 'overwrite')}",
        )
    for index in range(len(checkpoint.steps), len(steps)):
        checkpoint = _take(session, steps, index, checkpoint, initial)
    check_family(pruner, session.statement, session.budgets, checkpoint.state)
    _recalibrate(session, checkpoint.state)
    _project(session, checkpoint.state)
    return checkpoint


def _take(
    session: Session, steps: Sequence[Step], index: int, checkpoint: Checkpoint, initial: PruningState
) -> Checkpoint:
    """Take one step and save the state after it."""
    step, pruner, watcher = steps[index], session.plugins.pruner, session.watcher
    watcher.stage(f"step {index + 1} of {len(steps)}: {step.name}")
    with resumable_trainings(session.folder, f"{index:04d}", f"step '{step.name}'", watcher) as slots:
        tools = RunTools(session, step, index, slots, checkpoint.passes)
        with guarded(pruner, f" at step '{step.name}'"):
            state = pruner.take(step, checkpoint.state, tools)
        check_state(pruner, step, state)
        widths = dict(state.decided)
        record = StepRecord(index, step.name, tuple(widths), widths, tools.search_s, tools.finetune_s)
        history = (*checkpoint.history, *tools.history)
        taken = Checkpoint(dataclasses.replace(state, decided={}), (*checkpoint.steps, record), tools.passes, history)
        save_checkpoint(session.folder, taken, session.inputs.framework, initial)
    return taken


def _recalibrate(session: Session, state: PruningState) -> None:
    """Measure the batch-norm statistics of networks that no step has trained, if there is data."""
    settings, inputs, realiser = session.settings, session.inputs, session.plugins.realiser
    if settings.finetune.epochs or inputs.train is None:
        return
    training = Training(inputs.train, settings.finetune, settings.seed, session.watcher.epoch, settings.task)
    if realiser is None:
        inputs.framework.finetune(state.family, session.levels.applied_to(training, state.family))
    elif realiser.measures_statistics and settings.finetune.recalibrate:  # the members share no weights
        for member, model in enumerate(state.family.members):
            own = (state.family.settings_of(member),)
            alone = Family(model, (model,), (inputs.framework.inspect(model).channels,), own, own[0])
            inputs.framework.finetune(alone, session.levels.applied_to(training, alone))


def _project(session: Session, state: PruningState) -> None:
    """Set the weights of the members to what the levels of their layers leave of them.

    Where they were not trained in that form, batch-norm statistics are measured again if there is data.
    """
    settings, inputs, levels, framework = session.settings, session.inputs, session.levels, session.inputs.framework
    is_trained = levels.trains_all_projected([choice.settings for choice in state.choices])
    networks = [SmallerNetwork(choice.widths, choice.settings) for choice in state.choices]
    realiser = session.plugins.realiser
    # networks with merged channels, and those that were trained by themselves, have no weights in common
    are_trained_apart = settings.finetune.epochs > 0 and session.plugins.pruner.trains_apart(len(session.budgets))
    nested = realiser is None and not are_trained_apart
    is_measured = settings.finetune.recalibrate and (realiser is None or realiser.measures_statistics)
    for place, (own, model) in enumerate(zip(networks, state.family.members, strict=True)):
        exit = state.choices[place].exit
        whole = session.ending_at(state.family.full, exit) if nested else None
        projected = session.levels_of(exit).project(
            framework,
            model,
            own.settings,
            inputs.examples,
            widths=own.widths,
            smaller=networks[:place] if nested else (),
            full=whole,
        )
        if projected is None:
            continue
        if not is_trained and inputs.train is not None and is_measured:
            finetune = dataclasses.replace(settings.finetune, epochs=0)  # statistics only
            training = Training(inputs.train, finetune, settings.seed, session.watcher.epoch, settings.task)
            framework.finetune(Family(model, (model,), (framework.inspect(model).channels,)), training)
        projected.hold()
