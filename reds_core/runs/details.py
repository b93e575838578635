"""Collects what a report shows of a run beyond its plan, from what the run knows at its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reds_core.errors import InputError
from reds_core.formulation.statement import Statement
from reds_core.framework.class_counts import ClassCounts, ModelFigures
from reds_core.plan_details import ClassDetails, Details
from reds_core.pruning.pruner import Decision, PruningState
from reds_core.runs.exploring import explore
from reds_core.runs.history import FULL
from reds_core.runs.image_folder import class_names
from reds_core.runs.network_details import layers_of, network_details
from reds_core.runs.session import Session

BEFORE = "before"
"""The name of the input model among the networks whose recall is stated."""


def run_details(session: Session, state: PruningState, counts: Mapping[str, ClassCounts | None]) -> Details:
    """The details of a finished run.

    Args:
        session: The run.
        state: The family after the last step.
        counts: How many test examples of each class each network recognises: "before" is the input model, "full" the
            full network, and the others are the subnetworks by their names.
    """
    statement, search = session.statement, session.plugins.search
    full = network_details(statement, FULL, statement.network.channels)
    members = [
        network_details(statement.part(choice.exit), budget.name, choice.widths, choice.settings)
        for budget, choice in zip(session.budgets, state.choices, strict=True)
    ]
    is_solved = state.is_scored and any(choice.solution is not None for choice in state.choices)
    explorations = explore(statement, state.scores, state.order, session.budgets, search) if is_solved else ()
    classes = class_details(counts, _class_names(session.request.data))
    return Details(layers_of(statement.network), (full, *members), classes, explorations)


def with_member(
    details: Details,
    statement: Statement,
    names: Sequence[str],
    name: str,
    decision: Decision,
    counts: ClassCounts | None,
) -> Details:
    """The details of a run with a member that was added to its family.

    Args:
        details: The details before.
        statement: The network, and how its resources are counted.
        names: The names of all members, smallest first. Members that are not named are left out.
        name: The name of the new member.
        decision: What was decided of it.
        counts: How many test examples of each class it recognises; None if that is not counted.
    """
    others = without_others(details, [each for each in names if each != name])
    own = network_details(statement.part(decision.exit), name, decision.widths, decision.settings)
    recall = {} if counts is None or len(counts.examples) != len(details.classes) else _recall(counts)
    classes = tuple(
        dataclasses.replace(each, recall={**each.recall, name: recall[place]}) if place in recall else each
        for place, each in enumerate(others.classes)
    )
    return without_others(dataclasses.replace(others, networks=(*others.networks, own), classes=classes), names)


def without_others(details: Details, names: Sequence[str]) -> Details:
    """The details of the full network and of some members, in their order. What is not known of one is left out.

    Args:
        details: The details of a run.
        names: The names of the members, smallest first.
    """
    known, kept = {each.name: each for each in details.networks}, (BEFORE, FULL, *names)
    networks = tuple(known[name] for name in kept if name in known)
    classes = tuple(
        dataclasses.replace(each, recall={name: each.recall[name] for name in kept if name in each.recall})
        for each in details.classes
    )
    return dataclasses.replace(details, networks=networks, classes=classes)


def class_details(counts: Mapping[str, ClassCounts | None], names: Sequence[str] = ()) -> tuple[ClassDetails, ...]:
    """Recall by class of all networks whose test examples were counted by class.

    Args:
        counts: The counts of each network.
        names: The names of the classes; the numbers of the classes are used if there are none.
    """
    known = {network: each for network, each in counts.items() if each is not None}
    if not known:
        return ()
    examples = next(iter(known.values())).examples
    recalls = {network: _recall(each) for network, each in known.items()}
    return tuple(
        ClassDetails(
            names[number] if len(names) == len(examples) else str(number),
            int(count),
            {network: recall[number] for network, recall in recalls.items() if number in recall},
        )
        for number, count in enumerate(examples)
    )


def _recall(counts: ClassCounts) -> dict[int, float]:
    """The share of the examples of each class that is recognised, for classes with examples."""
    pairs = zip(counts.examples.tolist(), counts.recognised.tolist(), strict=True)
    return {number: right / count for number, (count, right) in enumerate(pairs) if count}


def _class_names(data: Any) -> tuple[str, ...]:
    """The names of the classes of a folder of images; none for other data."""
    folder = Path(data) if isinstance(data, str) else None
    if folder is None or not folder.is_dir():
        return ()
    train = folder / "train"
    try:
        return class_names(train if train.is_dir() and (folder / "test").is_dir() else folder)
    except InputError:
        return ()


def counts_of(figures: ModelFigures | None) -> ClassCounts | None:
    """The counts of each class of what was measured, if anything was."""
    return None if figures is None else figures.classes
