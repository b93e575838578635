"""Normalisation of scores, for criteria that are not comparable across groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import InputError
from reds_core.scoring import ScoreTable

Normalisation = Literal["none", "mean", "max", "sum", "l2", "log"]
ByLevel = Literal["auto", "none", "mean", "max", "sum", "l2", "log"]
"""A normalisation, or "auto" for the default of the score level."""

_K = TypeVar("_K")
_SIZES: Mapping[str, Callable[[FloatArray], np.floating]] = {
    "mean": lambda scores: np.abs(scores).mean(),
    "max": lambda scores: np.abs(scores).max(),
    "sum": lambda scores: np.abs(scores).sum(),
    "l2": lambda scores: np.linalg.norm(scores.ravel()),
}


def normalised(table: ScoreTable, how: Normalisation) -> ScoreTable:
    """Make scores comparable across groups.

    Args:
        table: the scores.
        how: "none" returns the scores unchanged. "mean", "max", "sum" and "l2" divide the scores of each group, and of
            each pair of groups, by the mean, maximum, sum or Euclidean norm of their absolute values; scores that are
            all zero remain zero. "log" makes the value of a width the logarithm of the share of the group's score that
            it keeps, so that the value of a network is the logarithm of the product of the shares and no group is
            sacrificed for the others; it requires scores of channels that are not negative.

    Raises:
        InputError: if "log" is given for kernel scores, which add up over pairs of groups.
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
    """Return `how`, or the default `suits` of the score level if `how` is "auto"."""
    return suits if how == "auto" else how


def _log_shares(scores: FloatArray) -> FloatArray:
    """Return the curve of a group: entry w - 1 is the log of the sum of the w largest scores over the largest score."""
    sums = np.cumsum(np.sort(scores)[::-1])
    return np.log(sums / sums[0]) if sums[0] > 0 else np.zeros(len(scores))
