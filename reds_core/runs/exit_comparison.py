"""Compares networks for one budget that end at different early exits, for one more member of a finished family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from reds_core.framework.projection import SmallerNetwork
from reds_core.pruning.exit_trials import exit_trial_epochs
from reds_core.runs.finished_family import FinishedFamily
from reds_core.runs.member_data import MemberData
from reds_core.runs.member_training import recalibrate_member, try_member
from reds_core.runs.planned_member import PlannedMember
from reds_core.watcher import Watcher


def best_exit(
    family: FinishedFamily,
    candidates: Sequence[PlannedMember],
    cut: Callable[[PlannedMember], Any],
    smaller: Sequence[SmallerNetwork],
    data: MemberData,
    watcher: Watcher,
) -> PlannedMember:
    """Return the candidate with the smallest loss on held-back data; the one that ends last without data.

    The loss is that of the weights which the member gets: those of the family, with statistics of its own, or, if it is
    to be trained, those after a training by itself for a part of the epochs.

    Args:
        family: The family. The epochs of its settings are those for which the new member is trained.
        candidates: The networks, by depth of their exits.
        cut: Returns the model of a candidate, cut from the family.
        smaller: The widths and levels of the smaller members, smallest first.
        data: The data of the run. Without examples that are held back, the loss is that of training examples.
        watcher: Notified of progress.
    """
    held_back = data.examples if data.validation is None else data.validation
    if len(candidates) == 1 or held_back is None:
        return candidates[-1]
    losses = []
    for candidate in candidates:
        model = cut(candidate)
        _prepare(family, candidate, model, smaller, data, watcher)
        losses.append(family.framework.loss(model, held_back, family.settings.task))
    return candidates[losses.index(min(losses))]


def _prepare(
    family: FinishedFamily,
    candidate: PlannedMember,
    model: Any,
    smaller: Sequence[SmallerNetwork],
    data: MemberData,
    watcher: Watcher,
) -> None:
    """Give a model the weights with which it is compared, in place."""
    framework, decision, levels = family.framework, candidate.decision, candidate.levels
    widths, settings, full = decision.widths, decision.settings, family.ending_at(decision.exit)
    projected = levels.project(framework, model, settings, data.examples, widths=widths, smaller=smaller, full=full)
    epochs = exit_trial_epochs(family.settings.finetune.epochs)
    if not epochs:
        recalibrate_member(family, candidate.name, model, data, watcher)
        return
    if projected is not None:
        projected.undo()
    try_member(family, candidate, model, data, epochs, watcher)
    levels.project(framework, model, settings, data.examples)
