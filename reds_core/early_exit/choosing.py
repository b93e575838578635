"""Chooses thresholds for every measure of confidence, and for integer outputs, from what exits give to examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.early_exit.choice import ThresholdSearch
from reds_core.early_exit.confidence import MEASURES, Measure, confidence, fitted_temperature
from reds_core.early_exit.costs import ExitCosts
from reds_core.early_exit.figures import (
    ExitOutputs,
    by_class,
    by_difficulty,
    chosen_policy,
    curve,
    policy_record,
    wilson,
)
from reds_core.early_exit.policy import ExitAnswers
from reds_core.early_exit.record import CurvePoint, GroupShares, MeasuredExit, PolicyRecord, ThresholdTarget

INTEGER_MEASURE = "integer-margin"


@dataclass(frozen=True, eq=False)
class ThresholdChoice:
    """The exits of a network on held-back and test examples, and for what thresholds are chosen.

    Attributes:
        names: The name of each exit, by depth.
        costs: What each exit costs.
        target: What thresholds are chosen for.
        held_back: What the exits give to held-back examples.
        test: What they give to test examples, which are not used for any choice; None without any.
        seed: The seed of resampling.
    """

    names: tuple[str, ...]
    costs: ExitCosts
    target: ThresholdTarget
    held_back: ExitOutputs
    test: ExitOutputs | None
    seed: int

    @cached_property
    def temperatures(self) -> tuple[float, ...]:
        """The temperature of each exit, fitted on held-back examples."""
        return tuple(fitted_temperature(each, self.held_back.labels) for each in self.held_back.probabilities)

    @cached_property
    def _searches(self) -> Mapping[Measure, tuple[ThresholdSearch, ExitAnswers | None]]:
        """For each measure what looks for thresholds, and what the exits answer to test examples."""
        return {
            measure: (
                ThresholdSearch(self.held_back.answers(measure, self.temperatures, self.costs.passing)),
                None if self.test is None else self.test.answers(measure, self.temperatures, self.costs.passing),
            )
            for measure in MEASURES
        }

    def policies(self) -> tuple[PolicyRecord, ...]:
        """Return the best thresholds of each measure, without measures by which the target cannot be reached."""
        records = []
        for measure, (search, test) in self._searches.items():
            choice = chosen_policy(search, self.target)
            if choice is not None:
                records.append(policy_record(measure, choice, search.answers, test, self.costs, self.seed))
        return tuple(records)

    def curves(self) -> tuple[CurvePoint, ...]:
        """Return the best thresholds of each measure at evenly spaced mean costs."""
        return tuple(
            point for measure, (search, test) in self._searches.items() for point in curve(measure, search, test)
        )

    def exits(self) -> tuple[MeasuredExit, ...]:
        """Return the record of each exit."""
        rights = self.held_back.right.mean(axis=1)
        tested = None if self.test is None else self.test.right
        return tuple(
            MeasuredExit(
                name=name,
                cost=float(self.costs.passing[place]),
                cost_alone=float(self.costs.alone[place]),
                temperature=self.temperatures[place],
                accuracy_held_back=float(rights[place]),
                accuracy_test=None if tested is None else float(tested[place].mean()),
                interval_test=None if tested is None else wilson(int(tested[place].sum()), tested.shape[1]),
            )
            for place, name in enumerate(self.names)
        )

    def groups(
        self, policy: PolicyRecord, measure: Measure, classes: Sequence[str]
    ) -> tuple[tuple[GroupShares, ...], tuple[GroupShares, ...]]:
        """Return where test examples leave by a policy, by difficulty and by class; held-back ones without test data.

        Args:
            policy: The policy.
            measure: Its measure.
            classes: The names of all classes.
        """
        outputs = self.held_back if self.test is None else self.test
        search, test = self._searches[measure]
        answers = search.answers if test is None else test
        taken = answers.taken(policy.thresholds)
        margins = confidence("margin", outputs.probabilities[-1])
        return by_difficulty(answers, taken, margins), by_class(answers, taken, outputs.labels, classes)

    def integer_policy(
        self, held_back: IntegerAnswers, test: IntegerAnswers | None, target: ThresholdTarget, never: int
    ) -> PolicyRecord | None:
        """Return the best whole thresholds for integer outputs; None if no thresholds reach the target.

        Args:
            held_back: What the exits answer in integers to held-back examples.
            test: The same for test examples.
            target: What they are chosen for.
            never: A threshold above every difference of two outputs.
        """
        answers = held_back.with_costs(self.costs.passing)
        choice = chosen_policy(ThresholdSearch(answers, is_integer=True, never=float(never)), target)
        if choice is None:
            return None
        tested = None if test is None else test.with_costs(self.costs.passing)
        return policy_record(INTEGER_MEASURE, choice, answers, tested, self.costs, self.seed)


@dataclass(frozen=True, eq=False)
class IntegerAnswers:
    """What exits answer in integers.

    Attributes:
        outputs: What they give, as probabilities, by which an answer is right or wrong.
        margins: By how many steps the largest output of each exit is above the second, int64 (K, N).
    """

    outputs: ExitOutputs
    margins: IntArray

    def with_costs(self, costs: FloatArray) -> ExitAnswers:
        """Return the answers of exits of some costs (K,), which are as sure as their margins."""
        return ExitAnswers(self.outputs.right, self.margins[:-1].astype(np.float64), costs)
