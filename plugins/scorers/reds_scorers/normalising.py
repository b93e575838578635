"""Scores of layers brought to one scale, for measures that mean nothing across layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import InputError
from reds_core.scoring import ScoreTable

Normalisation = Literal["none", "mean", "max", "sum", "l2", "log"]
ByLevel = Literal["auto", "none", "mean", "max", "sum", "l2", "log"]
"""A normalisation, or the one that suits the level of the scores."""

_K = TypeVar("_K")
_SIZES: Mapping[str, Callable[[FloatArray], np.floating]] = {
    "mean": lambda scores: np.abs(scores).mean(),
    "max": lambda scores: np.abs(scores).max(),
    "sum": lambda scores: np.abs(scores).sum(),
    "l2": lambda scores: np.linalg.norm(scores.ravel()),
}


def normalised(table: ScoreTable, how: Normalisation) -> ScoreTable:
    """Scores that compare across groups.

    mean, max, sum, l2: every group's scores, and every pair's, are divided by their own mean, largest, sum or root of
    the sum of squares. Magnitudes count, and scores that are all zero stay so.
    log: the value of a width is the logarithm of the share of the group's score that it keeps, so that the value of a
    network is that of the product of the shares: no group can be given up for the others. Only for scores of channels,
    which must not be negative.

    Raises:
        InputError: if the logarithm is asked for kernels, whose scores add up over pairs of groups.
    """
    if how == "none":
        return table
    if how == "log":
        if table.pairs:
            raise InputError("shares of kernels do not multiply over groups", "give another normalise, such as sum")
        return ScoreTable(table.channels, curves={g: _log_shares(scores) for g, scores in table.channels.items()})
    size = _SIZES[how]

    def scaled(scores: Mapping[_K, FloatArray]) -> dict[_K, FloatArray]:
        return {key: array / (float(size(array)) or 1.0) for key, array in scores.items()}

    return ScoreTable(scaled(table.channels), scaled(table.pairs), table.curves)


def of_level(how: ByLevel, suits: Normalisation) -> Normalisation:
    """What is asked for, or what `suits` the level."""
    return suits if how == "auto" else how


def _log_shares(scores: FloatArray) -> FloatArray:
    """Entry w - 1: how much larger the logarithm of the w largest scores' sum is than that of the largest alone."""
    sums = np.cumsum(np.sort(scores)[::-1])
    return np.log(sums / sums[0]) if sums[0] > 0 else np.zeros(len(scores))
