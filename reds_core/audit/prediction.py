"""Whether channel attributions tell which examples a compressed network loses, better than its confidence does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, FloatArray
from reds_core.audit.records import LossPrediction, Prediction
from reds_core.audit.statistics import CONFIDENCE, Interval

RESAMPLES = 1000
"""How often examples are drawn anew for an interval, and assigned at random for a p-value."""


@dataclass(frozen=True, eq=False)
class NetworkLoss:
    """What one compressed network loses, and what would predict it.

    Attributes:
        removed: the number of channels that are removed or merged.
        was_right: whether the input model recognises each example, bool (N,).
        is_right: whether the compressed network does, bool (N,).
        margins: the margins of the input model, (N,).
        predicted: the predicted change of each margin without the removed channels, (N,).
    """

    removed: int
    was_right: BoolArray
    is_right: BoolArray
    margins: FloatArray
    predicted: FloatArray

    @property
    def scores(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The scores by attribution, by the margin alone, and by both: the higher, the likelier an example is lost."""
        return -self.predicted, -self.margins, -(self.margins + self.predicted)


def area_under_curve(scores: FloatArray, lost: BoolArray) -> float | None:
    """Return the probability that a lost example has a higher score than one that is kept, ties counting half.

    Args:
        scores: the scores, (N,).
        lost: which examples are lost, bool (N,).

    Returns:
        None if all examples are lost, or none is.
    """
    from scipy.stats import rankdata

    count = int(lost.sum())
    others = len(lost) - count
    if not count or not others:
        return None
    return float((rankdata(scores)[lost].sum() - count * (count + 1) / 2) / (count * others))


def predict_losses(networks: Sequence[NetworkLoss], seed: int) -> LossPrediction | None:
    """Return whether attributions predict which examples the networks of a member lose.

    Args:
        networks: the networks, which answer the same examples.
        seed: the seed of resampling.

    Returns:
        None if no network loses some examples and keeps others, or if none has removed channels.
    """
    useful = [
        n for n in networks if n.removed and (n.was_right & n.is_right).any() and (n.was_right & ~n.is_right).any()
    ]
    if not useful:
        return None
    count = len(useful[0].was_right)
    areas = _areas(useful, np.arange(count))
    assert areas is not None
    random = np.random.default_rng(seed)
    drawn = [_areas(useful, random.integers(0, count, count)) for _ in range(RESAMPLES)]
    found = np.array([each for each in drawn if each is not None])
    attribution, baseline, both = (Prediction(float(areas[i]), _interval(found[:, i])) for i in range(3))
    return LossPrediction(
        removed=float(np.mean([n.removed for n in useful])),
        candidates=float(np.mean([n.was_right.sum() for n in useful])),
        lost=float(np.mean([(n.was_right & ~n.is_right).sum() for n in useful])),
        attribution=attribution,
        baseline=baseline,
        both=both,
        advantage=attribution.auc - baseline.auc,
        advantage_interval=_interval(found[:, 0] - found[:, 1]),
        p_value=_p_value(useful, attribution.auc, random.permutation),
    )


def _areas(networks: Sequence[NetworkLoss], chosen: np.ndarray[tuple[int], np.dtype[np.int64]]) -> FloatArray | None:
    """Return the mean areas of the three scores on some examples; None if they are not defined for any network."""
    found = []
    for network in networks:
        candidates = chosen[network.was_right[chosen]]
        lost = ~network.is_right[candidates]
        areas = [area_under_curve(scores[candidates], lost) for scores in network.scores]
        if None not in areas:
            found.append(areas)
    return np.array(found, np.float64).mean(axis=0) if found else None


def _interval(values: FloatArray) -> Interval:
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _p_value(
    networks: Sequence[NetworkLoss],
    reached: float,
    permuted: Callable[[int], np.ndarray[tuple[int], np.dtype[np.int64]]],
) -> float:
    """Return how often sums that are assigned to the examples at random predict as well, or as badly."""
    count, as_extreme = len(networks[0].was_right), 0
    for _ in range(RESAMPLES):
        order = permuted(count)
        areas = [area_under_curve(-n.predicted[order][n.was_right], ~n.is_right[n.was_right]) or 0.0 for n in networks]
        as_extreme += abs(float(np.mean(areas)) - 0.5) >= abs(reached - 0.5) - 1e-12
    return (as_extreme + 1) / (RESAMPLES + 1)
