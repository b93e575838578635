"""What networks answer to test examples: the class, how sure of it, and by how much the true class is ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray, IntArray
from reds_core.errors import InputError

_LEAST = 1e-12
"""Probabilities below it count as this one, since their logarithm may not exist."""
_SUM_TOLERANCE = 1e-2
"""How far the sum of the probabilities of an example may be from 1, such as those in half precision."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What one network answers to N examples.

    Attributes:
        labels: the class that it says, int64 (N,).
        confidence: the probability that it gives to this class, float64 (N,).
        margins: the log-odds of the true class, ln p / (1 - p), float64 (N,): above 0 where it has more than half of
            the probability.
    """

    labels: IntArray
    confidence: FloatArray
    margins: FloatArray


@dataclass(frozen=True, eq=False)
class Population:
    """What K networks answer to N examples, one row for each network.

    Attributes:
        labels: the class that it says, int64 (K, N).
        confidence: the probability that it gives to this class, float64 (K, N).
        margins: the log-odds of the true class, float64 (K, N).
    """

    labels: IntArray
    confidence: FloatArray
    margins: FloatArray

    @classmethod
    def of(cls, networks: Sequence[Answers]) -> Population:
        """Put together what several networks answer to the same examples."""
        return cls(
            np.stack([each.labels for each in networks]),
            np.stack([each.confidence for each in networks]),
            np.stack([each.margins for each in networks]),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, networks: Sequence[int]) -> Population:
        """Return some of the networks."""
        rows = np.asarray(networks, np.int64)
        return Population(self.labels[rows], self.confidence[rows], self.margins[rows])


def answers_of(outputs: npt.NDArray[Any], truth: IntArray) -> Answers:
    """Return what a network answers, given its outputs.

    Outputs are probabilities if none is negative and those of each example add up to 1, and otherwise logits. A single
    output is that of class 1 against class 0: a probability if it is always between 0 and 1, and otherwise a logit.

    Args:
        outputs: one row for each example, (N, classes) or (N, 1).
        truth: the true class of each example, int64 (N,).
    """
    log_odds = _log_odds_of_each(np.asarray(outputs, np.float64))
    labels = log_odds.argmax(axis=1).astype(np.int64)
    rows = np.arange(len(labels))
    confidence = 1 / (1 + np.exp(-np.clip(log_odds[rows, labels], -700, 700)))
    return Answers(labels, confidence, log_odds[rows, truth])


def class_count(outputs: npt.NDArray[Any]) -> int:
    """Return the number of classes of a network, given its outputs (N, classes) or (N, 1)."""
    return 2 if outputs.shape[1] == 1 else int(outputs.shape[1])


def _log_odds_of_each(outputs: FloatArray) -> FloatArray:
    """Return the log-odds of each class, (N, classes)."""
    if outputs.shape[1] == 1:
        if outputs.size and outputs.min() >= 0 and outputs.max() <= 1:
            likely = np.clip(outputs, _LEAST, 1 - _LEAST)
            outputs = np.log(likely) - np.log1p(-likely)
        return np.concatenate([-outputs, outputs], axis=1)
    if are_probabilities(outputs):
        outputs = np.log(np.maximum(outputs, _LEAST))
    odds: FloatArray = outputs - _log_sum_of_others(outputs)
    return odds


def are_probabilities(outputs: FloatArray) -> bool:
    """Return whether outputs (N, classes) are probabilities: none is negative, and each row adds up to 1."""
    return bool(outputs.min(initial=0) >= 0 and np.abs(outputs.sum(axis=1) - 1).max(initial=0) <= _SUM_TOLERANCE)


def _log_sum_of_others(logits: FloatArray) -> FloatArray:
    """Return for each class the logarithm of the sum of the exponentials of all others, (N, classes)."""
    rows, best = np.arange(len(logits)), logits.argmax(axis=1)
    most = logits[rows, best][:, None]
    powers = np.exp(logits - most)
    total = powers.sum(axis=1, keepdims=True)
    found: FloatArray = most + np.log(np.maximum(total - powers, _LEAST))
    others = logits.copy()  # the difference loses all digits where one class has nearly all of the probability
    others[rows, best] = -np.inf
    second = others.max(axis=1)
    found[rows, best] = second + np.log(np.exp(others - second[:, None]).sum(axis=1))
    return found


def true_classes(labels: Any, classes: int) -> IntArray:
    """Return the true class of each example, int64 (N,), with -1 where the label is no class.

    Args:
        labels: class numbers (N,) or (N, 1), or one-hot rows (N, classes).
        classes: the number of classes.

    Raises:
        InputError: if the labels are neither.
    """
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.shape[1] == classes:
        return np.asarray(array.argmax(axis=1), np.int64)
    if array.ndim != 1 or not np.array_equal(array, np.rint(array)):
        raise InputError("the labels of the test data are not classes", "give class numbers, or one-hot rows")
    found: IntArray = array.astype(np.int64)
    found[(found < 0) | (found >= classes)] = -1
    return found
