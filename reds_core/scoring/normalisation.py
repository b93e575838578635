"""Normalisation of scores, for criteria that are not comparable across groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar, get_args

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import InputError
from reds_core.scoring.scorer import ScoreTable

Normalisation = Literal["none", "mean", "max", "sum", "l2", "log"]
"""How scores are made comparable across groups; see `normalise`."""

_K = TypeVar("_K")
_SIZES: Mapping[str, Callable[[FloatArray], np.floating]] = {
    "mean": lambda scores: np.abs(scores).mean(),
    "max": lambda scores: np.abs(scores).max(),
    "sum": lambda scores: np.abs(scores).sum(),
    "l2": lambda scores: np.linalg.norm(scores.ravel()),
}


def normalise(table: ScoreTable, how: Normalisation = "log") -> ScoreTable:
    """Make scores comparable across groups.

    The built-in scorers use the logarithmic scale by default. Let s_1 >= s_2 >= ... >= s_n be the scores of the
    channels of one group in descending order. On the logarithmic scale, keeping the w most important of them is worth

        value(w) = log(s_1 + ... + s_w) - log(s_1)

    which is, up to a constant, the logarithm of the share of the group's total score that is kept. The value of a
    network is the sum over its groups, and therefore the logarithm of the product of their shares, so that no group is
    sacrificed for the others. A common factor of all scores of a group has no effect.

    Args:
        table: The scores.
        how: `"log"` is the logarithmic scale, which requires scores of channels that are not negative. `"mean"`,
            `"max"`, `"sum"` and `"l2"` divide the scores of each group, and of each pair of groups, by the mean,
            maximum, sum or Euclidean norm of their absolute values; scores that are all zero remain zero. `"none"`
            returns the scores unchanged.

    Returns:
        The normalised scores. With `"log"` they are the given scores of the channels, which still order the channels,
        with a curve for each group, float64 (channels,), whose entry w - 1 is value(w). A group whose scores are all
        zero has a curve of zeros.

    Raises:
        InputError: If `how` is unknown, or if `"log"` is given for kernel scores, which add up over pairs of groups, or
            for negative scores.
    """
    if how not in (known := get_args(Normalisation)):
        raise InputError(f"there is no normalisation {how!r}", f"choose one of {', '.join(known)}")
    if how == "none":
        return table
    if how == "log":
        if table.pairs:
            raise InputError("shares of kernels do not multiply over groups", "give another normalise, such as sum")
        return ScoreTable(table.channels, curves={g: _log_shares(g, scores) for g, scores in table.channels.items()})
    size = _SIZES[how]

    def scaled(scores: Mapping[_K, FloatArray]) -> dict[_K, FloatArray]:
        return {key: array / (float(size(array)) or 1.0) for key, array in scores.items()}

    return ScoreTable(scaled(table.channels), scaled(table.pairs), table.curves)


def _log_shares(group: str, scores: FloatArray) -> FloatArray:
    if np.any(scores < 0):
        raise InputError(
            f"group '{group}' has negative scores, which are not shares", "give another normalise, such as mean"
        )
    sums = np.cumsum(np.sort(scores)[::-1])
    return np.log(sums / sums[0]) if sums[0] > 0 else np.zeros(len(scores))
