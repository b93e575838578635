"""How sure an exit is of its answer: measures of confidence from 0 to 1, and from integer outputs."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray, IntArray
from reds_core.audit.answers import are_probabilities

Measure = Literal["margin", "entropy", "calibrated"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
"""The difference between the two largest probabilities; 1 minus the entropy as a share of the largest possible one; the
largest probability, with a temperature."""

_LEAST = 1e-12
"""Probabilities below it count as this one, since their logarithm may not exist."""
_LOG_TEMPERATURES = (-4.0, 4.0)
"""The range in which temperatures are looked for: from 1/55 to 55."""


def probabilities_of(outputs: npt.NDArray[Any]) -> FloatArray:
    """Return the probabilities of classes, given the outputs of an exit.

    Outputs are probabilities if none is negative and those of each example add up to 1, and otherwise logits. A single
    output is that of class 1 against class 0: a probability if it is always between 0 and 1, and otherwise a logit.

    Args:
        outputs: One row for each example, (N, classes) or (N, 1).

    Returns:
        float64 (N, classes), with two classes for a single output.
    """
    found: FloatArray = np.asarray(outputs, np.float64)
    if found.shape[1] == 1:
        if found.min(initial=0) >= 0 and found.max(initial=0) <= 1:
            return np.concatenate([1 - found, found], axis=1)
        found = np.concatenate([np.zeros_like(found), found], axis=1)
    return found if are_probabilities(found) else _softmax(found)


def confidence(measure: Measure, probabilities: FloatArray, temperature: float = 1.0) -> FloatArray:
    """Return how sure an exit is of each answer, from 0 to 1.

    Args:
        measure: One of `MEASURES`.
        probabilities: (N, classes), with at least two classes.
        temperature: By what logits are divided before "calibrated" reads the largest probability. The other measures
            do not use it.

    Returns:
        float64 (N,).
    """
    if measure == "margin":
        two = np.partition(probabilities, -2, axis=1)[:, -2:]
        found: FloatArray = np.clip(two[:, 1] - two[:, 0], 0.0, 1.0)
        return found
    if measure == "entropy":
        kept = np.maximum(probabilities, _LEAST)
        entropy = -(kept * np.log(kept)).sum(axis=1)
        return np.asarray(np.clip(1 - entropy / math.log(probabilities.shape[1]), 0.0, 1.0))
    found = np.minimum(_tempered(probabilities, temperature).max(axis=1), 1.0)
    return found


def fitted_temperature(probabilities: FloatArray, labels: IntArray) -> float:
    """Return the temperature that makes labels most likely (Guo et al., arXiv 1706.04599).

    Args:
        probabilities: Those that an exit gives to held-back examples, (N, classes).
        labels: The class of each of them, int64 (N,).

    Returns:
        A temperature from 1/55 to 55; above 1 where the exit is surer than it is right.
    """
    from scipy.optimize import minimize_scalar

    logits, rows = np.log(np.maximum(probabilities, _LEAST)), np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)
        most = scaled.max(axis=1)
        return float(np.mean(most + np.log(np.exp(scaled - most[:, None]).sum(axis=1)) - scaled[rows, labels]))

    return math.exp(float(minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded").x))


def integer_margins(outputs: npt.NDArray[Any], step: float) -> IntArray:
    """Return by how many steps the largest output of each example is above the second, int64 (N,).

    Args:
        outputs: The outputs of an exit of an integer file as real numbers, (N, classes) with at least two classes.
        step: The distance between neighbouring values of these outputs.
    """
    two = np.partition(np.asarray(outputs, np.float64), -2, axis=1)[:, -2:]
    return np.asarray(np.rint((two[:, 1] - two[:, 0]) / step), np.int64)


def _tempered(probabilities: FloatArray, temperature: float) -> FloatArray:
    return _softmax(np.log(np.maximum(probabilities, _LEAST)) / temperature)


def _softmax(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: FloatArray = powers / powers.sum(axis=1, keepdims=True)
    return found
