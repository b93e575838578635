"""Recall and false positives by class, and accuracy by group, before and after, with tests of what is chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.audit.answers import Population
from reds_core.audit.records import ClassAudit, ClassFigures, GroupAudit, GroupFigures
from reds_core.audit.statistics import SIGNIFICANCE, adjusted, mcnemar, share_interval, welch

WELCH, MCNEMAR = "welch", "mcnemar"


def choose_test(before: Population, after: Population) -> str:
    """Return the test of changes between two populations: Welch's if both have several networks, else McNemar's.

    With a single network, nothing says how much networks vary, and the unit of the test is the example.
    """
    return WELCH if min(len(before), len(after)) > 1 else MCNEMAR


def audit_classes(
    before: Population, after: Mapping[str, Population], truth: IntArray, names: Sequence[str]
) -> tuple[ClassAudit, ...]:
    """Return how each class does before and after.

    Args:
        before: what the uncompressed networks answer.
        after: what the compressed ones answer, by member.
        truth: the true class of each example, int64 (N,).
        names: the names of all classes.
    """
    parts = [truth == number for number in range(len(names))]
    figures = {member: _changes(before, population, truth, parts) for member, population in after.items()}
    return tuple(
        ClassAudit(
            name,
            int(part.sum()),
            _class_figures(before, number, part),
            {
                member: _class_figures(population, number, part, figures[member][number])
                for member, population in after.items()
            },
        )
        for number, (name, part) in enumerate(zip(names, parts, strict=True))
    )


def audit_groups(
    before: Population, after: Mapping[str, Population], truth: IntArray, groups: Sequence[str]
) -> tuple[GroupAudit, ...]:
    """Return how each group of examples does before and after, in the order in which groups first occur.

    Args:
        before: what the uncompressed networks answer.
        after: what the compressed ones answer, by member.
        truth: the true class of each example, int64 (N,).
        groups: the group of each example.
    """
    names = list(dict.fromkeys(groups))
    own = np.array([names.index(group) for group in groups], np.int64)
    parts = [own == number for number in range(len(names))]
    figures = {member: _changes(before, population, truth, parts) for member, population in after.items()}
    return tuple(
        GroupAudit(
            name,
            int(part.sum()),
            _group_figures(before, truth, part),
            {
                member: _group_figures(population, truth, part, figures[member][number])
                for member, population in after.items()
            },
        )
        for number, (name, part) in enumerate(zip(names, parts, strict=True))
    )


def recalls(population: Population, truth: IntArray, part: BoolArray) -> FloatArray:
    """Return the share of the examples of a part that each network recognises, (K,)."""
    shares: FloatArray = (population.labels[:, part] == truth[part]).mean(axis=1)
    return shares


_Change = tuple[float, float, float | None, float | None]
"""The change of a share, its excess over that of all examples, and the p-value before and after the correction."""


def _changes(
    before: Population, after: Population, truth: IntArray, parts: Sequence[BoolArray]
) -> list[_Change | None]:
    """Return the change in each part of the examples; None for an empty part."""
    everything = np.ones(len(truth), bool)
    all_before, all_after = recalls(before, truth, everything), recalls(after, truth, everything)
    average = float(all_after.mean() - all_before.mean())
    found: list[tuple[float, float, float | None] | None] = []
    for part in parts:
        if not part.any():
            found.append(None)
            continue
        own_before, own_after = recalls(before, truth, part), recalls(after, truth, part)
        change = float(own_after.mean() - own_before.mean())
        if (
            choose_test(before, after) == WELCH
        ):  # of how far a part is from the average of its own network, as Hooker et al. test classes
            p_value = welch(own_before - all_before, own_after - all_after)
        else:
            # a majority of several networks is better than one of them even where nothing differs, so pairs are tested
            right_before, right_after = before.labels[:, part] == truth[part], after.labels[:, part] == truth[part]
            lost, won = (right_before & ~right_after).sum(axis=1), (~right_before & right_after).sum(axis=1)
            p_value = mcnemar(lost.tolist(), won.tolist())
        found.append((change, change - average, p_value))
    corrected = iter(adjusted([each[2] for each in found if each is not None]))
    return [None if each is None else (*each, next(corrected)) for each in found]


def _is_hurt(change: _Change) -> bool | None:
    by, excess, _, p_adjusted = change
    return None if p_adjusted is None else by < 0 and excess < 0 and p_adjusted < SIGNIFICANCE


def _class_figures(population: Population, number: int, part: BoolArray, change: _Change | None = None) -> ClassFigures:
    said = population.labels == number
    own, others = int(part.sum()), int((~part).sum())
    hit, false = said[:, part].sum(axis=1) / max(own, 1), said[:, ~part].sum(axis=1) / max(others, 1)
    figures = ClassFigures(
        float(hit.mean()) if own else None,
        float(false.mean()) if others else None,
        share_interval(hit, own) if own else None,
        share_interval(false, others) if others else None,
    )
    if change is None:
        return figures
    return ClassFigures(
        figures.recall,
        figures.false_positive_rate,
        figures.recall_interval,
        figures.false_positive_interval,
        *change,
        _is_hurt(change),
    )


def _group_figures(
    population: Population, truth: IntArray, part: BoolArray, change: _Change | None = None
) -> GroupFigures:
    shares = recalls(population, truth, part)
    figures = (float(shares.mean()), share_interval(shares, int(part.sum())))
    return GroupFigures(*figures) if change is None else GroupFigures(*figures, *change, _is_hurt(change))
