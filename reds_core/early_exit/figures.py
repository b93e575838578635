"""From what exits answer to the record of chosen thresholds: policies for each measure, their figures, and curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.audit.statistics import wilson_interval
from reds_core.early_exit.against_static import against_static
from reds_core.early_exit.choice import Choice, ThresholdSearch
from reds_core.early_exit.confidence import Measure, confidence
from reds_core.early_exit.costs import ExitCosts
from reds_core.early_exit.policy import ExitAnswers
from reds_core.early_exit.record import (
    CurvePoint,
    GroupShares,
    PolicyFigures,
    PolicyRecord,
    ThresholdTarget,
)

CURVE_POINTS = 40
"""The largest number of policies of one measure on a curve."""
_QUARTERS = ("hardest quarter", "second quarter", "third quarter", "easiest quarter")


@dataclass(frozen=True, eq=False)
class ExitOutputs:
    """What K exits give to N examples.

    Attributes:
        probabilities: The probabilities of classes, float64 (K, N, classes).
        labels: The class of each example, int64 (N,).
    """

    probabilities: FloatArray
    labels: IntArray

    @property
    def right(self) -> BoolArray:
        """Whether each exit is right about each example, bool (K, N)."""
        found: BoolArray = self.probabilities.argmax(axis=2) == self.labels
        return found

    def answers(self, measure: Measure, temperatures: Sequence[float], costs: FloatArray) -> ExitAnswers:
        """Return how sure each exit is by a measure, and whether it is right.

        Args:
            measure: The measure of confidence.
            temperatures: One for each exit.
            costs: The cost of each exit, (K,).
        """
        early = zip(self.probabilities[:-1], temperatures[:-1], strict=True)
        sure = np.stack([confidence(measure, each, temperature) for each, temperature in early])
        return ExitAnswers(self.right, sure, costs)


def chosen_policy(search: ThresholdSearch, target: ThresholdTarget) -> Choice | None:
    """Return the best thresholds for a target on held-back examples; None if no policy reaches it."""
    if target.cost is not None:
        return search.most_accurate(target.cost)
    assert target.accuracy is not None
    return search.cheapest(math.ceil(target.accuracy * search.answers.examples - 1e-9))


def policy_record(
    measure: str, choice: Choice, held_back: ExitAnswers, test: ExitAnswers | None, costs: ExitCosts, seed: int
) -> PolicyRecord:
    """Return the record of thresholds with what they reach on held-back and on test examples."""
    return PolicyRecord(
        measure=measure,
        thresholds=choice.thresholds,
        is_optimal=choice.is_optimal,
        held_back=policy_figures(held_back, choice.thresholds, costs, seed),
        test=None if test is None else policy_figures(test, choice.thresholds, costs, seed),
    )


def policy_figures(answers: ExitAnswers, thresholds: Sequence[float], costs: ExitCosts, seed: int) -> PolicyFigures:
    """Return what thresholds reach on some examples, and against networks that end at one exit."""
    taken = answers.taken(thresholds)
    everything = np.ones(answers.examples, bool)
    against = against_static(answers.right, costs.alone, answers.right_at(taken), answers.costs[taken], seed)
    return PolicyFigures(group_shares("all", answers, taken, everything), against)


def group_shares(name: str, answers: ExitAnswers, taken: IntArray, of_group: BoolArray) -> GroupShares:
    """Return where some examples leave.

    Args:
        name: The name of the group.
        answers: What the exits answer to all examples.
        taken: The exit at which each example leaves, (N,).
        of_group: Which examples are of the group, of which there is at least one, bool (N,).
    """
    total = int(of_group.sum())
    counts = np.bincount(taken[of_group], minlength=answers.exits).tolist()
    right = int(answers.right_at(taken)[of_group].sum())
    return GroupShares(
        name=name,
        examples=total,
        accuracy=right / total,
        interval=wilson(right, total),
        cost=float(answers.costs[taken[of_group]].mean()),
        shares=tuple(count / total for count in counts),
        intervals=tuple(wilson(count, total) for count in counts),
    )


def wilson(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of at least one example, by Wilson (1927)."""
    found = wilson_interval(count, total)
    assert found is not None
    return found


def by_difficulty(answers: ExitAnswers, taken: IntArray, last_margins: FloatArray) -> tuple[GroupShares, ...]:
    """Return where the quarters of examples leave, ordered by the margin of the last exit, the hardest first.

    Args:
        answers: What the exits answer.
        taken: The exit at which each example leaves, (N,).
        last_margins: How far the largest probability of the last exit is above the second, (N,).
    """
    ranks = np.empty(answers.examples, np.int64)
    ranks[np.argsort(last_margins, kind="stable")] = np.arange(answers.examples)
    quarter = ranks * len(_QUARTERS) // answers.examples
    found = [(name, quarter == place) for place, name in enumerate(_QUARTERS)]
    return tuple(group_shares(name, answers, taken, which) for name, which in found if which.any())


def by_class(answers: ExitAnswers, taken: IntArray, labels: IntArray, names: Sequence[str]) -> tuple[GroupShares, ...]:
    """Return where the examples of each class leave, without classes that have none."""
    found = [(name, labels == label) for label, name in enumerate(names)]
    return tuple(group_shares(name, answers, taken, which) for name, which in found if which.any())


def curve(
    measure: Measure, search: ThresholdSearch, test: ExitAnswers | None, most: int = CURVE_POINTS
) -> tuple[CurvePoint, ...]:
    """Return the best policies at evenly spaced mean costs on held-back examples, and what they reach on test data.

    Args:
        measure: The name of the measure.
        search: What looks for thresholds on held-back examples.
        test: What the exits answer to test examples, or None.
        most: The largest number of policies.
    """
    front, costs = search.front, search.answers.costs
    kept: dict[tuple[float, ...], Choice] = {}
    for limit in np.linspace(costs[0], costs[-1], most):
        best = next((each for each in reversed(front) if each.cost <= limit * (1 + 1e-9)), None)
        if best is not None:
            kept[best.thresholds] = best
    return tuple(_curve_point(measure, choice, search.answers.examples, test) for choice in kept.values())


def _curve_point(measure: Measure, choice: Choice, examples: int, test: ExitAnswers | None) -> CurvePoint:
    accuracy, cost = None, None
    if test is not None:
        taken = test.taken(choice.thresholds)
        accuracy, cost = float(test.right_at(taken).mean()), float(test.costs[taken].mean())
    return CurvePoint(measure, choice.thresholds, choice.right / examples, choice.cost, accuracy, cost)
