"""Scores of layers brought to one scale, for measures that mean nothing across layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

import numpy as np

from reds_core.scorer import FloatArray, ScoreTable

Normalisation = Literal["none", "mean", "max", "sum", "l2"]

_K = TypeVar("_K")
_SIZES: Mapping[str, Callable[[FloatArray], np.floating]] = {
    "mean": lambda scores: np.abs(scores).mean(),
    "max": lambda scores: np.abs(scores).max(),
    "sum": lambda scores: np.abs(scores).sum(),
    "l2": lambda scores: np.linalg.norm(scores.ravel()),
}


def normalised(table: ScoreTable, how: Normalisation) -> ScoreTable:
    """Every group's scores, and every pair's, divided by their own mean, largest, sum or root of the sum of squares.

    Magnitudes count, scores that are all zero stay so, and "none" changes nothing.
    """
    if how == "none":
        return table
    size = _SIZES[how]

    def scaled(scores: Mapping[_K, FloatArray]) -> dict[_K, FloatArray]:
        return {key: array / (float(size(array)) or 1.0) for key, array in scores.items()}

    return ScoreTable(scaled(table.channels), scaled(table.pairs), table.curves)
