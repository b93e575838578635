"""Whether networks are as sure as they are right: confidence, margins and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.audit.answers import Population

BINS = 15
"""The number of bins of confidence, of equal width."""


@dataclass(frozen=True)
class CalibrationFigures:
    """How sure networks are, as means over their population.

    Attributes:
        ece: the expected calibration error: the mean distance between confidence and accuracy over 15 bins of
            confidence of equal width, weighted by their numbers of examples (Guo et al., arXiv 1706.04599).
        confidence: the mean probability of the class that they say.
        margin: the mean log-odds of the true class, ln p / (1 - p).
    """

    ece: float
    confidence: float
    margin: float


def calibration(population: Population, truth: IntArray) -> CalibrationFigures:
    """Return how sure the networks of a population are.

    Args:
        population: what they answer.
        truth: the true class of each example, int64 (N,).
    """
    rights = population.labels == truth
    errors = [
        calibration_error(confidence, right) for confidence, right in zip(population.confidence, rights, strict=True)
    ]
    return CalibrationFigures(
        float(np.mean(errors)), float(population.confidence.mean()), float(population.margins.mean())
    )


def calibration_error(confidence: FloatArray, right: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Return the expected calibration error of one network.

    A confidence on the boundary of two bins belongs to the lower one.

    Args:
        confidence: the probability of the class that it says, (N,).
        right: whether that is the true class, (N,).
    """
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    sure = np.bincount(bins, confidence, BINS)
    correct = np.bincount(bins, right, BINS)
    return float(np.abs(sure - correct).sum() / len(confidence))
